"""The charge of each nucleus, as the electrons feel it: none of a ghost, less than Z behind a pseudopotential.

Labels alone do not tell it: a pseudopotential may stand behind a plain atomic number. In a neutral cell the charges of the
nuclei sum up to the electrons, by which what was not printed is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

_OTHER_BASIS, _PSEUDO = 100, 200
"""Conventional atomic numbers: from the first on the element has a second basis set, above the other a pseudopotential."""
_LARGEST_CHARGE = 8.0
"""|e|: no atom has a larger one; what seems to is an atom whose core is not among its electrons."""
_CHARGED = 1.5
"""|e|: up to here the cell may be charged; the smallest core has two electrons."""
_SUM = 0.05
"""|e|: what rounding of many populations, of three digits each, may add up to."""


@dataclass
class Nuclei:
    """`effective` is by conventional atomic number; ghosts are numbers of atoms from 1 on."""

    effective: dict[int, float] = field(default_factory=dict)
    ghosts: set[int] = field(default_factory=set)
    announced: int | None = None
    """How many ghosts there are, or, where none is listed below it, perhaps which one."""

    def announce_ghosts(self, words: Sequence[int]) -> None:
        """What stands behind the announcement: the count, by executed outputs; several numbers can only be labels."""
        self.ghosts = set()
        self.announced = words[0] if words else 0
        if len(words) > 1:
            self.ghosts = set(words)

    def charges(self, numbers: Sequence[int], electrons: Sequence[float]) -> list[float | None]:
        """By atom, in |e|; None where it does not follow from what was printed."""
        ghosts, marked = self.ghosts, {z % _OTHER_BASIS for z in numbers if z >= _PSEUDO}
        if self.announced is not None and not ghosts:
            # No list: that the number is a label must be borne out by the sum.
            ghosts = {self.announced}
            rest = [
                charge for place, z in enumerate(numbers, 1) if place not in ghosts and (charge := self._of(z, marked))
            ]
            if abs(sum(rest) - sum(electrons)) > _SUM * 2:
                return [0.0 if z == 0 else None for z in numbers]
        charges = [0.0 if place in ghosts else self._of(z, marked) for place, z in enumerate(numbers, 1)]
        return self._checked(charges, numbers, electrons)

    def _of(self, conventional: int, marked: set[int]) -> float | None:
        """`marked` are elements some of whose atoms have a label above 200: then the others have no pseudopotential."""
        element = conventional % _OTHER_BASIS
        if conventional >= _PSEUDO:
            return self.effective.get(conventional, self.effective.get(element))
        if element in self.effective and element not in marked:
            return self.effective[element]
        return float(element)

    def _checked(
        self, charges: list[float | None], numbers: Sequence[int], electrons: Sequence[float]
    ) -> list[float | None]:
        """Without what the sum contradicts."""
        known = [charge for charge in charges if charge is not None]
        if len(known) < len(charges) or abs(sum(known) - sum(electrons)) < _CHARGED:
            return charges
        hidden = {
            z for z, charge, own in zip(numbers, charges, electrons, strict=True)
            if charge is not None and charge - own > _LARGEST_CHARGE
        }  # fmt: skip
        doubtful: list[float | None] = [None if charge else charge for charge in charges]
        if len(hidden) != 1:
            return doubtful
        [element] = hidden
        core = (sum(known) - sum(electrons)) / numbers.count(element)
        # One element hides an even number of electrons that accounts for everything: the others are what they seem.
        if abs(core / 2 - round(core / 2)) > _SUM:
            return doubtful
        return [None if z == element else charge for z, charge in zip(numbers, charges, strict=True)]
