"""Pressure and stress from outside, which turn the energies of an optimisation into enthalpies; stress and forces of the cell.

Where EXTPRESS or EXTSTRESS is set, the energies of the points from the second on and of the end of the optimisation include the
work of the load. The energy of an SCF at the same geometry does not. This section hears of a line after those of SCF and geometry
and puts each number where it belongs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from app.crystal.constants import PROGRAM_BOHR
from app.crystal.outputs.facts.pressure import ExternalLoad, Forces, Stress
from app.crystal.outputs.numbers import finite_numbers
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, number

GPA_PER_ATOMIC_UNIT = 29421.01569650548
"""GPa in 1 hartree/bohr³."""
_THREE = re.compile(rf"^ *({NUMBER}) *({NUMBER}) *({NUMBER}) *$")
_FORCE = re.compile(rf"^ *\d+ +\d+ +({NUMBER}) *({NUMBER}) *({NUMBER}) *$")
_ONE = re.compile(r"^ *([-+]?\d*\.?\d+(?:[EeDd][-+]?\d+)?) *$")
_SAME = 1e-6
"""Hartree: by how much the same energy may differ between two lines that print it with different digits."""


class _Point(NamedTuple):
    enthalpy: float
    energy: float | None
    load: ExternalLoad


class PressureSection(Section):
    """EXTPRESS, EXTSTRESS, the stress tensor, the forces."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._load = ""
        self._loaded = self._has_enthalpy = False
        self._pressure: float | None = None
        """Set in the deck, hartree/bohr³."""
        self._volume: str | None = None
        """As printed, Å³: it is asked for under a pressure only."""
        self._work: tuple[float, float] | None = None
        """As printed for the present point, and half a unit of its last digit."""
        self._scf_energy: float | None = None
        """Of the present point, without the work."""
        self._last: _Point | None = None
        """The last point that has an enthalpy."""
        self._rows: list[list[float]] = []
        self._geometries = self._stress_at = self._forces_at = 0
        """Points and optimised geometries that have begun, to know what belongs to the last."""
        self._strained = False

    def on_strain(self, match: re.Match[str], line: str) -> None:
        """From here on cells are strained: their stress and forces are not results."""
        self._strained = True

    # -- load from outside -------------------------------------------------------------------------------------

    def on_external_word(self, match: re.Match[str], line: str) -> None:
        """A deck that was copied into the output sets a pressure or a stress."""
        self._loaded = True
        self._load = "pressure" if match["load"] == "EXTPRESS" else "stress"
        if self._load == "pressure" and self.sheet.table is None:
            self.sheet.table = self._row_pressure

    def _row_pressure(self, line: str) -> bool:
        self.sheet.table = None
        match = _ONE.match(line)
        if match:
            self._pressure = number(match[1])
        return match is not None

    def on_external_work(self, match: re.Match[str], line: str) -> None:
        """What the load adds to the energy that follows, in hartree."""
        self._loaded = True
        text = match["work"].upper().replace("D", "E")
        mantissa, _, exponent = text.partition("E")
        last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        self._work = number(text), last_digit / 2

    def on_primitive(self, match: re.Match[str], line: str) -> None:
        """The volume of the present cell in Å³."""
        if match["vol"]:
            self._volume = match["vol"]

    def on_point(self, match: re.Match[str], line: str) -> None:
        """A new point: neither its work nor its energy is known yet. The SCF of the first one may stand before its heading."""
        self._work = None
        if match["pt"] != "1":
            self._scf_energy = None
        self._has_enthalpy = False
        self._geometries += 1

    def on_total(self, match: re.Match[str], line: str) -> None:
        """The energy of an SCF, or the enthalpy of a point."""
        if self.sheet.in_frequencies:
            return
        if "DE (AU)" in line and self._loaded:
            self._take_enthalpy(number(match["tot_e"]))
        elif "DE (AU)" not in line:
            self._take_scf_energy(number(match["tot_e"]))

    def on_corrected(self, match: re.Match[str], line: str) -> None:
        """The energy of an SCF with its corrections."""
        if not self.sheet.in_frequencies:
            self._take_scf_energy(number(match["cor_e"]))

    def _take_scf_energy(self, energy: float) -> None:
        """Of the geometry whose enthalpy is known it is the exact energy; of a new point the enthalpy is not known yet."""
        self._scf_energy = energy
        results = self.sheet.results
        enthalpy, load = results.enthalpy, results.external
        if enthalpy is None or load is None:
            return
        if not self._has_enthalpy:
            results.enthalpy = results.external = None
            if results.optimization is not None:
                results.optimization.enthalpy = None
        elif load.work is not None:
            # A last SCF may choose its integrals anew: then the difference is not the work alone.
            same = abs(enthalpy - energy - load.work) <= (load.energy_uncertainty or 0.0) + _SAME
            results.external = replace(load, work=enthalpy - energy if same else load.work, energy_uncertainty=None)

    def _known_work(self) -> tuple[float, float | None] | None:
        """Of the load at the present cell, and its uncertainty: None where it is exact to the printed digits of p and V."""
        if self._pressure is not None and self._volume is not None and self._load == "pressure":
            exact = self._pressure * number(self._volume) / PROGRAM_BOHR**3
            if self._work is None or abs(exact - self._work[0]) <= 1.01 * self._work[1]:
                return exact, None
            # The deck that a wrapper copied is another one.
            self._pressure = None
        return self._work

    def _take_enthalpy(self, enthalpy: float) -> None:
        results, points = self.sheet.results, self.sheet.series.points
        self._has_enthalpy = True
        work, energy, uncertainty = self._known_work(), self._scf_energy, None
        rounding = (work[1] or 0.0) if work else 0.0
        if energy is not None and work and abs(enthalpy - energy - work[0]) > rounding + _SAME:
            # What the SCF printed is not of this geometry.
            energy = None
        if energy is None and work:
            energy, uncertainty = enthalpy - work[0], work[1]
        results.energy_total, results.enthalpy = energy, enthalpy
        load = ExternalLoad(self._load or None, self._gpa(), work[0] if work else None, uncertainty)
        results.external, self._last = load, _Point(enthalpy, energy, load)
        if results.optimization is not None:
            results.optimization.energy, results.optimization.enthalpy = energy, enthalpy
        if points:
            point, before = points[-1], self.sheet.series.point_before
            point.enthalpy, point.energy = enthalpy, energy if uncertainty is None else None
            known = before is not None and before.energy is not None and point.energy is not None
            point.delta = point.energy - before.energy if known else None  # type: ignore[operator, union-attr]
            if before is not None and before.enthalpy is not None:
                point.enthalpy_delta = enthalpy - before.enthalpy

    def _gpa(self) -> float | None:
        return None if self._pressure is None else self._pressure * GPA_PER_ATOMIC_UNIT

    def on_opt_end(self, match: re.Match[str], line: str) -> None:
        """The end of an optimisation under a load prints an enthalpy."""
        results, printed = self.sheet.results, number(match["oe_e"])
        if results.optimization is None or not self._loaded:
            return
        if self._last and abs(self._last.enthalpy - printed) <= _SAME:
            energy, load = self._last.energy, self._last.load
        elif self._last is None and self._scf_energy is not None:
            # It ended at its first point, of which no other line than this tells the enthalpy.
            energy = self._scf_energy
            load = ExternalLoad(self._load or None, self._gpa(), printed - energy)
            if abs(energy - printed) <= _SAME:
                return
        else:
            energy, load = None, ExternalLoad(self._load or None, self._gpa())
        results.energy_total = results.optimization.energy = energy
        results.enthalpy = results.optimization.enthalpy = printed
        results.external = load
        self._has_enthalpy = True

    # -- stress and forces of the cell -------------------------------------------------------------------------

    def on_stress(self, match: re.Match[str], line: str) -> None:
        """The stress tensor follows, in hartree/bohr³."""
        if not self._is_result():
            return
        before = self.sheet.results.stress
        # The gradient by the cell stands before the tensor that follows from it.
        gradient = before.cell_gradient if before is not None and not before.tensor else []
        self.sheet.results.stress = Stress(cell_gradient=gradient, point=self.sheet.progress.point)
        self._stress_at, self._rows = self._geometries, self.sheet.results.stress.tensor
        self.sheet.table = self._row_of_three

    def _is_result(self) -> bool:
        return not self._strained and not self.sheet.in_frequencies

    def on_cell_gradient(self, match: re.Match[str], line: str) -> None:
        """The gradient of the energy by the lattice vectors follows, with its sign turned, in hartree/bohr."""
        if self._is_result():
            self.sheet.results.stress = Stress(point=self.sheet.progress.point)
            self._stress_at, self._rows = self._geometries, self.sheet.results.stress.cell_gradient
            self.sheet.table = self._row_of_three

    def _row_of_three(self, line: str) -> bool:
        if (row := _plain(line, 3)) is not None:
            self._rows.append(row)
        elif match := _THREE.match(line):
            self._rows.append([number(text) for text in match.groups()])
        else:
            # Three lines say in which order the components stand.
            return not self._rows and (line.startswith(("ORDER:", "      ")) or not line.strip())
        if len(self._rows) == 3:
            self.sheet.table = None
        return True

    def on_stress_pressure(self, match: re.Match[str], line: str) -> None:
        """The hydrostatic pressure by the stress tensor, in GPa."""
        if self._is_result() and self.sheet.results.stress is not None:
            self.sheet.results.stress.pressure_gpa = number(match["gpa"])

    def on_stress_enthalpy(self, match: re.Match[str], line: str) -> None:
        """E + pV of that pressure in hartree."""
        if self._is_result() and self.sheet.results.stress is not None:
            self.sheet.results.stress.enthalpy = number(match["enthalpy"])

    def on_forces(self, match: re.Match[str], line: str) -> None:
        """The forces on the atoms follow, in hartree/bohr."""
        if self._is_result():
            self.sheet.results.forces = Forces(point=self.sheet.progress.point)
            self._forces_at, self._rows = self._geometries, self.sheet.results.forces.atoms
            self.sheet.table = self._row_force

    def _row_force(self, line: str) -> bool:
        if (row := _plain(line, 5)) is not None:
            self._rows.append(row)
        elif match := _FORCE.match(line):
            self._rows.append([number(text) for text in match.groups()])
        else:
            return not self._rows and (not line.strip() or line.split()[:1] == ["ATOM"])
        return True

    def finish(self) -> None:
        """Tell whether stress and forces are those of the last geometry; a heading without its table tells nothing."""
        results = self.sheet.results
        if results.stress is not None:
            results.stress.of_last_geometry = self._stress_at == self._geometries
        if results.forces is not None:
            results.forces.of_last_geometry = self._forces_at == self._geometries


def _plain(line: str, count: int) -> list[float] | None:
    """The last three numbers of a row of so many, the quick way; None where numbers touch each other, or it is no row."""
    parts = line.split()
    if len(parts) != count or "." not in parts[-3]:
        return None
    try:
        return finite_numbers(parts[-3:])
    except ValueError:
        return None
