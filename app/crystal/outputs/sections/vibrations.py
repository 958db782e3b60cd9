"""Frequencies with their irreps and intensities, transverse and longitudinal, and displacements of the modes."""

from __future__ import annotations

import re
from collections import Counter

from app.crystal.outputs.facts.vibrations import IMAGINARY_CM1, IsotopicMass, LongitudinalMode, Mode
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.series import MAX_VECTOR_ROWS
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, number
from app.crystal.outputs.tensors import WIDEST

_DISPLACEMENT_ROW = re.compile(rf"^ +\d+ +\w+ +\w+ +{NUMBER} +{NUMBER} +\d+ ")
MODE_ROW = re.compile(
    rf"^ *(\d+) *- *(\d+) +{NUMBER} +({NUMBER})(?: +{NUMBER})?"
    rf"(?: +\((?P<irrep>[^)]*)\))?(?: +(?P<ir>[AI])(?: +\( *(?P<i>{NUMBER}) *\))?(?: +(?P<raman>[AI]))?)?"
)
_LONGITUDINAL_ROW = re.compile(
    rf"^ *(\d+) *- *(\d+) +{NUMBER} +({NUMBER})(?: +{NUMBER})? +\((?P<irrep>[^)]*)\)"
    rf"(?: *(?P<i>{NUMBER}) +(?P<shift>{NUMBER}) +{NUMBER})?"
)
_DIRECTION = re.compile(rf"^ *(?P<irrep>[A-Za-z]\S*) +(?P<place>{NUMBER} +{NUMBER} +{NUMBER}) *$")
_MASS = re.compile(r"\d+ +([A-Z]{1,2}) +(\d+\.\d+)")

MOST_MASSES = 1000
"""Different masses that are kept."""
MOST_DIRECTIONS = 100


