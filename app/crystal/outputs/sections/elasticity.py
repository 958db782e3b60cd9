"""Elastic constants of crystals, slabs and polymers, with compliance, averages and seismic velocities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from math import radians, sin

from app.crystal.constants import HARTREE_PER_SQUARE_ANGSTROM
from app.crystal.outputs.facts.elasticity import Elasticity, WaveVelocities
from app.crystal.outputs.facts.geometry import Geometry
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, finite_number, number

_WIDTH = 9
_AVERAGE_WIDTH = 8
_AVERAGES = (
    "bulk_voigt", "shear_voigt", "bulk_reuss", "shear_reuss", "bulk_modulus", "shear_modulus", "youngs_modulus", "poisson_ratio",
)  # fmt: skip
_VELOCITIES = re.compile(rf"^ *\[ *({NUMBER}) *({NUMBER}) *({NUMBER}) *\] +({NUMBER}) *({NUMBER}) *({NUMBER}) *$")
_UNITS = {"gpa": "GPa", "hartree": "hartree", "n/m": "N/m", "n": "N"}
_SIZES = (6, 3, 1)
"""Constants of a crystal, a slab, a polymer: rows of the full matrix."""
_HARTREE_PER_ANGSTROM = HARTREE_PER_SQUARE_ANGSTROM * 1e-10
"""N in 1 hartree/Å."""


class ElasticSection(Section):
    """What ELASTCON prints."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._rows: list[list[float]] = []
        self._size = 0
        self._name = "constants"

    def on_elastic(self, match: re.Match[str], line: str) -> None:
        """The table of elastic constants follows; its heading tells the unit."""
        self._open("constants")
        unit = match["elastic_unit"]
        self._elasticity().unit = _UNITS.get((unit or "").lower(), unit)

    def on_compliance(self, match: re.Match[str], line: str) -> None:
        """The table of the inverse follows."""
        self._open("compliance")
        self._elasticity().compliance_unit = match["compliance_unit"]

    def _open(self, name: str) -> None:
        self._name, self._rows, self._size = name, [], 0
        self.sheet.table = self._row_matrix

    def _row_matrix(self, line: str) -> bool:
        """Rows of the upper triangle between bars; the numbers are nine wide and may touch."""
        text = line.strip()
        if not text:
            return not self._rows
        if not (text.startswith("|") and text.endswith("|")):
            return False
        row = text.strip("|").rstrip()
        if not self._rows:
            self._size = len(row.split()) if _parsed(row.split(), _SIZES) else round(len(row) / _WIDTH)
        wanted = self._size - len(self._rows)
        values = _values(row.strip(), wanted) if self._size in _SIZES else None
        if values is None:
            return False
        self._rows.append(values)
        if len(self._rows) == self._size:
            self.sheet.table = None
            size, rows = self._size, self._rows
            full = [[rows[min(i, j)][abs(i - j)] for j in range(size)] for i in range(size)]
            setattr(self._elasticity(), self._name, full)
        return True

    def on_averages(self, match: re.Match[str], line: str) -> None:
        """The table of polycrystalline averages follows."""
        self.sheet.table = self._row_averages

    def _row_averages(self, line: str) -> bool:
        if not line.strip():
            return True
        self.sheet.table = None
        row = line.rstrip()
        parts = [row[place : place + _AVERAGE_WIDTH] for place in range(0, len(row), _AVERAGE_WIDTH)]
        texts = [part for part in parts if part.strip()]
        if len(texts) != len(_AVERAGES):
            return False
        for name, text in zip(_AVERAGES, texts, strict=True):
            # What is out of range is printed as stars, or as NaN.
            with suppress(ValueError):
                setattr(self._elasticity(), name, finite_number(text))
        return True

    def on_velocities(self, match: re.Match[str], line: str) -> None:
        """The table of wave velocities by direction follows."""
        self._elasticity().velocities = []
        self.sheet.table = self._row_velocities

    def _row_velocities(self, line: str) -> bool:
        match = _VELOCITIES.match(line)
        velocities = self._elasticity().velocities
        if match is None:
            return not velocities and (not line.strip() or "WAVE VECTOR" in line)
        x, y, z, longitudinal, *transverse = (number(text) for text in match.groups())
        velocities.append(WaveVelocities([x, y, z], longitudinal, transverse))
        return True

    def _elasticity(self) -> Elasticity:
        if self.sheet.results.elasticity is None:
            self.sheet.results.elasticity = Elasticity()
        return self.sheet.results.elasticity

    def finish(self) -> None:
        """A heading without its table tells nothing; a crystal's table without unit is in GPa, as older versions print it."""
        elasticity = self.sheet.results.elasticity
        if elasticity and len(elasticity.constants) == _SIZES[0] and elasticity.unit is None:
            elasticity.unit = "GPa"


def divide_by_size(elasticity: Elasticity, geometry: Geometry | None) -> None:
    """Constants in hartree per cell by the size of the cell: N/m of a slab, N of a polymer."""
    cell, size = geometry.primitive_cell if geometry else None, len(elasticity.constants)
    elasticity.per_size = elasticity.per_size_unit = None
    if elasticity.unit != "hartree" or not cell or size not in (1, 3):
        return
    if size == 3:
        factor, unit = HARTREE_PER_SQUARE_ANGSTROM / (cell[0] * cell[1] * sin(radians(cell[5]))), "N/m"
    else:
        factor, unit = _HARTREE_PER_ANGSTROM / cell[0], "N"
    elasticity.per_size = [[value * factor for value in row] for row in elasticity.constants]
    elasticity.per_size_unit = unit


def _values(row: str, wanted: int) -> list[float] | None:
    """By blanks; where numbers touch, by their width."""
    if values := _parsed(row.split(), (wanted,)):
        return values
    row = row.rjust(_WIDTH * wanted)
    return _parsed([row[place : place + _WIDTH] for place in range(0, len(row), _WIDTH)], (wanted,))


def _parsed(texts: Sequence[str], sizes: Sequence[int]) -> list[float] | None:
    if len(texts) not in sizes:
        return None
    try:
        return [finite_number(text) for text in texts]
    except ValueError:
        return None
