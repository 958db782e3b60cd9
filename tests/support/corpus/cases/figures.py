"""Bands and densities of states with the outputs of properties that left them, of two releases and three kinds of file."""

from __future__ import annotations

import math

from tests.support.corpus.analyses import Critical, critical_point, plane_map, powder_pattern, transport
from tests.support.corpus.crystals import GRAPHENE, MGO, NACL
from tests.support.corpus.electronic import MAGNESIA, ROCK_SALT, Path, Segment, cosines, density, honeycomb, window
from tests.support.corpus.figures import band_blocks, band_file, dos_blocks, dos_file
from tests.support.corpus.outputs import properties
from tests.support.corpus.paper import Paper
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

_PLANE = "45\nCOORDINA\n0. 0. 0.\n4.2 0. 0.\n4.2 4.2 0.\nEND\n"
"""Points and corners of a map, with the END of its block."""


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


def analyses_output() -> str:
    """Critical points of a bond, and a powder pattern of three reflections."""

    def more(paper: Paper) -> None:
        for number, (signature, place, rho, laplacian) in enumerate(
            ((-1, 0.25, 0.0412, 0.2875), (1, 0.375, 0.0125, 0.0625), (3, 0.5, 0.0031, 0.0156)), start=1
        ):
            position = (place * 7.96, 0.0, 0.0)
            critical_point(paper, number, Critical(signature, position, (place, 0.0, 0.0), rho, laplacian))
        powder_pattern(paper, [(20 + n / 4, *_intensities(20 + n / 4)) for n in range(241)])

    return properties(MGO, None, "ECHG", more=more)


def _intensities(angle: float) -> tuple[float, float, float]:
    bare = sum(
        height * math.exp(-(((angle - at) / 0.5) ** 2)) for at, height in ((36.9, 12.0), (42.9, 100.0), (62.3, 55.0))
    )
    return bare, bare * 0.5, bare * 0.45


def analyses_maps() -> str:
    """A density and a potential in a plane, as ECHG and POTM leave them."""
    corners = ((0.0, 8.0, 0.0), (0.0, 0.0, 0.0), (8.0, 0.0, 0.0))
    places = [n * 0.25 for n in range(33)]
    distances = [[math.hypot(x - 4, y - 4) for x in places] for y in reversed(places)]
    density = [[round(4 * math.exp(-2 * d), 9) for d in row] for row in distances]
    potential = [[round(math.cos(d), 9) for d in row] for row in distances]
    return plane_map(density, corners, (0.25, 0.25)) + plane_map(potential, corners, (0.25, 0.25))


def analyses_transport(unit: str, width: int) -> str:
    potentials = window(-2.0, 2.0, 41)
    tensors = [
        [[round(scale * mu**2 + place, 6) for place in range(width)] for mu in potentials] for scale in (1.0, 2.0)
    ]
    return transport(unit, (300.0, 600.0), potentials, [tensors])


FILES = {
    "mgo-analyses/main.outp": analyses_output,
    "mgo-analyses/main.d3": lambda: f"ECHG\n0\n{_PLANE}POTM\n0 5\n{_PLANE}END\n",
    "mgo-analyses/fort.25": analyses_maps,
    "mgo-analyses/COOP.DAT": lambda: dos_file(
        window(-0.5, 0.5, 81), [[[round(math.sin(9 * e), 6) for e in window(-0.5, 0.5, 81)]]], MGO_FERMI
    ),
    "mgo-analyses/SIGMA.DAT": lambda: analyses_transport("1/Ohm/m", 6),
    "mgo-analyses/SEEBECK.DAT": lambda: analyses_transport("V/K", 9),
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
