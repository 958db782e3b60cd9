"""The cell that modes and thermodynamic functions belong to: with SCELPHONO not the supercell that was computed."""

from __future__ import annotations

import re
from dataclasses import replace

from app.crystal.outputs.facts.geometry import Geometry
from app.crystal.outputs.facts.vibrations import PhononCell
from app.crystal.outputs.phonon_cell import small_cell
from app.crystal.outputs.sheet import Section, Sheet
from app.crystal.outputs.tensors import numbers_in


class PhononCellSection(Section):
    """How the supercell of phonons is made; what it is compared with are the number of modes and the cells that were printed."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._expansion: list[list[float]] = []
        self._has_fragment = False

    def on_phonon_supercell(self, match: re.Match[str], line: str) -> None:
        """The expansion of the small cell follows."""
        self._expansion = []
        self.sheet.table = self._row_expansion

    def _row_expansion(self, line: str) -> bool:
        row = numbers_in(line.strip(" *"), 3)
        if row is not None:
            self._expansion.append(row)
        return row is not None and len(self._expansion) < 3

    def on_fragment(self, match: re.Match[str], line: str) -> None:
        """Frequencies of some atoms only: their number tells nothing of the cell."""
        self._has_fragment = True

    def finish(self) -> None:
        """Compare the number of modes with the cells that were printed."""
        if self.sheet.results.modes or self.sheet.series.phonons:
            self.sheet.results.phonon_cell = self._cell()

    def _cell(self) -> PhononCell | None:
        modes, points = self.sheet.results.modes, self.sheet.series.phonons
        count = (
            max(mode.last for mode in modes) if modes else max((len(point.frequencies) for point in points), default=0)
        )
        atoms, rest = divmod(count, 3)
        computed = self.sheet.results.geometry
        if not atoms or rest or self._has_fragment or computed is None:
            return None
        multiple, rest = divmod(max([len(computed.atoms), *self.sheet.cells]), atoms)
        if rest or not multiple:
            return None
        return PhononCell(atoms, multiple, geometry=self._geometry(atoms, computed) if multiple > 1 else None)

    def _geometry(self, atoms: int, computed: Geometry) -> Geometry | None:
        if len(computed.atoms) == atoms:
            return replace(computed)
        if atoms in self.sheet.cells:
            return self.sheet.cells[atoms]()
        found = (
            small_cell(computed, self._expansion, self.sheet.results.dimensionality or 0) if self._expansion else None
        )
        return found if found is not None and len(found.atoms) == atoms else None
