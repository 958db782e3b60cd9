"""Raman intensities: of a powder, of a single crystal by direction, and the conditions that they are for."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.vibrations import RamanConditions
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.sheet import Section, Sheet, finite_number

_ROW = re.compile(r"^ *(?P<first>\d+) *- *(?P<last>\d+) +[-+\d.]+ +\([^)]*\)(?P<values>(?: +\S+)+) *$")
_POWDER = ("raman_intensity", "raman_parallel", "raman_perpendicular")
_DIRECTIONS = 6
"""xx, xy, xz, yy, yz, zz."""
# How the conditions are worded is not known from an executed output: a number behind either word is taken.
_TEMPERATURE = re.compile(r"\bTEMP(?:ERATURE|\.)?\b[^0-9]{0,30}(\d+\.?\d*)")
_WAVELENGTH = re.compile(r"\bWAVELENGTH\b[^0-9]{0,30}(\d+\.?\d*)")


class RamanSection(Section):
    """What INTRAMAN prints; the modes themselves are of `vibrations`."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._powder: dict[int, list[float | None]] = {}
        self._crystal: dict[int, list[float | None]] = {}

    def on_freq_start(self, match: re.Match[str], line: str) -> None:
        """Another calculation of frequencies: intensities of an earlier one are not its own."""
        self._powder, self._crystal = {}, {}

    def on_raman_part(self, match: re.Match[str], line: str) -> None:
        """The part of Raman's intensities begins (or ends)."""
        self.sheet.table = self._row_condition

    def _row_condition(self, line: str) -> bool:
        if find_mark(line):
            return False
        if found := _TEMPERATURE.search(line):
            self._conditions().temperature = float(found[1])
        if found := _WAVELENGTH.search(line):
            self._conditions().wavelength_nm = float(found[1])
        return not line.startswith((" FREQ", " AT."))

    def _conditions(self) -> RamanConditions:
        if self.sheet.results.raman_conditions is None:
            self.sheet.results.raman_conditions = RamanConditions()
        return self.sheet.results.raman_conditions

    def on_raman(self, match: re.Match[str], line: str) -> None:
        """The table of a powder's intensities follows: in all, parallel, perpendicular."""
        self._powder = {}
        self.sheet.table = self._row_powder

    def _row_powder(self, line: str) -> bool:
        return _take_row(self._powder, line, len(_POWDER))

    def on_raman_crystal(self, match: re.Match[str], line: str) -> None:
        """The table of a single crystal's intensities follows, by direction."""
        self._crystal = {}
        self.sheet.table = self._row_crystal

    def _row_crystal(self, line: str) -> bool:
        return _take_row(self._crystal, line, _DIRECTIONS)

    def finish(self) -> None:
        """Give each mode its intensities."""
        for mode in self.sheet.results.modes or ():
            for name, value in zip(_POWDER, self._powder.get(mode.first, ()), strict=False):
                setattr(mode, name, value)
            mode.raman_crystal = self._crystal.get(mode.first)


def _take_row(rows: dict[int, list[float | None]], line: str, count: int) -> bool:
    match = _ROW.match(line)
    if match is None:
        return not rows and not find_mark(line)
    values = match["values"].split()
    if len(values) == count:
        rows[int(match["first"])] = [_finite(text) for text in values]
    return True


def _finite(text: str) -> float | None:
    """What could not be computed is printed as NaN or stars."""
    try:
        return finite_number(text)
    except ValueError:
        return None
