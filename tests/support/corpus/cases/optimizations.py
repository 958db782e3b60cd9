"""Optimisations: of a cell, with all cycles in one log, of a slab in seventy points, and four that did not get to their end."""

from __future__ import annotations

import math

from tests.support.corpus import frame
from tests.support.corpus.cases.energies import B3LYP, METAL, NIO_SCF, RHF, SHEET, UHF
from tests.support.corpus.crystals import IRON, MGO, NIO, S2, SLAB, Structure
from tests.support.corpus.optimization import Point, criteria, forces, heading, later_points, log, moved, opt_end
from tests.support.corpus.outputs import opened
from tests.support.corpus.paper import Paper
from tests.support.corpus.scf import Method, Scf, cycles, falling, scf_end
from tests.support.corpus.states import Conductor, Insulator, Polarised

CELL = (
    Point(MGO, -271.12345678912, (0.412345, 0.412345)),
    Point(MGO.scaled(0.957), -271.15123456789, (0.151234, 0.151234), (0.087654, 0.087654)),
    Point(MGO.scaled(0.938), -271.15678901234, (0.031234, 0.031234), (0.041234, 0.041234)),
    Point(MGO.scaled(0.9351), -271.15701234567, (0.004321, 0.004321), (0.006543, 0.006543), 5),
    Point(MGO.scaled(0.93472), -271.15702345678, (0.000042, 0.000042), (0.000011, 0.000011), 4),
    Point(MGO.scaled(0.93472), -271.15703456789, (0.000021, 0.000021), (0.000004, 0.000004), 3),
)
FIRST = Scf(
    CELL[0].energy, (-0.512, -0.0421, -0.00331, -1.21e-3, -2.5e-6, -4.4e-7, -6.1e-9, -7.7e-10),
    Insulator(10, -0.1512, 0.3047, top_k=12), (11.2345678, 8.7654322),
)  # fmt: skip


def begun(
    structure: Structure,
    first: Point,
    scf: Scf,
    chosen: Method,
    kind: str,
    program: str = "CRYSTAL17",
    old: bool = False,
) -> Paper:
    """Up to the criteria of the first point, whose cycles stand in every output."""
    notes = (
        " INFORMATION **** FULLOPTG **** FULL OPTIMIZATION (ATOMS AND CELL PARAMETERS)",
        " DEFAULT MAX NUM OF POINTS  100",
    )
    paper = opened(structure, chosen, program, notes=notes, old=old)
    heading(paper, kind, 1)
    cycles(paper, structure, scf)
    scf_end(paper, scf, chosen)
    forces(paper)
    criteria(paper, first)
    return paper


def cell() -> str:
    paper = begun(MGO, CELL[0], FIRST, RHF, "CELL")
    moved(paper)
    later_points(paper, CELL, "CELL", RHF)
    opt_end(paper, CELL, gaps=(("", 16.4321),))
    frame.ended(paper)
    return paper.text


def one_log() -> str:
    """With ONELOG the cycles of all points stand in the output."""
    ends = (-275.31234567891, -275.31345678912, -275.31356789123, -275.31357891234)
    points = tuple(
        Point(
            MGO.scaled(1 - 0.004 * n),
            energy,
            (0.02 * 0.1**n, 0.02 * 0.1**n),
            (0.03 * 0.1**n, 0.03 * 0.1**n) if n else None,
        )
        for n, energy in enumerate(ends)
    )
    state = Insulator(10, -0.152, 0.1014)
    scfs = tuple(
        Scf(energy, falling(-0.2, 0.05, count), state, (10.12, 9.88))
        for energy, count in zip(ends, (8, 7, 6, 5), strict=True)
    )
    paper = begun(MGO, points[0], scfs[0], B3LYP, "CELL")
    later_points(paper, points, "CELL", B3LYP, scfs)
    opt_end(paper, points, gaps=(("", 6.8765),))
    frame.ended(paper)
    return paper.text


def slab() -> str:
    """Seventy points of CRYSTAL14: the outer layers sink, and the last steps are small."""
    points = tuple(
        Point(SLAB.lifted(-0.04 * (1 - 0.93**n)), -3790.4756789 - 0.003 * (1 - 0.9**n),
              (0.022 * 0.92**n, 0.022 * 0.92**n), (0.042 * 0.95**n, 0.042 * 0.95**n) if n else None)
        for n in range(69)
    )  # fmt: skip
    points += (Point(points[-1].structure, points[-1].energy - 1e-9, (0.000031, 0.000031), (0.000102, 0.000102)),)
    scf = Scf(points[0].energy, falling(-0.5, 0.4, 17), Conductor(0.0153), (26.05, 25.9, 26.05))
    paper = begun(SLAB, points[0], scf, SHEET, "COORDINATE", "CRYSTAL14", old=True)
    moved(paper)
    later_points(paper, points, "COORDINATE", SHEET, old=True)
    opt_end(paper, points)
    frame.ended(paper)
    return paper.text