class VibrationSection(Section):
    """What FREQCALC prints at Γ."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._modes: list[Mode] = []
        self._longitudinal: dict[tuple[int, int, float], LongitudinalMode] = {}
        self._in_longitudinal = self._has_rows = False
        self._directions: dict[str, list[list[float]]] = {}
        self._masses: Counter[tuple[str, str]] = Counter()
        """Symbols and masses as they are printed."""
        self._has_vectors = False
        self._is_new = False
        """Another calculation of frequencies has begun, at another volume for instance: what comes replaces what was read."""

    def on_freq_asked(self, match: re.Match[str], line: str) -> None:
        """The deck asks for frequencies."""
        self.sheet.frequencies_asked = True

    def on_freq_count(self, match: re.Match[str], line: str) -> None:
        """How many displacements will be computed."""
        self.sheet.progress.steps = int(match["fc"])

    def on_freq_start(self, match: re.Match[str], line: str) -> None:
        """The table of displacements begins: one row for each that was computed."""
        self.sheet.in_frequencies = self.sheet.frequencies_asked = self._is_new = True
        self.sheet.progress.phase, self.sheet.progress.step = "frequencies", 0
        self.sheet.table = self._row_displacement

    def _row_displacement(self, line: str) -> bool:
        if find_mark(line) and "CENTRAL POINT" not in line:
            return False
        if _DISPLACEMENT_ROW.match(line) and self.sheet.progress.step is not None:
            self.sheet.progress.step += 1
        return True

    def on_isotopes(self, match: re.Match[str], line: str) -> None:
        """The masses that were taken for the atoms follow."""
        self._masses = Counter()
        self.sheet.table = self._row_masses

    def _row_masses(self, line: str) -> bool:
        found = _MASS.findall(line) if len(line) <= WIDEST and len(self._masses) < MOST_MASSES else []
        self._masses.update(found)
        return bool(found) or (not line.strip() and not self._masses)

    # -- transverse --------------------------------------------------------------------------------------------

    def on_hessian(self, match: re.Match[str], line: str) -> None:
        """An explanation of the modes that follow: transverse ones."""
        self._in_longitudinal = False

    def on_modes(self, match: re.Match[str], line: str) -> None:
        """A table of modes at Γ follows; those of the longitudinal ones have shifts. Other k points are of `dispersion`."""
        self._has_rows = False
        if self._is_new:
            self._modes, self._longitudinal, self._is_new = [], {}, False
        if self._in_longitudinal or "SHIFTS" in line:
            self._in_longitudinal = False
            self.sheet.table = self._row_longitudinal
        elif not self.sheet.series.phonons:
            # A later table, for instance with intensities, says the same and more.
            self._modes = []
            self.sheet.table = self._row_mode

    def _row_mode(self, line: str) -> bool:
        match = MODE_ROW.match(line)
        if match is None:
            return not self._modes and not find_mark(line)
        self._modes.append(mode_of(match))
        return True

    # -- longitudinal ------------------------------------------------------------------------------------------

    def on_longitudinal(self, match: re.Match[str], line: str) -> None:
        """Longitudinal optical modes follow."""
        self._in_longitudinal = True

    def on_lo_directions(self, match: re.Match[str], line: str) -> None:
        """The directions of the longitudinal modes follow, by irrep."""
        self._directions = {}
        self.sheet.table = self._row_direction

    def _row_direction(self, line: str) -> bool:
        if match := _DIRECTION.match(line):
            place = [number(part) for part in match["place"].split()]
            self._directions.setdefault(match["irrep"], []).append(place)
            return len(self._directions[match["irrep"]]) < MOST_DIRECTIONS
        return not self._directions and not find_mark(line)

    def _row_longitudinal(self, line: str) -> bool:
        match = _LONGITUDINAL_ROW.match(line)
        if match is None:
            return not self._has_rows and not find_mark(line)
        self._has_rows = True
        mode = LongitudinalMode(
            int(match[1]), int(match[2]), number(match[3]), match["irrep"].strip() or None,
            number(match["i"]) if match["i"] else None, number(match["shift"]) if match["shift"] else None,
        )  # fmt: skip
        self._longitudinal.setdefault((mode.first, mode.last, mode.frequency_cm1), mode)
        return True

    # -- displacements -----------------------------------------------------------------------------------------

    def on_vectors(self, match: re.Match[str], line: str) -> None:
        """The eigenvectors follow; the first table at Γ is kept."""
        phonons = self.sheet.series.phonons
        if not self._has_vectors and not (phonons and any(phonons[-1].coordinates)):
            self._has_vectors = True
            self.sheet.table = self._row_vector

    def _row_vector(self, line: str) -> bool:
        # Read only when a vibration is shown.
        if line and not line.isspace():
            rows = self.sheet.series.vector_rows
            if not (" X " in line or " Y " in line or " Z " in line or "FREQ(" in line) or len(rows) >= MAX_VECTOR_ROWS:
                return False
            rows.append(line)
        return True

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Modes, with intensities only where they were computed."""
        results = self.sheet.results
        results.isotopes = [
            IsotopicMass(name.capitalize(), float(mass), count) for (name, mass), count in self._masses.items()
        ]
        for longitudinal in self._longitudinal.values():
            longitudinal.directions = self._directions.get(longitudinal.irrep or "", [])
        results.longitudinal_modes = list(self._longitudinal.values())
        if self._modes:
            results.modes = list(self._modes)
        if results.modes is None:
            return
        computed = _intensities_computed(results.modes)
        for mode in results.modes:
            if not mode.ir_intensity and mode.ir_active is not None:
                # More rows may follow and decide otherwise: a zero is a zero, or a blank, as all rows so far say.
                mode.ir_intensity = 0.0 if computed else None
        results.frequencies_cm1 = [[mode.first, mode.last, mode.frequency_cm1] for mode in results.modes]
        results.imaginary_modes = sum(
            mode.last - mode.first + 1 for mode in results.modes if mode.frequency_cm1 < IMAGINARY_CM1
        )


def _intensities_computed(modes: list[Mode]) -> bool:
    """Without INTENS the column is there, and holds zeros for active modes too; translations have none in any case."""
    return any(mode.ir_intensity for mode in modes) or not any(
        mode.ir_active and abs(mode.frequency_cm1) > -IMAGINARY_CM1 for mode in modes
    )


def mode_of(match: re.Match[str]) -> Mode:
    """The mode of a row of `MODE_ROW`."""
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
