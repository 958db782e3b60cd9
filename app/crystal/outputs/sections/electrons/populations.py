"""Mulliken populations, and charges from them where the charge of the nucleus is known."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.electrons import Populations
from app.crystal.outputs.nuclei import Nuclei
from app.crystal.outputs.sheet import Section, Sheet, number

_POPULATION_ROW = re.compile(r" {0,14}(\d+) +[A-Z]\w* +\d+ *(-?\d*\.\d+)(?: |$|-)")
_ONLY_NUMBERS = re.compile(r" *-?\d*\.\d{7}[-\d. ]*$")
_VALUES = re.compile(r"-?\d*\.\d{7}")
_GHOST = re.compile(r"(\d+)\( *\d+\)")


class PopulationSection(Section):
    """Electrons, spins and charges by atom."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._electrons: list[float | str] = []
        self._spins: list[float | str] = []
        self._values: list[float | str] = []
        """Of the open table: numbers, or rows that hold some."""
        self._difference = False
        self._nuclei = Nuclei()

    # -- nuclei ------------------------------------------------------------------------------------------------

    def on_ghosts(self, match: re.Match[str], line: str) -> None:
        """How many atoms became ghosts; which ones, follows."""
        self._nuclei.announce_ghosts([int(part) for part in match["ghosts"].split()])
        self.sheet.table = self._row_ghosts

    def _row_ghosts(self, line: str) -> bool:
        labels = [int(label) for label in _GHOST.findall(line)]
        self._nuclei.ghosts.update(labels)
        return bool(labels)

    def on_effective_charge(self, match: re.Match[str], line: str) -> None:
        """The charge that a pseudopotential leaves of a nucleus, in |e|."""
        self._nuclei.effective[int(match["ecp_z"])] = number(match["ecp_charge"])

    def on_point(self, match: re.Match[str], line: str) -> None:
        """Another geometry: electrons printed before are not its own."""
        if self._electrons and match["pt"] != "1":
            self._electrons, self._spins = [], []

    # -- tables ------------------------------------------------------------------------------------------------

    def on_charges(self, match: re.Match[str], line: str) -> None:
        """The table of electrons by atom follows, which the program calls charges."""
        self._values = []
        if not self.sheet.in_frequencies:
            self._electrons = self._values
        self.sheet.table = self._row_values

    def on_spins(self, match: re.Match[str], line: str) -> None:
        """The table of atomic spins follows."""
        self._values = []
        if not self.sheet.in_frequencies:
            self._spins = self._values
        self.sheet.table = self._row_values

    def _row_values(self, line: str) -> bool:
        # A row is nothing but numbers of seven digits; they are read on demand.
        if not _ONLY_NUMBERS.match(line):
            return False
        self._values.append(line)
        return True

    def on_population(self, match: re.Match[str], line: str) -> None:
        """The analysis at the end: electrons (α + β) first, then spins (α − β)."""
        self._values = []
        if self._difference:
            self._spins = self._values
        else:
            self._electrons = self._values
        self.sheet.table = self._row_population

    def on_spin_sum(self, match: re.Match[str], line: str) -> None:
        """The Mulliken analysis that follows is of α + β, or of α − β electrons."""
        self._difference = match["sum_sign"] == "-"

    def _row_population(self, line: str) -> bool:
        if "SHELL POPULATION" in line or "OVERLAP" in line or line.startswith((" T", " M", " E")):
            return False
        # What continues a row stands further to the right.
        if (match := _POPULATION_ROW.match(line)) and int(match[1]) == len(self._values) + 1:
            self._values.append(float(match[2]))
        return True

    def finish(self) -> None:
        """Electrons as printed; charges where the nuclei are known."""
        geometry = self.sheet.results.geometry
        electrons, spins = _numbers(self._electrons), _numbers(self._spins)
        if not electrons:
            self.sheet.results.populations = None
            return
        numbers = [atom.number for atom in geometry.atoms] if geometry else []
        nuclei: list[float | None] = []
        if len(numbers) == len(electrons):
            nuclei = self._nuclei.charges(numbers, electrons)
        self.sheet.results.populations = Populations(
            electrons,
            [
                None if charge is None else round(charge - own, 7)
                for charge, own in zip(nuclei, electrons, strict=False)
            ],
            spins if len(spins) == len(electrons) else [],
            nuclei,
        )


def _numbers(values: list[float | str]) -> list[float]:
    return [
        part
        for value in values
        for part in ([value] if isinstance(value, float) else map(float, _VALUES.findall(value)))
    ]
