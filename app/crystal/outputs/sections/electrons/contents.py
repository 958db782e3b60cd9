"""What the cell holds, as the program counts it, and the group of its symmetry."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.contents import Contents
from app.crystal.outputs.sheet import Section, Sheet, number

_FIELDS = {
    "N. OF ATOMS PER CELL": "atoms", "NUMBER OF SHELLS": "shells", "NUMBER OF AO": "orbitals",
    "N. OF ELECTRONS PER CELL": "electrons", "CORE ELECTRONS PER CELL": "core_electrons",
    "N. OF SYMMETRY OPERATORS": "symmetry_operators",
}  # fmt: skip
_KINDS = {
    "SPACE": "space group",
    "PLANE": "layer group",
    "LINE": "rod group",
    "ROD": "rod group",
    "POINT": "point group",
}


class ContentSection(Section):
    """Counts per cell; the group only where editing of the geometry left all of its operators."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._contents = Contents()
        self._operators_of_group: int | None = None

    def on_group(self, match: re.Match[str], line: str) -> None:
        """The group that the deck names."""
        self._contents.group = match["gr_name"]
        self._contents.group_kind = _KINDS[match["gr_kind"]]
        self._contents.group_number = int(match["gr_n"]) if match["gr_n"] else None
        self._operators_of_group = None

    def on_operators(self, match: re.Match[str], line: str) -> None:
        """How many operators the group has."""
        if self._contents.group and self._operators_of_group is None:
            self._operators_of_group = int(match["operators"])

    def on_count(self, match: re.Match[str], line: str) -> None:
        """One of the counts."""
        setattr(self._contents, _FIELDS[match["count_of"]], int(match["count"]))

    def on_unpaired(self, match: re.Match[str], line: str) -> None:
        """Electrons α − β of the wave function that properties read."""
        self._contents.unpaired = number(match["unpaired"])

    def on_band_numbers(self, match: re.Match[str], line: str) -> None:
        """Which bands BAND computes."""
        self.sheet.results.band_numbers = [int(match["first_band"]), int(match["last_band"])]

    def finish(self) -> None:
        """Tell what is known."""
        contents = self._contents
        kept = self._operators_of_group is not None and contents.symmetry_operators == self._operators_of_group
        told = vars(contents) if kept else vars(contents) | {"group": None, "group_kind": None, "group_number": None}
        known = any(value is not None for value in told.values())
        self.sheet.results.contents = Contents(**told) if known else None
