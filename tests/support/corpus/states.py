"""The electronic state that a cycle prints: gaps and band edges, Fermi energies, levels that are locked or shifted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tests.support.corpus.paper import Paper

EV = 27.211386


class State(Protocol):
    """How the electrons of a crystal are printed after `cycle` cycles; it settles while they go on."""

    def write(self, paper: Paper, cycle: int) -> None: ...


@dataclass(frozen=True)
class Insulator:
    """Edges in hartree. Older releases print no line with the gap, the oldest no edge of the virtual bands."""

    occupied: int
    top: float
    bottom: float
    top_k: int = 1
    bottom_k: int = 1
    gap_line: bool = True
    shifter: float = 0.0
    drift: float = 0.06

    def write(self, paper: Paper, cycle: int) -> None:
        top, bottom = self.top - self.drift * 0.35**cycle, self.bottom - 2 * self.drift * 0.35**cycle
        # A locked shifter lowers the occupied bands.
        top -= self.shifter
        paper.line(" INSULATING STATE" + (f" - LEVEL SHIFTER {self.shifter:7.2f} au" if self.shifter else ""))
        paper.line(f" TOP OF VALENCE BANDS -    BAND {self.occupied:6d}; K {self.top_k:4d}; EIG {top:14.7E} AU")
        if self.top_k != 1:
            # More lines may follow; only the first one names the edge.
            paper.line(f" TOP OF VALENCE BANDS -    BAND {self.occupied:6d}; K    1; EIG {top - 0.01:14.7E} AU")
        paper.line(
            f" BOTTOM OF VIRTUAL BANDS - BAND {self.occupied + 1:6d}; K {self.bottom_k:4d}; EIG {bottom:14.7E} AU"
        )
        if self.gap_line:
            kind = "DIRECT" if self.top_k == self.bottom_k else "INDIRECT"
            paper.line(f" {kind} ENERGY BAND GAP: {(bottom - top) * EV:8.4f} eV")


@dataclass(frozen=True)
class Placeholders:
    """An insulator whose edges nobody looked for: CRYSTAL09 and 14 print -1 and 1 hartree."""

    occupied: int

    def write(self, paper: Paper, cycle: int) -> None:
        paper.line(" INSULATING STATE")
        paper.line(f" TOP OF VALENCE BANDS -    BAND {self.occupied:6d}; K    1; EIG -1.0000000E+00 AU")
        paper.line(f" BOTTOM OF VIRTUAL BANDS - BAND {self.occupied + 1:6d}; K    1; EIG  1.0000000E+00 AU")


@dataclass(frozen=True)
class OldInsulator:
    """CRYSTAL06: one line."""

    top: float

    def write(self, paper: Paper, cycle: int) -> None:
        paper.line(f" INSULATING STATE - TOP OF VALENCE BANDS (A.U.) {self.top - 0.1 * 0.5**cycle:14.7E}")


@dataclass(frozen=True)
class Polarised:
    """Both spins, each with its own edges."""

    alpha: State
    beta: State

    def write(self, paper: Paper, cycle: int) -> None:
        for name, state in (("ALPHA", self.alpha), ("BETA", self.beta)):
            paper.line("", f"    {name:<5}      ELECTRONS")
            state.write(paper, cycle)


@dataclass(frozen=True)
class Conductor:
    """A metal, or what looks like one."""

    fermi: float

    def write(self, paper: Paper, cycle: int) -> None:
        fermi = self.fermi + 0.02 * 0.4**cycle
        paper.line(f" POSSIBLY CONDUCTING STATE - EFERMI(AU) {fermi:14.7E} (RES. CHARGE  1.78E-15;IT.  9)")


@dataclass(frozen=True)
class Locked:
    """While spins are locked no gap is computed."""

    def write(self, paper: Paper, cycle: int) -> None:
        paper.line(" SPIN LOCKING: NO ENERGY GAP COMPUTED")


@dataclass(frozen=True)
class Turning:
    """One state for some cycles, then another."""

    first: State
    then: State
    cycle: int

    def write(self, paper: Paper, cycle: int) -> None:
        (self.first if cycle < self.cycle else self.then).write(paper, cycle)
