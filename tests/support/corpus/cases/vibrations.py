"""Frequencies: after an SCF of a hundred cycles, with intensities and tensors, along a path; elastic constants and volumes."""

from __future__ import annotations

import math
from itertools import pairwise

from tests.support.corpus import frame, responses, vibrations
from tests.support.corpus.cases.energies import MGO_SCF, PBE, RHF
from tests.support.corpus.crystals import DRY_ICE, GHOSTS, GRAPHENE, MGO, QUARTZ
from tests.support.corpus.dynamics.phonons import density
from tests.support.corpus.outputs import opened
from tests.support.corpus.scf import Method, Scf, cycles, dispersion, falling, scf_end
from tests.support.corpus.states import Insulator, OldInsulator
from tests.support.corpus.vibrations import Functions, Mode

SLOW = Method(tolerance=9, cycles=200, shrink=(3, 3, 3))
QUARTZ_MODES = (
    Mode(1, -1.93, "A2", "A"),
    Mode(2, -0.35, "E", "A", "A"),
    Mode(2, 147.2512, "E", "A", "A"),
    Mode(1, 221.4321, "A1", "I", "A"),
    Mode(2, 290.1234, "E", "A", "A"),
    Mode(1, 385.5432, "A1", "I", "A"),
    Mode(1, 399.8765, "A2", "A"),
    Mode(2, 431.2109, "E", "A", "A"),
    Mode(2, 495.6789, "E", "A", "A"),
    Mode(1, 506.1357, "A1", "I", "A"),
    Mode(1, 548.2468, "A2", "A"),
    Mode(2, 744.1111, "E", "A", "A"),
    Mode(1, 826.2222, "A2", "A"),
    Mode(2, 850.3333, "E", "A", "A"),
    Mode(2, 1128.4444, "E", "A", "A"),
    Mode(1, 1135.5555, "A2", "A"),
    Mode(1, 1143.6666, "A1", "I", "A"),
    Mode(2, 1237.7777, "E", "A", "A"),
)
ICE_MODES = (
    Mode(3, 0.0, "Fu", "A"),
    Mode(3, 71.2345, "Fu", "A", "I", 2.11),
    Mode(2, 79.5432, "Eg", "I", "A", powder=12.5),
    Mode(3, 103.1111, "Fg", "I", "A", powder=8.25),
    Mode(2, 118.2222, "Eu"),
    Mode(1, 121.3333, "Au"),
    Mode(3, 143.4444, "Fu", "A", "I", 7.02),
    Mode(3, 155.5555, "Fg", "I", "A", powder=4.0),
    Mode(2, 655.6666, "Eu"),
    Mode(3, 658.7777, "Fu", "A", "I", 441.25),
    Mode(3, 667.8888, "Fu", "A", "I", 380.5),
    Mode(3, 1355.9999, "Fg", "I", "A", powder=60.0),
    Mode(1, 1362.1234, "Ag", "I", "A", powder=1000.0),
    Mode(1, 2368.2345, "Au"),
    Mode(3, 2401.3456, "Fu", "A", "I", 3901.25),
)


def quartz() -> str:
    """CRYSTAL06, whose intensities are all zero; the table of displacements tells how far it is."""
    deltas = (2.8, -0.133, *falling(-0.02, 0.86, 97), -8.1e-10)
    scf = Scf(-1316.7012345678, deltas, OldInsulator(-0.8451))
    paper = opened(QUARTZ, SLOW, "CRYSTAL06", deck="Quartz, invented\nCRYSTAL\n0 0 0\n154\n4.93 5.43\nFREQCALC\nEND\n")
    vibrations.asked(paper)
    cycles(paper, QUARTZ, scf)
    scf_end(paper, scf, SLOW)
    vibrations.begun(paper, 5)
    vibrations.displacements(paper, QUARTZ, scf.energy, 5)
    vibrations.modes(paper, QUARTZ_MODES, intensities=False)
    vibrations.vectors(paper, QUARTZ, QUARTZ_MODES)
    state = Functions(298.15, 0.101325, 0.005312345678, 0.0, 0.028912345678, 0.038912345678)
    vibrations.thermodynamics(paper, scf.energy, 0.035123456789, [state])
    frame.ended(paper)
    frame.tidied(paper)
    return paper.text


def dry_ice() -> str:
    """Intensities, dispersion in the energy, dielectric tensors, Raman's intensities, two temperatures."""
    chosen = Method(hamiltonian="DFT", exchange=PBE.exchange, tolerance=11)
    scf = Scf(-754.1234567891, falling(-0.9, 0.12, 12), Insulator(44, -0.3563, 0.0123), (5.5,) * 4 + (8.25,) * 8)
    paper = opened(DRY_ICE, chosen, "CRYSTAL22")
    vibrations.asked(paper)
    cycles(paper, DRY_ICE, scf)
    scf_end(paper, scf, chosen)
    dispersion(paper, scf.energy, -0.0512345678901)
    responses.dielectric(paper, [[1.9123 if i == j else 0.0 for j in range(3)] for i in range(3)])
    vibrations.begun(paper, 9)
    total = scf.energy - 0.0512345678901
    vibrations.displacements(paper, DRY_ICE, total, 7)
    responses.vibrational(paper, [[0.34567 if i == j else 0.0 for j in range(3)] for i in range(3)])
    vibrations.modes(paper, ICE_MODES)
    vibrations.raman(paper, ICE_MODES)
    vibrations.vectors(paper, DRY_ICE, ICE_MODES)
    cold = Functions(100.0, 0.101325, 0.0021, 3.8e-6, 0.0312, 0.0401)
    warm = Functions(298.15, 0.101325, 0.0131, 3.8e-6, 0.0941, 0.0651)
    vibrations.thermodynamics(paper, total, 0.0512, [cold, warm])
    frame.ended(paper)
    paper.line(*["Note: The following floating-point exceptions are signalling: IEEE_UNDERFLOW_FLAG IEEE_DENORMAL"] * 4)
    return paper.text


