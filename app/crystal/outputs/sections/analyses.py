"""Analyses of the density by properties: critical points (TOPOND), powder patterns (XRDSPEC)."""

from __future__ import annotations

import re

from app.crystal.constants import BOHR
from app.crystal.outputs.facts.properties import CriticalPoint, Diffraction
from app.crystal.outputs.series import MAX_DIFFRACTION
from app.crystal.outputs.sheet import Section, Sheet, finite_number, number

MAX_POINTS = 500
"""Critical points that are kept."""


class AnalysisSection(Section):
    """What TOPO and XRDSPEC print."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._point: CriticalPoint | None = None
        """The one that the next lines describe."""

    # -- critical points -----------------------------------------------------------------------------------------

    def on_critical(self, match: re.Match[str], line: str) -> None:
        """A critical point begins."""
        points = self.sheet.results.critical_points
        if points is None:
            points = self.sheet.results.critical_points = []
        self._point = None
        if len(points) < MAX_POINTS:
            self._point = CriticalPoint(int(match["rank"]), int(match["signature"]))
            points.append(self._point)

    def on_critical_place(self, match: re.Match[str], line: str) -> None:
        """Its position, printed in bohr."""
        if self._point:
            self._point.position = [coordinate * BOHR for coordinate in _three(match)]

    def on_critical_fractions(self, match: re.Match[str], line: str) -> None:
        """Its position in fractions of the conventional cell."""
        if self._point:
            self._point.fractional = _three(match)

    def on_critical_density(self, match: re.Match[str], line: str) -> None:
        """Density, the length of its gradient, and its Laplacian."""
        if self._point:
            self._point.density, _, self._point.laplacian = _three(match)

    def on_critical_laplacian(self, match: re.Match[str], line: str) -> None:
        """The point is one of the Laplacian with its sign changed, which stands first; the density stands last."""
        if self._point:
            opposite, _, self._point.density = _three(match)
            self._point.field, self._point.laplacian = "laplacian", -opposite

    def on_critical_kinetic(self, match: re.Match[str], line: str) -> None:
        """The kinetic energy density G, which is positive everywhere."""
        if self._point:
            self._point.kinetic_energy_density = number(match["kinetic"])

    def on_critical_virial(self, match: re.Match[str], line: str) -> None:
        """The virial density."""
        if self._point:
            self._point.virial_density = number(match["virial"])

    # -- powder patterns -------------------------------------------------------------------------------------------

    def on_diffraction(self, match: re.Match[str], line: str) -> None:
        """The table of a powder pattern follows."""
        self.sheet.series.diffraction.clear()
        self.sheet.table = self._row_diffraction

    def _row_diffraction(self, line: str) -> bool:
        """2θ in degrees, then intensities: bare, with the Lorentz and polarisation factors, and with thermal motion too."""
        rows, parts = self.sheet.series.diffraction, line.split()
        if not parts:
            return not rows
        if len(rows) >= MAX_DIFFRACTION:
            return False
        try:
            angle, bare, corrected, thermal = (finite_number(part) for part in parts[-4:])
        except ValueError:
            # A rule below the title.
            return not rows and not set(line) - set(" -*=")
        if not 0 <= angle <= 180:
            return False
        rows.append((angle, bare, corrected, thermal))
        return True

    def finish(self) -> None:
        """Sum up the pattern."""
        rows = self.sheet.series.diffraction
        if rows:
            strongest = max(rows, key=lambda row: row[2])[0]
            self.sheet.results.diffraction = Diffraction(len(rows), rows[0][0], rows[-1][0], strongest)


def _three(match: re.Match[str]) -> list[float]:
    return [number(match[name]) for name in "xyz"]
