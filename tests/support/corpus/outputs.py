"""Whole outputs of the kinds that most cases are: what any begins with, a single point, the program `properties`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.corpus import frame
from tests.support.corpus.crystals import Structure
from tests.support.corpus.geometry import geometry
from tests.support.corpus.paper import Paper, scientific
from tests.support.corpus.scf import Method, Scf, cycles, method, mulliken, scf_end
from tests.support.corpus.states import State


def opened(
    structure: Structure,
    chosen: Method,
    program: str = "CRYSTAL17",
    deck: str = "",
    notes: Sequence[str] = (),
    old: bool = False,
) -> Paper:
    """Everything before the first cycle; `deck` where a wrapper echoes it, `notes` are lines that belong to the input."""
    paper = Paper()
    if deck:
        frame.wrapper(paper, deck)
    frame.banner(paper, program)
    frame.started(paper, structure.title)
    paper.line(*notes)
    geometry(paper, structure, old=old)
    method(paper, structure, chosen)
    return paper


def single_point(
    structure: Structure, scf: Scf, chosen: Method, program: str = "CRYSTAL17", deck: str = "",
    total: float | None = None, analysis: Sequence[Sequence[float]] = (),
) -> str:  # fmt: skip
    """An SCF from beginning to end; `analysis` are Mulliken's electrons, and spins, at the end."""
    paper = opened(structure, chosen, program, deck)
    cycles(paper, structure, scf)
    scf_end(paper, scf, chosen, total)
    for values, sign in zip(analysis, "+-", strict=False):
        mulliken(paper, structure, values, sign)
    paper.line(" EIGENVECTORS IN FORTRAN UNIT 10")
    frame.ended(paper)
    if deck:
        frame.tidied(paper)
    return paper.text


@dataclass(frozen=True)
class Read:
    """What properties tells of the wave function that it read; hartree. A Fermi energy of ±1 is a placeholder."""

    energy: float = -274.0
    kinetic: float = 273.25
    fermi: float = -1.0
    cycles: int = 7
    shift: float = 0.0


def wave_function(paper: Paper, read: Read) -> None:
    """The lines with which properties begins, behind the atoms."""
    paper.headed(
        f" DE(K)                   0.000E+00  ENERGY LEVEL SHIFTING        {read.shift:.5f}",
        f" TOTAL ENERGY {read.energy:19.13E}  CONVERGENCE ON ENER       -3.775E-09",
        f" KIN. ENERGY  {read.kinetic:20.14E}  VIR. COEFF.           1.00363760E+00",
        f" N. OF SCF CYCLES {read.cycles:16d}  FERMI ENERGY            {scientific(read.fermi, 3, 12)}",
        " SHRINK. FACT.(MONKH.)     6  6  6  SHRINKING FACTOR(GILAT NET)       12",
    )


def properties(
    structure: Structure, state: State | None, work: str, program: str = "CRYSTAL17", read: Read | None = None,
    before: Sequence[str] = (), method: str = "KOHN-SHAM", more: Callable[[Paper], None] | None = None,
) -> str:  # fmt: skip
    """An output of properties; `work` is BAND or DOSS, without a `state` nothing is computed anew.

    Args:
        before: lines between the start and the box of the title, as parallel programs print them.
        more: prints further sections before the end.
    """
    paper = Paper()
    frame.banner(paper, program)
    paper.line(f" EEEEEEEEEE STARTING  {paper.time()}", *before, "")
    paper.headed(f" {structure.title:<80}", " CRYSTAL - PROPERTIES - TYPE OF CALCULATION :  RESTRICTED CLOSED SHELL")
    paper.line(f" {method} HAMILTONIAN", "", " LATTICE PARAMETERS  (ANGSTROM AND DEGREES) - PRIMITIVE CELL")
    paper.line("       A          B          C         ALPHA      BETA     GAMMA        VOLUME")
    a, b, c, alpha, beta, gamma = structure.cell
    paper.line(f" {a:10.5f} {b:10.5f} {c:10.5f} {alpha:11.4f} {beta:9.4f} {gamma:9.4f} {structure.volume:14.5f}")
    wave_function(paper, read or Read())
    if state is not None:
        paper.headed(" RESTART WITH NEW K POINTS NET")
        paper.line(
            " FERMI ENERGY AND DENSITY MATRIX CALCULATION ON COMPUTED EIGENVECTORS",
            " DENSITY MATRIX AT SCF CYCLE (  7+1)",
            "",
        )
        state.write(paper, 12)
        paper.stage("NEWK", 0.03)
    words = "BAND STRUCTURE" if work == "BAND" else "TOTAL AND PROJECTED DENSITY OF STATES - FOURIER LEGENDRE METHOD"
    paper.line(" " + "#" * 79, "", f" {words}", " FROM BAND    1 TO BAND   14", "", " " + "#" * 79)
    paper.stage(work, 0.2)
    if more is not None:
        more(paper)
    frame.ended(paper)
    return paper.text
