"""How a crystal answers: elastic constants, energy over volume."""

from __future__ import annotations

import re
from contextlib import suppress

from app.crystal.outputs.facts.responses import Elasticity, EnergyVolume
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, finite_number

_VOLUME_ROW = re.compile(rf"^ +(?P<volume>\d+\.\d+) +(?P<energy>{NUMBER})")
_ELASTIC_WIDTH = 9
_AVERAGE_WIDTH = 8
_AVERAGES = ("K_V", "G_V", "K_R", "G_R", "bulk_modulus", "shear_modulus", "youngs_modulus", "poisson_ratio")


class ResponseSection(Section):
    """What ELASTCON and EOS print."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._rows: list[list[float]] = []

    # -- elastic constants -------------------------------------------------------------------------------------

    def on_elastic(self, match: re.Match[str], line: str) -> None:
        """The table of elastic constants follows."""
        self._rows = []
        self.sheet.table = self._row_elastic

    def _row_elastic(self, line: str) -> bool:
        """Rows of the upper triangle between bars; the numbers are nine wide and may touch."""
        text = line.strip()
        if not text:
            return not self._rows
        if not (text.startswith("|") and text.endswith("|")):
            return False
        wanted = 6 - len(self._rows)
        row = text.strip("|").strip().rjust(_ELASTIC_WIDTH * wanted)
        try:
            values = [
                finite_number(row[place : place + _ELASTIC_WIDTH]) for place in range(0, len(row), _ELASTIC_WIDTH)
            ]
        except ValueError:
            return False
        if len(values) != wanted:
            return False
        self._rows.append(values)
        if len(self._rows) == 6:
            self.sheet.table = None
            full = [[self._rows[min(i, j)][abs(i - j)] for j in range(6)] for i in range(6)]
            self._elasticity().constants = full
        return True

    def on_averages(self, match: re.Match[str], line: str) -> None:
        """The table of polycrystalline averages follows."""
        self.sheet.table = self._row_averages

    def _row_averages(self, line: str) -> bool:
        if not line.strip():
            return True
        self.sheet.table = None
        parts = [
            line.rstrip()[place : place + _AVERAGE_WIDTH] for place in range(0, len(line.rstrip()), _AVERAGE_WIDTH)
        ]
        values = [part for part in parts if part.strip()]
        if len(values) != len(_AVERAGES):
            return False
        for name, text in zip(_AVERAGES, values, strict=True):
            # What is out of range is printed as stars, or as NaN.
            with suppress(ValueError):
                if hasattr(Elasticity, name):
                    setattr(self._elasticity(), name, finite_number(text))
        return True

    def _elasticity(self) -> Elasticity:
        if self.sheet.results.elasticity is None:
            self.sheet.results.elasticity = Elasticity()
        return self.sheet.results.elasticity

    # -- equation of state -------------------------------------------------------------------------------------

    def on_volumes(self, match: re.Match[str], line: str) -> None:
        """The sorted table of volumes and energies of an equation of state follows."""
        self.sheet.results.energy_volume = EnergyVolume()
        self.sheet.table = self._row_volume

    def _row_volume(self, line: str) -> bool:
        curve = self.sheet.results.energy_volume
        assert curve is not None
        match = _VOLUME_ROW.match(line)
        if match is None:
            return not curve.volumes and not line.startswith((" TTT", " ***"))
        curve.volumes.append(float(match["volume"]))
        curve.energies.append(float(match["energy"]))
        return True
