"""Bands and densities of states with the outputs of properties that left them, of two releases and three kinds of file."""

from __future__ import annotations

from tests.support.corpus.crystals import GRAPHENE, MGO, NACL
from tests.support.corpus.electronic import MAGNESIA, ROCK_SALT, Path, Segment, cosines, density, honeycomb, window
from tests.support.corpus.figures import band_blocks, band_file, dos_blocks, dos_file
from tests.support.corpus.outputs import properties
from tests.support.corpus.states import Conductor, Insulator

MGO_PATH = Path(
    MGO,
    4,
    (
        Segment((0, 0, 0), (2, 0, 2), 24),
        Segment((2, 0, 2), (2, 2, 2), 20),
        Segment((2, 2, 2), (0, 0, 0), 20),
        Segment((0, 0, 0), (2, 1, 3), 26),
    ),
)
JUMPING = Path(
    MGO,
    8,
    (
        Segment((0, 0, 0), (4, 0, 4), 6),
        Segment((4, 0, 4), (5, 2, 5), 2),
        Segment((3, 3, 6), (0, 0, 0), 7),
        Segment((0, 0, 0), (4, 4, 4), 6),
    ),
)
NACL_PATH = Path(
    NACL,
    12,
    (
        Segment((0, 0, 0), (6, 0, 6), 19),
        Segment((6, 0, 6), (6, 3, 9), 10),
        Segment((6, 3, 9), (6, 6, 6), 14),
        Segment((6, 6, 6), (0, 0, 0), 17),
    ),
)
HEXAGON = Path(
    GRAPHENE,
    6,
    (Segment((0, 0, 0), (2, 2, 0), 20), Segment((2, 2, 0), (3, 0, 0), 10), Segment((3, 0, 0), (0, 0, 0), 17)),
)
MGO_FERMI, NACL_FERMI, GRAPHENE_FERMI = -0.1520, -0.396861, -0.0991
BETA = (*MAGNESIA[:10], (0.2508, 0.31), *MAGNESIA[11:])
"""The other spin's lowest empty band lies lower."""


def shares(total: list[float]) -> list[list[float]]:
    """Two projections, of which the first has a third of all states, and their sum."""
    return [[value / 3 for value in total], [2 * value / 3 for value in total], total]


def mgo_dos() -> str:
    energies = window(-0.55, 0.95, 302)
    return dos_file(energies, [shares(density(cosines(MAGNESIA), energies))], MGO_FERMI)


def spin_dos() -> str:
    energies = window(-0.45, 0.7, 202)
    return dos_file(
        energies, [shares(density(cosines(bands), energies, electrons=1)) for bands in (MAGNESIA, BETA)], MGO_FERMI
    )


def spin_blocks() -> str:
    energies = window(-0.45, 0.7, 302)
    spins = [shares(density(cosines(bands), energies, electrons=1)) for bands in (MAGNESIA, BETA)]
    return dos_blocks(energies, spins, MGO_FERMI, state=1)


def jumping_blocks() -> str:
    energies = window(-0.55, 0.95, 302)
    densities = [shares(density(cosines(MAGNESIA), energies))]
    return band_blocks(JUMPING, [cosines(MAGNESIA)], MGO_FERMI) + dos_blocks(energies, densities, MGO_FERMI)


def nacl_blocks() -> str:
    energies = _nacl_window()
    densities = [[density(cosines(ROCK_SALT), energies, width=0.0015)]]
    return band_blocks(NACL_PATH, [cosines(ROCK_SALT)], NACL_FERMI) + dos_blocks(energies, densities, NACL_FERMI)


def _nacl_window() -> list[float]:
    # Narrow, so that the states end where the bands do.
    return window(-0.65, 0.06, 302)


def nacl_dos() -> str:
    energies = _nacl_window()
    return dos_file(energies, [[density(cosines(ROCK_SALT), energies, width=0.0015)]], NACL_FERMI, absolute=True)


FILES = {
    "mgo-bands/main.outp": lambda: properties(MGO, Insulator(10, -0.1520, 0.1014), "BAND"),
    "mgo-bands/main.BAND": lambda: band_file(MGO_PATH, [cosines(MAGNESIA)], MGO_FERMI),
    "mgo-dos/main.outp": lambda: properties(MGO, Insulator(10, -0.1520, 0.1014), "DOSS"),
    "mgo-dos/main.DOSS": mgo_dos,
    "mgo-dos/main.d3": lambda: "NEWK\n6 12\n1 0\nDOSS\n2 302 -1 -1 1 12 0\n-0.7 0.8\n-1 1\n-1 2\nEND\n",
    "mgo-spin/main.BAND": lambda: band_file(MGO_PATH, [cosines(MAGNESIA), cosines(BETA)], MGO_FERMI),
    "mgo-spin-dos/main.DOSS": spin_dos,
    "mgo-spin-dos/fort.25": spin_blocks,
    "mgo-fort25/fort.25": jumping_blocks,
    "nacl-crystal14/main.BAND": lambda: band_file(NACL_PATH, [cosines(ROCK_SALT)], None),
    "nacl-crystal14/main.DOSS": nacl_dos,
    "nacl-crystal14/main.f25": nacl_blocks,
    "graphene/main.outp": lambda: properties(GRAPHENE, Conductor(GRAPHENE_FERMI), "BAND"),
    "graphene/main.BAND": lambda: band_file(HEXAGON, [honeycomb], GRAPHENE_FERMI),
}  # fmt: skip
