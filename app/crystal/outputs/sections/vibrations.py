"""Frequencies with their irreps and intensities, phonon branches, displacements of the modes, thermodynamics."""

from __future__ import annotations

import re
from contextlib import suppress

from app.crystal.outputs.facts.vibrations import IMAGINARY_CM1, Mode, Thermodynamics
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.series import MAX_VECTOR_ROWS, PhononPoint
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, finite_number, number

_DISPLACEMENT_ROW = re.compile(rf"^ +\d+ +\w+ +\w+ +{NUMBER} +{NUMBER} +\d+ ")
_MODE_ROW = re.compile(
    rf"^ *(\d+) *- *(\d+) +{NUMBER} +({NUMBER})(?: +{NUMBER})?"
    rf"(?: +\((?P<irrep>[^)]*)\))?(?: +(?P<ir>[AI]) +\( *(?P<i>{NUMBER}) *\) +(?P<raman>[AI]))?"
)
_BRANCH_ROW = re.compile(rf"^ *(\d+) *- *(\d+) +{NUMBER} +({NUMBER})")
_RAMAN_ROW = re.compile(rf"^ *(\d+) *- *(\d+) +{NUMBER} +\([^)]*\) +(\S+) +(\S+) +(\S+) *$")
_FUNCTION = re.compile(rf"^ (?P<name>EL|E0|ET|PV|TS|EL\+E0\+ET\+PV-TS|ENTROPY|HEAT CAPACITY) *: *(?P<value>{NUMBER})")
_FIELDS = {
    "ET": "thermal_energy", "PV": "pressure_volume", "TS": "temperature_entropy",
    "EL+E0+ET+PV-TS": "gibbs_energy", "ENTROPY": "entropy", "HEAT CAPACITY": "heat_capacity",
}  # fmt: skip


class VibrationSection(Section):
    """What FREQCALC prints."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._modes: list[Mode] = []
        self._raman: dict[int, float] = {}
        self._first_vectors = True

    def on_freq_asked(self, match: re.Match[str], line: str) -> None:
        """The deck asks for frequencies."""
        self.sheet.frequencies_asked = True

    def on_freq_count(self, match: re.Match[str], line: str) -> None:
        """How many displacements will be computed."""
        self.sheet.progress.steps = int(match["fc"])

    def on_freq_start(self, match: re.Match[str], line: str) -> None:
        """The table of displacements begins: one row for each that was computed."""
        self.sheet.in_frequencies = self.sheet.frequencies_asked = True
        self.sheet.progress.phase, self.sheet.progress.step = "frequencies", 0
        self.sheet.table = self._row_displacement

    def _row_displacement(self, line: str) -> bool:
        if find_mark(line) and "CENTRAL POINT" not in line:
            return False
        if _DISPLACEMENT_ROW.match(line) and self.sheet.progress.step is not None:
            self.sheet.progress.step += 1
        return True

    # -- frequencies -------------------------------------------------------------------------------------------

    def on_modes(self, match: re.Match[str], line: str) -> None:
        """A table of modes follows, at Γ or at the point of the dispersion named before."""
        waiting = self.sheet.series.phonons and not self.sheet.series.phonons[-1].frequencies
        if waiting:
            self.sheet.table = self._row_phonon
        elif not self.sheet.series.phonons:
            # A later table, for instance with intensities, says the same and more.
            self._modes = []
            self.sheet.table = self._row_mode

    def on_dispersion(self, match: re.Match[str], line: str) -> None:
        """A k point of the phonon dispersion, with its weight."""
        place = [int(part) for part in match["dk"].split()]
        self.sheet.series.phonons.append(PhononPoint(place, number(match["dw"])))
        self.sheet.table = self._row_phonon

    def on_shrinks(self, match: re.Match[str], line: str) -> None:
        """The shrinking factors in which k points of the dispersion are given."""
        self.sheet.series.phonon_shrink = [int(match[name]) for name in ("is1", "is2", "is3")]

    def _row_mode(self, line: str) -> bool:
        match = _MODE_ROW.match(line)
        if match is None:
            return not self._modes and not find_mark(line)
        self._modes.append(_mode(match))
        return True

    def _row_phonon(self, line: str) -> bool:
        phonons = self.sheet.series.phonons
        match = _BRANCH_ROW.match(line)
        if match is None:
            return not phonons[-1].frequencies and not find_mark(line)
        phonons[-1].frequencies.extend([number(match[3])] * (int(match[2]) - int(match[1]) + 1))
        if len(phonons) == 1 and (whole := _MODE_ROW.match(line)):
            self._modes.append(_mode(whole))
        return True

    def on_raman(self, match: re.Match[str], line: str) -> None:
        """The table of Raman intensities follows."""
        self.sheet.table = self._row_raman

    def _row_raman(self, line: str) -> bool:
        match = _RAMAN_ROW.match(line)
        if match is None:
            return not self._raman and not find_mark(line)
        # What could not be computed is printed as NaN or stars.
        with suppress(ValueError):
            self._raman[int(match[1])] = finite_number(match[3])
        return True

    # -- displacements -----------------------------------------------------------------------------------------

    def on_vectors(self, match: re.Match[str], line: str) -> None:
        """The eigenvectors follow; the first table is kept."""
        if self._first_vectors:
            self._first_vectors = False
            self.sheet.table = self._row_vector

    def _row_vector(self, line: str) -> bool:
        # Read only when a vibration is shown.
        if line and not line.isspace():
            rows = self.sheet.series.vector_rows
            if not (" X " in line or " Y " in line or " Z " in line or "FREQ(" in line) or len(rows) >= MAX_VECTOR_ROWS:
                return False
            rows.append(line)
        return True

    # -- thermodynamics ----------------------------------------------------------------------------------------

    def on_thermodynamics(self, match: re.Match[str], line: str) -> None:
        """The table of zero-point contributions follows."""
        self.sheet.table = self._row_function

    def on_conditions(self, match: re.Match[str], line: str) -> None:
        """Thermodynamic functions at a temperature in K and a pressure in MPa follow."""
        self.sheet.results.thermodynamics.append(Thermodynamics(number(match["kelvin"]), number(match["mpa"])))
        self.sheet.table = self._row_function

    def _row_function(self, line: str) -> bool:
        match = _FUNCTION.match(line)
        if match is None:
            return not find_mark(line)
        value, states = number(match["value"]), self.sheet.results.thermodynamics
        if match["name"] == "E0":
            self.sheet.results.zero_point_energy = value
        elif states and match["name"] in _FIELDS:
            setattr(states[-1], _FIELDS[match["name"]], value)
        return True

    def finish(self) -> None:
        """Join modes, intensities and eigenvectors."""
        results = self.sheet.results
        if not self._modes:
            return
        for mode in self._modes:
            mode.raman_intensity = self._raman.get(mode.first)
        results.modes = list(self._modes)
        results.frequencies_cm1 = [[mode.first, mode.last, mode.frequency_cm1] for mode in self._modes]
        results.imaginary_modes = sum(
            mode.last - mode.first + 1 for mode in self._modes if mode.frequency_cm1 < IMAGINARY_CM1
        )


def _mode(match: re.Match[str]) -> Mode:
    active = {"A": True, "I": False}
    irrep = (match["irrep"] or "").strip()
    return Mode(
        int(match[1]),
        int(match[2]),
        number(match[3]),
        # Without symmetry analysis the column holds a count.
        irrep if irrep and not irrep.isdigit() else None,
        active.get(match["ir"] or ""),
        number(match["i"]) if match["i"] else None,
        active.get(match["raman"] or ""),
    )
