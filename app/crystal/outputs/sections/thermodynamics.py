"""Thermodynamic functions of vibrations: EL and E0, then a table for each temperature and pressure."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.vibrations import Thermodynamics
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, number

_FUNCTION = re.compile(rf"^ (?P<name>EL|E0|ET|PV|TS|EL\+E0\+ET\+PV-TS|ENTROPY|HEAT CAPACITY) *: *(?P<value>{NUMBER})")
_HEADING = re.compile(r"^ +AU/(?P<basis>\S+)")
_FIELDS = {
    "ET": "thermal_energy", "PV": "pressure_volume", "TS": "temperature_entropy",
    "EL+E0+ET+PV-TS": "gibbs_energy", "ENTROPY": "entropy", "HEAT CAPACITY": "heat_capacity",
}  # fmt: skip


class ThermodynamicsSection(Section):
    """What FREQCALC prints for the temperatures and pressures of TEMPERAT and PRESSURE."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._electronic: float | None = None
        self._basis = "cell"

    def on_thermodynamics(self, match: re.Match[str], line: str) -> None:
        """The table of the electronic energy and the zero-point contribution follows."""
        self.sheet.table = self._row_function

    def on_conditions(self, match: re.Match[str], line: str) -> None:
        """Thermodynamic functions at a temperature in K and a pressure in MPa follow."""
        state = Thermodynamics(number(match["kelvin"]), number(match["mpa"]), basis=self._basis)
        self.sheet.results.thermodynamics.append(state)
        self.sheet.table = self._row_function

    def _row_function(self, line: str) -> bool:
        match = _FUNCTION.match(line)
        states = self.sheet.results.thermodynamics
        if match is None:
            if heading := _HEADING.match(line):
                self._basis = heading["basis"].lower()
                if states:
                    states[-1].basis = self._basis
            return not find_mark(line)
        value = number(match["value"])
        if match["name"] == "EL":
            self._electronic = value
        elif match["name"] == "E0":
            self.sheet.results.zero_point_energy = value
        elif states and match["name"] in _FIELDS:
            setattr(states[-1], _FIELDS[match["name"]], value)
        return True

    def finish(self) -> None:
        """EL is the energy of the cell that the modes belong to."""
        if self.sheet.results.phonon_cell is not None and self._basis == "cell":
            self.sheet.results.phonon_cell.energy = self._electronic