def phonons() -> str:
    """Γ to K to M to Γ with forty steps each: three branches that begin at zero, and three that do not."""
    chosen = Method(hamiltonian="DFT", exchange=PBE.exchange, shrink=(9, 9, 1), tolerance=10)
    scf = Scf(-76.0123456789, falling(-0.3, 0.1, 9), Insulator(6, -0.15, -0.02), (6.0, 6.0))
    paper = opened(GRAPHENE, chosen, "CRYSTAL22")
    vibrations.asked(paper)
    cycles(paper, GRAPHENE, scf)
    scf_end(paper, scf, chosen)
    vibrations.supercell(paper, 240)
    vibrations.begun(paper, 3)
    ends = ((0, 0, 0), (80, 80, 0), (120, 0, 0), (0, 0, 0))
    places = [
        tuple(round(a + (b - a) * step / 40) for a, b in zip(start, end, strict=True))
        for start, end in pairwise(ends) for step in range(41)
    ]  # fmt: skip
    vibrations.dispersion(paper, 240, [(place, branches(place)) for place in places])
    frame.ended(paper)
    return paper.text


def phonon_density() -> str:
    """Of the same phonons, roughly: two atoms that share every state, and the total."""
    places = [float(10 * n) for n in range(181)]
    half = [round(3e-3 * math.sin(math.pi * at / 1800) ** 2, 6) for at in places]
    return density(places, [[2 * part for part in half], half, half])


def branches(place: tuple[int, ...]) -> list[float]:
    """Six frequencies (cm⁻¹) at a k point in units of 1/240."""
    one, other = (2 * math.pi * part / 240 for part in place[:2])
    wave = round(math.sqrt(max(0.0, (3 - math.cos(one) - math.cos(other) - math.cos(one - other)) / 4)), 9)
    acoustic = [412.5 * wave**2, 705.25 * wave, 1104.75 * wave]
    return [*acoustic, 840.0 - 210.0 * wave**2, 1640.0 - 240.0 * wave, 1640.0 + 35.0 * wave - 300.0 * wave**2]


def elastic() -> str:
    constants = [[301.25 if i == j else 96.5 for j in range(3)] + [0.0] * 3 for i in range(3)]
    constants += [[155.75 if i == j else 0.0 for j in range(6)] for i in range(3, 6)]
    paper = opened(MGO, RHF)
    cycles(paper, MGO, MGO_SCF)
    scf_end(paper, MGO_SCF, RHF)
    compliance = [[3.9398 if i == j else -0.9557 for j in range(3)] + [0.0] * 3 for i in range(3)]
    compliance += [[6.4205 if i == j else 0.0 for j in range(6)] for i in range(3, 6)]
    waves = [((0, 0, 1), (9.125, 6.5, 6.5)), ((-1, 1, 0), (9.875, 6.5, 5.375))]
    responses.elastic(
        paper,
        constants,
        (164.75, 134.4, 164.75, 130.3, 164.75, 132.35, 313.15, None),
        compliance=compliance,
        velocities=waves,
    )
    frame.ended(paper)
    return paper.text


def volumes() -> str:
    rows = [(MGO.volume + 0.25 * n, MGO_SCF.energy + 0.00025 * n**2) for n in range(-3, 4)]
    fits = [
        ("MURNAGHAN 1944", (19.0612, -271.12346111, 161.25, 3.91)), ("BIRCH-MURNAGHAN 1947", (19.0601, -271.12346222, 162.5, 4.02)),
        ("THIRD ORDER POLYNOMIAL", (19.0599, -271.12346333, 163.75)),
    ]  # fmt: skip
    paper = opened(MGO, RHF)
    cycles(paper, MGO, MGO_SCF)
    scf_end(paper, MGO_SCF, RHF)
    responses.volumes(paper, rows, fits)
    frame.ended(paper)
    return paper.text


def elastic_failed() -> str:
    """The forces at the start are too large; then an SCF fails. Two atoms have cores of their own."""
    scf = Scf(-2385.8512345678, falling(-0.4, 0.3, 10), Insulator(16, -0.2, 0.1), (17.5, 8.25, 6.25))
    paper = opened(GHOSTS, RHF)
    cycles(paper, GHOSTS, scf)
    scf_end(paper, scf, RHF)
    paper.line("", " WARNING!! FORCE   1 AT CENTRAL POINT IS GREATER THAN 10^-4. OPTIMIZE THE STRUCTURE AND RE-RUN")
    paper.line("", " STRAIN MATRIX   1 :", "")
    frame.aborted(paper, "OPTGEOM **** SCF FAILED - OPTGEOM STOP")
    return paper.text


FILES = {
    "quartz-freq/main.out": quartz, "dry-ice-ir/main.out": dry_ice, "graphene-phonons/main.out": phonons,
    "graphene-phonons/main.PHONDOS": phonon_density,
    "mgo-elastic/main.out": elastic, "mgo-volumes/main.out": volumes, "elastic-failed/main.out": elastic_failed,
}  # fmt: skip