def dimer() -> str:
    """A molecule with a gap for each spin; they are printed once more at the end."""
    chosen = Method(kind=UHF.kind, hamiltonian="DFT", exchange=B3LYP.exchange, shrink=None)
    points = tuple(
        Point(
            S2.lifted(-0.01 * n),
            -795.81234567 - 0.01 * (1 - 0.1**n),
            (0.03 * 0.05**n, 0.02 * 0.05**n),
            (0.02 * 0.1**n, 0.01 * 0.1**n) if n else None,
        )
        for n in range(4)
    )
    state = Polarised(Insulator(17, -0.1911, 0.0019), Insulator(15, -0.3413, -0.1786))
    scf = Scf(points[0].energy, falling(-0.03, 0.06, 7), state, (16.0, 16.0), (1.0, 1.0))
    paper = begun(S2, points[0], scf, chosen, "COORDINATE")
    moved(paper)
    later_points(paper, points, "COORDINATE", chosen)
    opt_end(paper, points, gaps=(("ALPHA", 5.8765), ("BETA", 4.5678)))
    frame.ended(paper)
    return paper.text


def _restless(count: int, still: int) -> tuple[Point, ...]:
    """Comes down for `still` points, then goes up and down for ever."""
    return tuple(
        Point(
            NIO.scaled(1 + 0.002 * math.sin(1.9 * n)),
            -3323.0776 - 0.01 * (1 - 0.3 ** min(n, still)) + (2e-6 * math.sin(2.4 * n) if n > still else 0.0),
            (max(0.000458, 0.09 * 0.3 ** min(n, still)), max(0.00037, 0.06 * 0.3 ** min(n, still))),
            (0.000174, 0.000144) if n else None,
        )
        for n in range(count)
    )


def limit_of_points() -> str:
    points = _restless(60, 6)
    scf = Scf(points[0].energy, falling(-0.4, 0.2, 14), Conductor(-0.1532), NIO_SCF.charges)
    paper = begun(NIO, points[0], scf, METAL, "COORDINATE AND CELL")
    moved(paper)
    later_points(paper, points, "COORDINATE AND CELL", METAL)
    opt_end(paper, points, converged=False)
    frame.aborted(paper, "f90main **** GEOMETRY OPTIMIZATION FAILED")
    return paper.text


def scf_failed() -> str:
    """The program stops without an end where the SCF of a later point does not converge."""
    points = tuple(
        Point(IRON.scaled(1 - 0.01 * n), -1263.6182 - 0.008 * n, (0.1 / (n + 1),) * 2, (0.1, 0.1) if n else None)
        for n in range(7)
    )
    scf = Scf(points[0].energy, falling(-0.7, 0.55, 30), Conductor(-0.0222), (26.0,))
    paper = begun(IRON, points[0], scf, METAL, "CELL", "CRYSTAL14")
    moved(paper)
    later_points(paper, points, "CELL", METAL)
    frame.aborted(paper, "OPTGEOM **** SCF FAILED - OPTGEOM STOP")
    return paper.text


CUT = tuple(
    Point(
        NIO.scaled(1 + 0.004 * n),
        -3128.1234567 - 0.03 * (1 - 0.8**n),
        (0.04 * 0.85**n, 0.02 * 0.85**n),
        (0.09 * 0.9**n, 0.05 * 0.9**n) if n else None,
    )
    for n in range(20)
)


def out_of_time() -> str:
    """Killed in its twentieth point, whose geometry is printed and whose energy is not."""
    paper = begun(NIO, CUT[0], NIO_SCF, UHF, "COORDINATE AND CELL")
    moved(paper)
    later_points(paper, CUT[:19], "COORDINATE AND CELL", UHF)
    heading(paper, "COORDINATE AND CELL", 20)
    # Half of a table.
    paper.line(
        " LATTICE PARAMETERS (ANGSTROMS AND DEGREES) - BOHR = 0.5291772083 ANGSTROM",
        " PRIMITIVE CELL - CENTRING CODE 1/0 VOLUME=",
    )
    return paper.text


def out_of_time_log() -> str:
    """Points 2 to 19 have ended, of point 20 there are two cycles."""
    scfs = [
        (point.structure, Scf(point.energy, falling(-0.08, 0.12, 7), NIO_SCF.state, NIO_SCF.charges, NIO_SCF.spins))
        for point in CUT[1:]
    ]
    return log(scfs, UHF, open_end=2)


FILES = {
    "mgo-opt/main.out": cell, "mgo-opt-onelog/main.out": one_log, "slab-opt/main.out": slab, "dimer-opt/main.out": dimer,
    "nio-opt-limit/main.out": limit_of_points, "iron-opt-failed/main.out": scf_failed,
    "nio-opt-cut/main.out": out_of_time, "nio-opt-cut/SCFOUT.LOG": out_of_time_log,
}  # fmt: skip
