"""What grows with a calculation: SCF cycles, points of an optimisation with their geometries, phonon branches, vibrations.

Read again from the output on demand; bounded, so that the memory of a reader does not grow with the file.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from string import digits
from typing import Any, NamedTuple

from app.crystal.outputs.shapes.words import NUMBER

MAX_CYCLES = 20_000
"""SCF cycles that are kept with their numbers; of older SCFs only the end stays."""
MAX_FRAME_ATOMS = 100_000
"""Atoms in all kept geometries; beyond, every second geometry is let go."""
MAX_POINTS = 5_000
MAX_VECTOR_ROWS = 60_000
"""Lines of displacements that are kept: those of cells of some 200 atoms."""
MAX_DIFFRACTION = 20_000
"""Rows of a powder pattern."""
NOTHING = float("nan")


_COLUMNS = 5


@dataclass(slots=True)
class ScfRun:
    """One SCF, by column: number of the cycle, energy (Ha), change (Ha), tester, gap (eV). NaN where nothing was printed."""

    point: int | None = None
    values: array[float] = field(default_factory=lambda: array("d"))
    """The columns of one cycle after another: that is the quickest to append to."""
    converged: bool | None = None
    """None while it runs, or where it was cut."""
    ended: str = ""
    fermi: float | None = None
    """Hartree, as its last cycle with a conducting state printed it."""

    @property
    def cycles(self) -> list[int]:
        """Numbers of the cycles."""
        return list(map(int, self.values[0::_COLUMNS]))

    @property
    def energies(self) -> array[float]:
        """Hartree."""
        return self.values[1::_COLUMNS]

    @property
    def deltas(self) -> array[float]:
        """Change of the energy, hartree."""
        return self.values[2::_COLUMNS]

    @property
    def testers(self) -> array[float]:
        """The convergence test."""
        return self.values[3::_COLUMNS]

    @property
    def gaps(self) -> array[float]:
        """In eV."""
        return self.values[4::_COLUMNS]

    def count(self) -> int:
        """How many cycles are kept."""
        return len(self.values) // _COLUMNS

    def precedes(self, cycle: int) -> bool:
        """Whether the last cycle, if there is one, stands before this one."""
        return not self.values or self.values[-_COLUMNS] < cycle

    def add(self, cycle: int, energy: float, delta: float, tester: float, gap: float) -> None:
        """Append one cycle: energy and its change in hartree, the convergence test, the gap in eV."""
        self.values.extend((cycle, energy, delta, tester, gap))

    def forget(self) -> None:
        """Let go of all but the last cycle."""
        del self.values[:-_COLUMNS]


class Criterion(NamedTuple):
    """A quantity of a point, and what it has to fall below. Gradients in Ha/bohr, displacements in bohr."""

    value: float
    threshold: float
    met: bool


QUANTITIES = {
    ("MAX", "GRADIENT"): "max_gradient",
    ("RMS", "GRADIENT"): "rms_gradient",
    ("MAX", "DISPLAC."): "max_displacement",
    ("RMS", "DISPLAC."): "rms_displacement",
}
"""What the criteria of an optimisation are about, as it is printed and as it is named here."""
_CRITERION = re.compile(rf"^ *(MAX|RMS) (GRADIENT|DISPLAC\.) +({NUMBER}) +THRESHOLD +({NUMBER}) +CONVERGED +(YES|NO)")


@dataclass(slots=True)
class OptimizationPoint:
    """One point of an optimisation: energy in hartree with all corrections, change to the point before."""

    number: int
    energy: float | None = None
    delta: float | None = None
    enthalpy: float | None = None
    """Hartree: under a load from outside, what the optimisation minimises. It is never mixed with energies."""
    enthalpy_delta: float | None = None
    run: int = 1
    """Number of the optimisation in the output."""
    rows: list[str] = field(default_factory=list)
    """Lines of criteria that have not been asked for yet."""
    _criteria: dict[str, Criterion] = field(default_factory=dict)

    @property
    def criteria(self) -> dict[str, Criterion]:
        """By `max_gradient`, `rms_gradient`, `max_displacement`, `rms_displacement`."""
        for match in filter(None, map(_CRITERION.match, self.rows)):
            kind, what, size, threshold, met = match.groups()
            self._criteria[QUANTITIES[kind, what]] = Criterion(float(size), float(threshold), met == "YES")
        self.rows.clear()
        return self._criteria


AtomRow = tuple[int, str, float, float, float, bool]
"""Conventional atomic number, symbol, position, and whether the atom is of the asymmetric unit."""
_VECTOR_HEAD = re.compile(r"^ +FREQ\(CM\*\*-1\)((?: *-?\d*\.\d+)+) *$")
_VECTOR_ROW = re.compile(r"^ +(?:AT\. *\d+ *\w+)? +[XYZ]((?: *-?\d*\.\d+)+) *$")
_VALUE = re.compile(r"-?\d*\.\d{1,4}")
_ATOM_ROW = re.compile(rf"^ +\d+ ([TF]) +(\d+) +([A-Z]\w*) +({NUMBER}) *({NUMBER}) *({NUMBER})")


def read_atom(line: str) -> AtomRow | None:
    """A row of a table of atoms; numbers may touch each other."""
    parts = line.split()
    if len(parts) != 7:
        match = _ATOM_ROW.match(line)
        if match is None:
            return None
        parts = ["", *match.groups()]
    _, flag, z, symbol, x, y, w = parts
    try:
        place_x, place_y, place_z = float(x), float(y), float(w)
        if not isfinite(place_x + place_y + place_z):
            return None
        # A digit behind the symbol numbers the basis sets of an element.
        return int(z), symbol.rstrip(digits), place_x, place_y, place_z, flag == "T"
    except ValueError:
        return None


@dataclass(slots=True)
class Frame:
    """A geometry as it was printed: point of the optimisation, cell (Å, degrees), rows of atoms, which are read when asked for."""

    point: int
    cell: list[float] | None
    rows: list[str]
    run: int = 1
    """Number of the optimisation in the output: each of several volumes has its own."""

    def atoms(self) -> list[AtomRow]:
        """Positions as in `Geometry`."""
        return [atom for row in self.rows if (atom := read_atom(row)) is not None]


@dataclass(slots=True)
class PhononPoint:
    """Frequencies (cm⁻¹) at a k point, whose coordinates count in units of the reciprocal vectors over `phonon_shrink`."""

    coordinates: list[int]
    weight: float
    frequencies: array[float] = field(default_factory=lambda: array("d"))


@dataclass
class Series:
    """All of them, for one output."""

    scf: list[ScfRun] = field(default_factory=list)
    points: list[OptimizationPoint] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    phonons: list[PhononPoint] = field(default_factory=list)
    vector_rows: list[str] = field(default_factory=list)
    """Displacements of the modes at Γ, as they were printed."""
    diffraction: list[tuple[float, float, float, float]] = field(default_factory=list)
    """A powder pattern: 2θ in degrees; intensities bare, with Lorentz and polarisation factors, and with thermal motion too."""
    phonon_shrink: list[int] = field(default_factory=list)
    """Three shrinking factors of the phonons' k points; empty where they were not printed."""
    run: int = 1
    """Number of the present optimisation."""
    tolerance: float | None = None
    """Hartree: TOLDEE of the SCF."""
    max_cycles: int | None = None
    forgotten: int = 0
    """SCFs of which only the end was kept."""
    _cycles: int = 0
    _atoms: int = 0

    def vibrations(self) -> list[array[float]]:
        """Displacements of each mode at Γ, x y z of every atom, in bohr (classical amplitude)."""
        vectors: list[array[float]] = []
        columns: list[array[float]] = []
        for row in self.vector_rows:
            if head := _VECTOR_HEAD.match(row):
                columns = [array("d") for _ in _VALUE.findall(head[1])]
                vectors += columns
            elif match := _VECTOR_ROW.match(row):
                for column, value in zip(columns, _VALUE.findall(match[1]), strict=False):
                    column.append(float(value))
        # A block that was cut holds shorter columns, which are of no use.
        return [column for column in vectors if len(column) == len(vectors[0])]

    def begin_scf(self, point: int | None) -> ScfRun:
        """A new SCF; the oldest ones lose their cycles where there are too many."""
        self._cycles += self.scf[-1].count() if self.scf else 0
        while self._cycles > MAX_CYCLES and self.forgotten < len(self.scf):
            oldest = self.scf[self.forgotten]
            self._cycles -= oldest.count()
            oldest.forget()
            self.forgotten += 1
        self.scf.append(ScfRun(point=point))
        return self.scf[-1]

    def begin_point(self, number: int) -> OptimizationPoint:
        """Append a point of the optimisation; beyond `MAX_POINTS` the older half is dropped."""
        if len(self.points) >= MAX_POINTS:
            del self.points[: MAX_POINTS // 2]
        if self.points and self.points[-1].run == self.run and number <= self.points[-1].number:
            # It began anew without an end.
            self.run += 1
        self.points.append(OptimizationPoint(number, run=self.run))
        return self.points[-1]

    @property
    def point_before(self) -> OptimizationPoint | None:
        """The one before the last, where both are of the same optimisation."""
        last = self.points[-2:]
        return last[0] if len(last) == 2 and last[0].run == last[1].run else None

    def keep_frame(self, frame: Frame) -> None:
        """A geometry, in place of an earlier one of the same point; they become sparser where there are too many."""
        frame.run = self.run
        if self.frames and (self.frames[-1].run, self.frames[-1].point) == (frame.run, frame.point):
            self._atoms -= len(self.frames.pop().rows)
        self.frames.append(frame)
        self._atoms += len(frame.rows)
        if self._atoms > MAX_FRAME_ATOMS:
            self.frames = [*self.frames[:-1:2], frame]
            self._atoms = sum(len(kept.rows) for kept in self.frames)


def finite(values: Sequence[float]) -> list[float | None]:
    """The values, with None for NaN: JSON knows no NaN."""
    return [None if value != value else value for value in values]


def scf_columns(run: ScfRun, since: int = 0) -> dict[str, Any]:
    """An SCF as JSON, from the cycle at place `since` on."""
    return {
        "point": run.point,
        "since": since,
        "cycle": run.cycles[since:],
        "energy": finite(run.energies[since:]),
        "delta": finite(run.deltas[since:]),
        "tester": finite(run.testers[since:]),
        "gap": finite(run.gaps[since:]),
        "converged": run.converged,
    }
