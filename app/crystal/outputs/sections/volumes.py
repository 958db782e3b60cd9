"""Several volumes in one output (EOS, QHA, strained cells): which state is the result, and what belongs to which volume.

The result is the state of least energy; of strained cells it is the one before the first strain. Whenever the program turns to
another geometry, what the other sections know by then is kept if its energy is the least so far: one state, so that memory does
not grow. An ordinary optimisation is none of this: its result is its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from app.crystal.outputs.facts.volumes import EnergyVolume, EquationFit, ThermalTable, VolumeState
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.results import Results
from app.crystal.outputs.sections.elasticity import divide_by_size
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, finite_number, number

_VOLUME_ROW = re.compile(rf"^ +(?P<volume>\d+\.\d+) +(?P<energy>{NUMBER})")
_FIT = re.compile(
    rf"^ *(?P<form>[A-Z][A-Z-]+(?: [A-Z]+)*(?: \d{{4}})?) +(?P<v>{NUMBER}) +(?P<e>{NUMBER}) +(?P<b>{NUMBER})"
    rf"(?: +(?P<d>{NUMBER}))? *$"
)
_PREFERRED = "BIRCH-MURNAGHAN"
_MAX_STATES = 200
_SAME_VOLUME = 1e-4
"""Relative: printed volumes of the same cell differ by less."""
_SAME_ENERGY = 1e-6
_ANOTHER_CELL = 1.9
"""Volumes that differ by more are those of a supercell, whose energy is not to be compared."""
_VIBRATIONS = (
    "frequencies_cm1", "modes", "imaginary_modes", "zero_point_energy", "longitudinal_modes", "dispersion", "phonon_cell",
)  # fmt: skip
GEOMETRY_FIELDS = (
    "energy_total", "energy_kind", "energy_dispersion", "energy_gcp", "gap_ev", "gap_kind", "gap_spin_ev", "gap_spin_kind",
    "conducting", "fermi_energy", "fermi_energy_doubt", "smearing",
    "geometry", "populations", "dielectric", "polarisation", "enthalpy", "external", "stress", "forces",
    *_VIBRATIONS,
)  # fmt: skip
"""Fields of the results that belong to one geometry."""


MAX_TABLES, MAX_ROWS = 60, 1000
_ORDER = re.compile(r"^ *ORDER OF POLYNOMIALS: *(\d+)")
_CELL = re.compile(r"\S+(?: \S+)*")
"""A heading of a column: words with single blanks between them."""


class VolumeSection(Section):
    """Stands before the others, so that a new geometry is heard of while they still know the old one."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._states: list[VolumeState] = []
        self._computed: list[float] = []
        """Volumes that were left for another geometry, not by an optimisation, after something was computed."""
        self._best: dict[str, Any] | None = None
        self._several = self._strained = self._sorted = self._restarted = False
        self._fresh = self._optimized = self._has_modes = self._has_charges = False
        self._stamps: list[float | None] = []
        """Volumes of the entries of the thermodynamics."""

    # -- the run through the volumes ---------------------------------------------------------------------------

    def on_started(self, match: re.Match[str], line: str) -> None:
        """Another run may begin in the same file; that of `properties` has no geometries of its own."""
        self._restarted = True

    def _forget(self) -> None:
        """Volumes of an earlier run in the same file are not this one's."""
        self._states, self._computed, self._best = [], [], None
        self._restarted = self._strained = self._sorted = self._optimized = False
        self._fresh = self._has_modes = self._has_charges = False
        self._stamp(None)

    def on_volume_word(self, match: re.Match[str], line: str) -> None:
        """A deck that was copied into the output asks for several volumes."""
        self._several = True

    def on_quasi_harmonic(self, match: re.Match[str], line: str) -> None:
        """The quasi-harmonic approximation goes through several volumes."""
        self._several = True

    def on_total(self, match: re.Match[str], line: str) -> None:
        """There is an energy of the present geometry."""
        self._fresh = self._fresh or not self.sheet.in_frequencies

    def on_modes(self, match: re.Match[str], line: str) -> None:
        """There are frequencies of the present geometry."""
        self._has_modes = True

    def on_charges(self, match: re.Match[str], line: str) -> None:
        """There are populations of the present geometry: of those of earlier ones not each table is looked at."""
        self._has_charges = True

    def on_population(self, match: re.Match[str], line: str) -> None:
        """There are populations of the present geometry."""
        self._has_charges = True

    def on_opt_end(self, match: re.Match[str], line: str) -> None:
        """The geometry that is printed next is the one whose energy is known."""
        self._fresh = self._optimized = True

    def on_point(self, match: re.Match[str], line: str) -> None:
        """The first point of an optimisation may move away from a geometry that was computed."""
        if match["pt"] == "1":
            self._end_frequencies()
            self._leave()

    def on_dimension(self, match: re.Match[str], line: str) -> None:
        """Another geometry follows; after an optimisation it is the one that is known, printed once more."""
        if self._restarted and match["geo"].startswith("GEOMETRY"):
            self._forget()
        self._end_frequencies()
        again = match["geo"].startswith("FINAL") and self._optimized
        self._optimized = False
        if not again and (state := self._leave()):
            self._computed.append(state.volume)

    def _end_frequencies(self) -> None:
        """Behind the modes of one volume the energies are again those of a geometry, not of displaced atoms."""
        self.sheet.in_frequencies = self.sheet.in_frequencies and not (self._several or self._has_modes)

    def on_strain(self, match: re.Match[str], line: str) -> None:
        """Cells are strained from here on: the result is what was known before the first strain."""
        if not self._strained:
            self._leave()
            self._strained, self._has_charges = True, False
            self.sheet.finish_others(self)
            self._best = self._snapshot() | {"optimization": copy(self.sheet.results.optimization)}

    def _leave(self) -> VolumeState | None:
        """Keep what belongs to the geometry that the program leaves."""
        if self._strained or not self._is_computed():
            return None
        self.sheet.finish_others(self)
        if (state := self._present(self.sheet.results)) is None:
            return None
        self._stamp(state.volume)
        if len(self._states) < _MAX_STATES:
            self._states.append(state)
        energies = [known.energy for known in self._states if known.energy is not None]
        if state.energy is not None and state.energy <= min(energies):
            self._best = self._snapshot()
        self._fresh = self._has_modes = self._has_charges = False
        return state

    def _stamp(self, volume: float | None) -> None:
        self._stamps += [volume] * (len(self.sheet.results.thermodynamics) - len(self._stamps))

    def _is_computed(self) -> bool:
        return self._fresh or self._has_modes or len(self.sheet.results.thermodynamics) > len(self._stamps)

    def _present(self, results: Results) -> VolumeState | None:
        """The present geometry as far as the sections know it."""
        geometry = results.geometry
        if geometry is None or geometry.volume is None:
            return None
        energy = results.energy_total if self._fresh else None
        if self._states and not 1 / _ANOTHER_CELL < geometry.volume / self._states[0].volume < _ANOTHER_CELL:
            energy = None
        return VolumeState(geometry.volume, energy, results.frequencies_cm1 if self._has_modes else None)

    def _snapshot(self) -> dict[str, Any]:
        state = {name: _keep(getattr(self.sheet.results, name)) for name in GEOMETRY_FIELDS} | {"populations": None}
        if not self._has_modes and not self._strained:
            state |= dict.fromkeys(_VIBRATIONS)
        return state

    # -- equation of state -------------------------------------------------------------------------------------

    def on_volumes(self, match: re.Match[str], line: str) -> None:
        """The sorted table of volumes and energies of an equation of state follows."""
        self._several = self._sorted = True
        self.sheet.results.energy_volume = EnergyVolume()
        self.sheet.table = self._row_volume

    def _row_volume(self, line: str) -> bool:
        curve = self.sheet.results.energy_volume
        assert curve is not None
        match = _VOLUME_ROW.match(line)
        if match is None:
            return not curve.volumes and not line.startswith((" TTT", " ***"))
        curve.volumes.append(float(match["volume"]))
        curve.energies.append(number(match["energy"]))
        return True

    def on_fitting(self, match: re.Match[str], line: str) -> None:
        """The fits that follow use all points, or some of them."""
        self._all_points = "ALL POINTS" in match["which"]

    def on_fits(self, match: re.Match[str], line: str) -> None:
        """The table of the program's own fits follows."""
        curve = self.sheet.results.energy_volume
        if curve is not None and self._all_points and not curve.fits:
            self.sheet.table = self._row_fit

    def _row_fit(self, line: str) -> bool:
        curve, match = self.sheet.results.energy_volume, _FIT.match(line)
        assert curve is not None
        if match is None:
            return not line.strip(" -")
        derivative = number(match["d"]) if match["d"] else None
        fit = EquationFit(match["form"], number(match["v"]), number(match["e"]), number(match["b"]), derivative)
        curve.fits.append(fit)
        if curve.fit is None or (fit.form.startswith(_PREFERRED) and not curve.fit.form.startswith(_PREFERRED)):
            curve.fit = fit
        return True

    # -- the result --------------------------------------------------------------------------------------------

    def select(self, results: Results) -> Results:
        """Where there are several volumes, the results of the state of least energy; each entry is told of its volume."""
        if self._strained:
            known = {} if self._has_charges else {"populations": results.populations}
            results = replace(results, **(self._best or {}) | known)
        elif (last := self._present(results) if self._is_computed() else None) or self._states:
            results = self._choose(results, last)
        if results.elasticity is not None:
            divide_by_size(results.elasticity, results.geometry)
        return results

    def _choose(self, results: Results, last: VolumeState | None) -> Results:
        states = [*self._states, *([last] if last else [])]
        several = self._several or _differ([*self._computed, *([last.volume] if last and self._computed else [])])
        if not several or not _differ([state.volume for state in states]):
            return self._compare_with_table(results)
        stamps: list[float | None] = [*self._stamps, *([last.volume] * len(results.thermodynamics) if last else [])]
        entries = [replace(entry, volume=volume) for entry, volume in zip(results.thermodynamics, stamps, strict=False)]
        known = [state.energy for state in states if state.energy is not None]
        chosen: dict[str, Any] = dict.fromkeys(GEOMETRY_FIELDS) | (self._best or {})
        if last is not None and last.energy is not None and last.energy <= min(known):
            chosen = {} if self._has_modes else dict.fromkeys(_VIBRATIONS)
            chosen |= {} if self._has_charges else {"populations": None}
        results = replace(results, **chosen, volumes=states, thermodynamics=entries)
        if results.optimization is not None:
            # Each volume has its own: of the last one only whether it converged is told, with the energy of the result.
            results.optimization = replace(
                results.optimization, energy=results.energy_total, enthalpy=results.enthalpy, max_gradient=None,
                rms_gradient=None, max_displacement=None, rms_displacement=None,
            )  # fmt: skip
        return self._compare_with_table(results)

    def _compare_with_table(self, results: Results) -> Results:
        """The least energy of the sorted table is the result; a geometry is told only where it is of that volume."""
        curve = results.energy_volume
        if not self._sorted or curve is None or not curve.energies:
            return results
        energy, volume = min(zip(curve.energies, curve.volumes, strict=True))
        geometry = results.geometry
        if geometry is None or geometry.volume is None or _differ([geometry.volume, volume]):
            nothing: dict[str, Any] = dict.fromkeys(GEOMETRY_FIELDS) | {"energy_kind": results.energy_kind}
            results = replace(results, **nothing)
        if results.energy_total is None or abs(results.energy_total - energy) > _SAME_ENERGY:
            results = replace(results, energy_total=energy)
        return results


