"""Phonons at k points: their branches, and what is imaginary away from Γ."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.vibrations import IMAGINARY_CM1, Dispersion, Mode
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.sections.vibrations import MODE_ROW, mode_of
from app.crystal.outputs.series import PhononPoint
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, finite_number, number

_BRANCH_ROW = re.compile(rf"^ *(\d+) *- *(\d+) +{NUMBER} +({NUMBER})")
"""The first columns, which all layouts share."""
_BRANCH_ROWS = re.compile(r"(?:\n(?! *\d+ *-)[^\n]*+){0,3}(?P<rows>(?:\n *+\d++ *+- *+\d[^\n]*+)+)")
"""Below the heading the units, then rows of branches one after another."""


class DispersionSection(Section):
    """What FREQCALC prints with DISPERSI."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._at_gamma: list[Mode] = []
        self._gamma: PhononPoint | None = None
        self._is_new = False

    def on_freq_start(self, match: re.Match[str], line: str) -> None:
        """Another calculation of frequencies: its k points replace those of an earlier one."""
        self._is_new = True

    def on_shrinks(self, match: re.Match[str], line: str) -> None:
        """The shrinking factors in which k points of the dispersion are given."""
        self.sheet.series.phonon_shrink = [int(match[name]) for name in ("is1", "is2", "is3")]

    def on_dispersion(self, match: re.Match[str], line: str) -> None:
        """A k point of the phonon dispersion, with its weight."""
        place = [int(part) for part in match["dk"].split()]
        point = PhononPoint(place, number(match["dw"]))
        if self._is_new:
            self.sheet.series.phonons.clear()
            self._at_gamma, self._gamma, self._is_new = [], None, False
        self.sheet.series.phonons.append(point)
        if self._gamma is None and not any(place):
            self._gamma = point
        self._open()

    def on_modes(self, match: re.Match[str], line: str) -> None:
        """The heading of the branches at the k point named before."""
        phonons = self.sheet.series.phonons
        if phonons and not phonons[-1].frequencies and "SHIFTS" not in line:
            self._open()

    def _open(self) -> None:
        self.sheet.table = table = self._row_phonon
        self.sheet.run = table, _BRANCH_ROWS, self._take_branches

    def _row_phonon(self, line: str) -> bool:
        point = self.sheet.series.phonons[-1]
        match = _BRANCH_ROW.match(line)
        if match is None:
            return not point.frequencies and not find_mark(line)
        first, last, frequency = match.groups()
        if first == last:
            point.frequencies.append(number(frequency))
        else:
            point.frequencies.extend([number(frequency)] * (int(last) - int(first) + 1))
        if point is self._gamma and (whole := MODE_ROW.match(line)):
            self._at_gamma.append(mode_of(whole))
        return True

    def _take_branches(self, text: str) -> None:
        """Rows of branches, each after an end of line."""
        point = self.sheet.series.phonons[-1]
        for row in text[1:].split("\n"):
            first, _, rest = row.partition("-")
            try:
                last, _, frequency, *_ = rest.split(None, 3)
                value = finite_number(frequency)
            except ValueError:
                last = ""
            if point is not self._gamma and last and first.strip() == last:
                point.frequencies.append(value)
            elif not self._row_phonon(row):
                self.sheet.table = None
                return

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Modes at Γ where no table of their own has them, and what is imaginary elsewhere."""
        results = self.sheet.results
        if self._at_gamma:
            results.modes = list(self._at_gamma)
        results.dispersion = self._dispersion()

    def _dispersion(self) -> Dispersion | None:
        series = self.sheet.series
        if not series.phonons:
            return None
        away = {tuple(point.coordinates): point.frequencies for point in series.phonons if any(point.coordinates)}
        lowest = {place: min(values) for place, values in away.items() if values}
        soft = [away[place] for place, value in lowest.items() if value < IMAGINARY_CM1]
        counts = (sum(1 for value in values if value < IMAGINARY_CM1) for values in soft)
        found = Dispersion(len(series.phonons), len(soft), sum(counts))
        if lowest:
            place = min(lowest, key=lambda place: lowest[place])
            found.lowest_cm1 = lowest[place]
            if series.phonon_shrink:
                parts = zip(place, series.phonon_shrink, strict=False)
                found.lowest_at = [round(part / whole, 6) for part, whole in parts]
        return found
