"""A geometry optimisation, point by point: geometry, energy with its change, gradients and displacements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.corpus.crystals import Structure
from tests.support.corpus.geometry import cells, geometry
from tests.support.corpus.paper import Paper
from tests.support.corpus.scf import Method, Scf, cycles, scf_end

_OPT = " " + "OPT" * 26
_LIMITS = {"MAX GRADIENT": 0.00045, "RMS GRADIENT": 0.0003, "MAX DISPLAC.": 0.0018, "RMS DISPLAC.": 0.0012}


@dataclass(frozen=True)
class Point:
    """A geometry with its energy (hartree), gradients (Ha/bohr) and the step that led there (bohr)."""

    structure: Structure
    energy: float
    gradient: tuple[float, float]
    step: tuple[float, float] | None = None
    cycles: int = 6


def heading(paper: Paper, kind: str, number: int) -> None:
    paper.headed(f" {kind} OPTIMIZATION - POINT {number:4d}")


def forces(paper: Paper) -> None:
    """What stands between the first energy and its gradients."""
    paper.line()
    paper.headed(" *                             FORCE CALCULATION                               *")
    paper.line("", " CARTESIAN FORCES IN HARTREE/BOHR (ANALYTICAL)")
    paper.line("   ATOM                     X                   Y                   Z")
    paper.line("   1  12            -1.900000000000E-15 -1.900000000000E-15 -1.900000000000E-15", "")
    paper.stage("TOTGRA_C", 8.0)
    paper.line(" INFORMATION **** optc001 **** GEOMETRY OUTPUT FILE", "")


def criteria(paper: Paper, point: Point) -> None:
    paper.line(f" GRADIENT NORM {point.gradient[0]:12.6f}  GRADIENT THRESHOLD     0.500000", "")
    values = (*point.gradient, *(point.step or ()))
    for (name, limit), value in zip(_LIMITS.items(), values, strict=False):
        met = "YES" if value <= limit else "NO"
        paper.line(f" {name} {value:13.6f}  THRESHOLD {limit:21.6f} CONVERGED {met}")
    paper.stage("OPTI", 5.0)


def moved(paper: Paper) -> None:
    """Where the cycles of later points are."""
    paper.line("", _OPT, "", " - INFORMATION ON SCF MOVED TO SCFOUT.LOG")
    paper.line(" GEOMETRY OPTIMIZATION INFORMATION STORED IN OPTINFO.DAT", "", _OPT)


def later_points(
    paper: Paper, points: Sequence[Point], kind: str, chosen: Method, scfs: Sequence[Scf] = (), old: bool = False
) -> None:
    """Points from the second on; with `scfs` their cycles stand in this output too (ONELOG)."""
    for place, point in enumerate(points[1:], start=1):
        heading(paper, kind, place + 1)
        cells(paper, point.structure, old)
        if scfs:
            cycles(paper, point.structure, scfs[place])
            scf_end(paper, scfs[place], chosen)
        change = point.energy - points[place - 1].energy
        paper.line(
            f" TOTAL ENERGY({chosen.hamiltonian})(AU)({point.cycles:4d}) {point.energy:.13E}     DE (AU)  {change:11.3E}",
            "",
        )
        criteria(paper, point)


def opt_end(
    paper: Paper, points: Sequence[Point], converged: bool = True, gaps: Sequence[tuple[str, float]] = ()
) -> None:
    """The end, and the gap of the geometry at which it ended: `("", eV)`, or one for each spin."""
    tests = "SATISFIED" if converged else "UNSATISFIED"
    paper.line(f" CONVERGENCE TESTS {tests} AFTER {len(points):3d} ENERGY AND GRADIENT CALCULATIONS", "")
    how = "CONVERGED" if converged else "FAILED   "
    box = " " + "*" * 66
    paper.line(box, f" * OPT END - {how} * E(AU): {points[-1].energy:20.12E}  POINTS {len(points):4d} *", box, "")
    for spin, gap in gaps:
        paper.line(f"   {spin + ' ' if spin else ''}BAND GAP: {gap:24.4f}  eV ")
    paper.line()
    if converged:
        geometry(paper, points[-1].structure, "FINAL OPTIMIZED GEOMETRY")


def log(scfs: Sequence[tuple[Structure, Scf]], chosen: Method, open_end: int | None = None) -> str:
    """SCFOUT.LOG: the cycles of later points without headings; of the last one those before `open_end`."""
    paper = Paper()
    for place, (structure, scf) in enumerate(scfs):
        last = open_end is not None and place == len(scfs) - 1
        cycles(paper, structure, scf, until=open_end if last else None)
        if not last:
            scf_end(paper, scf, chosen)
            paper.line()
    return paper.text