def _keep(value: Any) -> Any:
    """The value as it is now. Sections change what stands in it, and in the objects of a list; what those hold they replace."""
    return [copy(item) for item in value] if isinstance(value, list) else copy(value)


def _differ(volumes: Sequence[float]) -> bool:
    """Whether these are several volumes."""
    return any(_SAME_VOLUME < abs(volume / volumes[0] - 1) < _ANOTHER_CELL - 1 for volume in volumes[1:])


class ThermalSection(Section):
    """What QHA prints after all volumes."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._table: ThermalTable | None = None
        self._heading = ""

    def on_thermal(self, match: re.Match[str], line: str) -> None:
        """A table follows; its title tells the pressure in GPa, if it is at one."""
        self._begin(match["thermal"].strip(), number(match["at_gpa"]) if match["at_gpa"] else None)
        self.sheet.table = self._row

    def _begin(self, title: str, pressure: float | None, order: int | None = None) -> None:
        self._table, self._heading = ThermalTable(title, order, pressure), ""

    def _row(self, line: str) -> bool:
        table = self._table
        assert table is not None
        text = line.strip()
        if match := _ORDER.match(line):
            self._begin(table.title, table.pressure_gpa, int(match[1]))
        elif (values := _values(text)) is not None:
            self._take(table, values)
        elif text.startswith(("****", "++++")) or find_mark(line):
            # Under the title stands a line of stars too.
            return not table.rows and not find_mark(line)
        elif text and "WARNING" not in text and not text.startswith("----"):
            if table.rows:
                return False
            self._heading = text
        return True

    def _take(self, table: ThermalTable, values: list[float | None]) -> None:
        tables = self.sheet.results.thermal_tables
        if not table.rows:
            columns = _CELL.findall(self._heading)
            # Where blanks stand within headings, single words may still be as many as the numbers.
            columns = columns if len(columns) == len(values) else self._heading.split()
            if len(columns) != len(values) or len(tables) >= MAX_TABLES:
                return
            table.columns = columns
            tables.append(table)
        if len(values) == len(table.columns) and len(table.rows) < MAX_ROWS:
            table.rows.append(values)


def _values(text: str) -> list[float | None] | None:
    """Numbers of a row, None for stars; None where it is no row."""
    parts = text.split()
    if len(parts) < 2 or set(text) <= {"*", " "}:
        return None
    try:
        return [None if set(part) == {"*"} else finite_number(part) for part in parts]
    except ValueError:
        return None
