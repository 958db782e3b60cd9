"""The self-consistent field: what is said of the method before it, its cycles, its end, and the populations behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.corpus.crystals import Structure
from tests.support.corpus.paper import Paper
from tests.support.corpus.states import State

_PER_ROW = 8


@dataclass(frozen=True)
class Method:
    """What the program repeats of its deck. `tolerance` is the exponent of TOLDEE."""

    kind: str = "RESTRICTED CLOSED SHELL"
    hamiltonian: str = "HF"
    exchange: str = ""
    tolerance: int = 7
    cycles: int = 50
    shrink: tuple[int, int, int] | None = (6, 6, 6)
    mixing: int = 30


@dataclass(frozen=True)
class Scf:
    """`deltas` are the changes of energy from the first cycle on; the last cycle has `energy`, in hartree.

    `charges` are electrons at the end, by atom; `spins` with them where the calculation has any.
    """

    energy: float
    deltas: Sequence[float]
    state: State
    charges: Sequence[float] = ()
    spins: Sequence[float] = ()
    ended: str = "CONVERGENCE ON ENERGY"

    @property
    def energies(self) -> list[float]:
        """Of all cycles, from the first guess on."""
        found = [self.energy]
        for delta in reversed(self.deltas):
            found.append(found[-1] - delta)
        return found[::-1]


def method(paper: Paper, structure: Structure, chosen: Method) -> None:
    """Tolerances and the k-point mesh."""
    paper.line(" INFORMATION **** READM2 **** FULL DIRECT SCF MODE SELECTED")
    paper.headed(
        f" N. OF ATOMS PER CELL {len(structure.sites):9d}  COULOMB OVERLAP TOL         (T1) 10**   -6",
        f" N. OF ELECTRONS PER CELL {structure.electrons:5d}  POLE ORDER IN MONO ZONE                  4",
    )
    paper.line(f" TYPE OF CALCULATION :  {chosen.kind}")
    paper.line(" HARTREE-FOCK HAMILTONIAN" if chosen.hamiltonian == "HF" else " KOHN-SHAM HAMILTONIAN", "")
    paper.rule()
    paper.line(f" MAX NUMBER OF SCF CYCLES {chosen.cycles:7d}  CONVERGENCE ON DELTAP        10**-16")
    paper.line(f" WEIGHT OF F(I) IN F(I+1) {chosen.mixing:7d}% CONVERGENCE ON ENERGY        10**-{chosen.tolerance:2d}")
    if chosen.shrink:
        factors = "".join(f"{factor:3d}" for factor in chosen.shrink)
        paper.line(f" SHRINK. FACT.(MONKH.)  {factors}  NUMBER OF K POINTS IN THE IBZ     16")
        paper.line(f" SHRINKING FACTOR(GILAT NET)  {max(chosen.shrink):3d}  NUMBER OF K POINTS(GILAT NET)     16")
    paper.rule()
    paper.stage("INPUT")
    paper.stage("SYMM")
    paper.stage("INT_CALC", 0.04)
    # Not the end of the program, although it says TERMINATION.
    paper.line(f" EEEEEEEEEE INT_CALC TERMINATION  {paper.time()}", "")
    paper.headed(f" {structure.title:<80}", f" CRYSTAL - SCF - TYPE OF CALCULATION :  {chosen.kind}")
    paper.line()


def cycles(paper: Paper, structure: Structure, scf: Scf, until: int | None = None) -> None:
    """All cycles; or those before number `until`, and what stands before it."""
    for cycle, energy in enumerate(scf.energies):
        if cycle:
            paper.stage("DIIS")
            paper.line(
                f" DIIS TEST: {0.4 * 0.2**cycle:.5E} AT SCF   CYCLE {cycle:3d} - DIIS ACTIVE - HISTORY: {cycle:5d} CYCLES"
            )
            paper.stage("FDIK", 0.02)
            scf.state.write(paper, cycle - 1)
            paper.stage("PDIG")
        _charges(paper, structure, scf, cycle)
        paper.stage("MOQGAD")
        paper.stage("SHELLXN", 0.4)
        if until == cycle:
            return
        paper.stage("MONMO3")
        delta = scf.deltas[cycle - 1] if cycle else energy
        test = abs(delta) ** 0.9 * 0.1 if cycle > 1 else 0.0
        paper.line(f" CYC {cycle:3d} ETOT(AU) {energy:.12E} DETOT {delta:9.2E} tst {test:9.2E} PX  1.00E-02")


def _charges(paper: Paper, structure: Structure, scf: Scf, cycle: int) -> None:
    paper.line(" CHARGE NORMALIZATION FACTOR   1.00000000")
    if not scf.charges:
        return
    moved = 1 - 0.3**cycle
    neutral = [site.number % 100 for site in structure.sites]
    paper.line(" TOTAL ATOMIC CHARGES:")
    _rows(paper, [start + (end - start) * moved for start, end in zip(neutral, scf.charges, strict=True)])
    if scf.spins:
        spins = [end * (1 + 0.5 * 0.3**cycle) for end in scf.spins]
        paper.line(f" SUMMED SPIN DENSITY {sum(spins):20.8f}", " TOTAL ATOMIC SPINS  :")
        _rows(paper, spins)


def _rows(paper: Paper, values: Sequence[float]) -> None:
    """Six numbers of seven digits in a row."""
    for place in range(0, len(values), 6):
        paper.line("".join(f"{value:12.7f}" for value in values[place : place + 6]))


def scf_end(paper: Paper, scf: Scf, chosen: Method, total: float | None = None) -> None:
    """The end of the cycles, and the energy behind it; `total` where smearing makes it another one."""
    count, change = len(scf.deltas), scf.deltas[-1]
    paper.line("", f" == SCF ENDED - {scf.ended:<21}     E(AU) {scf.energy:.13E} CYCLES {count:3d}", "")
    energy = scf.energy if total is None else total
    if chosen.hamiltonian == "DFT":
        paper.line("", f" ENERGY EXPRESSION={chosen.exchange}", "", "")
    rest = "tester" if chosen.hamiltonian == "DFT" else "tst"
    paper.line(
        f" TOTAL ENERGY({chosen.hamiltonian})(AU)({count:4d}) {energy:.13E} DE{change:8.1E} {rest} {abs(change) / 9:7.1E}"
    )
    if chosen.hamiltonian == "DFT":
        paper.stage("EDFT")


def dispersion(paper: Paper, energy: float, correction: float, counterpoise: float | None = None) -> None:
    """What DFT-D3, and gCP with it, add to the energy."""
    paper.line("", " INFORMATION **** DFTD3 ENERGY **** NORMAL TERMINATION OF DFTD3 MODULE", "")
    paper.rule()
    paper.line("", " DFT-D3 DISPERSION ENERGY CORRECTION", "", f" D3 DISPERSION ENERGY (AU) {correction:26.13E}")
    if counterpoise is None:
        paper.line(f" TOTAL ENERGY + DISP (AU) {energy + correction:27.13E}")
    else:
        paper.line(f" GCP ENERGY (AU) {counterpoise:36.13E}")
        paper.line(f" TOTAL ENERGY + DISP + GCP (AU) {energy + correction + counterpoise:.13E}")
    paper.line()
    paper.rule()


def mulliken(paper: Paper, structure: Structure, values: Sequence[float], spin: str = "+") -> None:
    """Mulliken's analysis as PPAN prints it: three digits, orbitals in rows that go on.

    `values` are electrons (α + β) or spins (α − β) by atom; orbitals are invented to sum up to them.
    """
    paper.stage("AFTER FIRST")
    paper.line(" " + "M" * 79, f"     ALPHA{spin}BETA ELECTRONS")
    paper.line(f" MULLIKEN POPULATION ANALYSIS - NO. OF ELECTRONS {sum(values):11.6f}", "")
    paper.line("  ATOM    Z CHARGE  A.O. POPULATION", "")
    for index, (site, value) in enumerate(zip(structure.sites, values, strict=True), start=1):
        orbitals = [value / 18] * 18 if site.number > 16 else [value / 5] * 5
        head = f"{index:4d} {site.symbol:<2} {site.number:3d} {value:6.3f}"
        for place in range(0, len(orbitals), _PER_ROW):
            row = "".join(f"{one:7.3f}" for one in orbitals[place : place + _PER_ROW])
            paper.line((" " * len(head) if place else head) + row)
    paper.line("", "  ATOM    Z CHARGE  SHELL POPULATION", "")
    for index, (site, value) in enumerate(zip(structure.sites, values, strict=True), start=1):
        paper.line(f"{index:4d} {site.symbol:<2} {site.number:3d} {value:6.3f} {value / 2:6.3f} {value / 2:6.3f}")
    paper.line("", " OVERLAP POPULATION CONDENSED TO ATOMS FOR FIRST   6 NEIGHBORS", "")


def falling(first: float, ratio: float, count: int, wobble: float = 0.0) -> tuple[float, ...]:
    """Changes of energy that become smaller by `ratio` from cycle to cycle, with two digits as they are printed."""
    return tuple(float(f"{first * ratio**n * (1 + wobble * (-1) ** n):.2E}") for n in range(count))
