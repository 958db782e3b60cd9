"""Positions that several atoms share, or that are partly empty: how many atoms of each kind they hold in the cell of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import Matrix, StructureError
from app.crystal.structures.cif.elements import MAKE_ORDERED
from app.crystal.structures.cif.operations import PARTS, Group
from app.crystal.structures.cif.sites import Site
from app.crystal.structures.cif.unfolding import SAME, special_place

MOST_SITES = 48
"""Partly occupied rows of a file that are looked into."""
MOST_POSITIONS = 100
"""Their positions in the cell of the file."""
TOGETHER = 1e-3
"""Å within which two positions are one."""
_ROUNDED = 0.01
"""A share of one digit was not rounded: 0.5 is one half, 0.3 is not one third."""
_NAMED = 6


@dataclass(frozen=True, eq=False)
class Shared:
    """Positions that symmetry makes equal (fractions of the file's cell), and the sites that share them."""

    positions: Matrix
    sites: tuple[Site, ...]

    @property
    def shares(self) -> dict[int, tuple[float, float]]:
        """By atomic number: the share of all positions, and one unit of its last digit."""
        found: dict[int, tuple[float, float]] = {}
        for site in self.sites:
            assert site.share is not None
            value, unit = found.get(site.number, (0.0, 0.0))
            found[site.number] = (value + site.share.value, unit + min(site.share.unit, _ROUNDED))
        return found

    @property
    def atoms(self) -> dict[int, float]:
        """By atomic number: how many atoms the cell holds; whole numbers where the shares are exactly that."""
        size = len(self.positions)
        return {
            number: value * size if (count := whole_number(value, unit, size)) is None else count
            for number, (value, unit) in self.shares.items()
        }

    @property
    def problem(self) -> str:
        """Why no ordered arrangement has exactly these shares; empty: nothing is against it."""
        size = len(self.positions)
        for number, (value, unit) in self.shares.items():
            if whole_number(value, unit, size) is None:
                positions = f"{size} position{'s' if size > 1 else ''}"
                return f"{SYMBOLS[number]} {value:g} of {positions} ({self._labels}) is no whole number of atoms"
        if sum(self.atoms.values()) > size:
            return f"the shares on one place ({self._labels}) are more than one atom"
        return ""

    @property
    def _labels(self) -> str:
        return ", ".join(site.label[:20] for site in self.sites[:_NAMED])


def whole_number(share: float, unit: float, positions: int) -> int | None:
    """The number of atoms that a share of these positions is, within its digits, rounded or cut; None: no whole number."""
    count = round(share * positions)
    off = count / positions - share
    if not count:
        return None
    if abs(off) < 1e-9:
        return count
    if positions * unit >= 0.5:
        # So coarse that any share would fit.
        return None
    return count if abs(off) <= 0.505 * unit or 0 < off < 0.999 * unit else None


def refusal(sites: Iterable[Site], why: str, remedy: str = "") -> StructureError:
    """Names the partly occupied sites, and why no ordered variant can be offered."""
    words = f"has partly occupied sites ({name_sites(sites)}): {why}"
    return StructureError("file", words, f"{MAKE_ORDERED} {remedy}".strip())


def name_sites(sites: Iterable[Site]) -> str:
    """The partly occupied of these with their shares: `Mg1 0.75, Fe1 0.25`."""
    partly = [f"{site.label[:20]} {site.share.value:g}" for site in sites if site.share is not None]
    more = f" and {len(partly) - _NAMED} more" if len(partly) > _NAMED else ""
    return f"{', '.join(partly[:_NAMED])}{more}"


def refuse_hopeless(sites: Sequence[Site]) -> None:
    """Before any work: what has too many sites, or alternatives that belong together."""
    partly = [site for site in sites if site.share is not None]
    if len(partly) > MOST_SITES:
        raise refusal(partly, f"ordered variants are sought for at most {MOST_SITES} such sites")
    if any(site.alternative for site in partly):
        why = "its disorder groups say which of them belong together, and ordered variants are not sought for those"
        raise refusal(partly, why)


def share_out(sites: Sequence[Site], group: Group, lattice: Matrix) -> tuple[Shared, ...]:
    """The positions of partly occupied sites; sites on the same ones share them.

    Raises:
        StructureError: they have too many positions, or one might be on a special position or beside it.
    """
    found: list[tuple[Matrix, list[Site]]] = []
    for site in sites:
        place, far = special_place(site, group, lattice, np.linalg.inv(group.primitive).astype(np.float64))
        if far > SAME:
            # Of a full site its own image proves the special position; here half an atom may stand on either side.
            raise StructureError(
                "file", f"does not tell whether {site.label[:20]} is on a special position or split in parts beside it"
            )
        same = next((entry for entry in found if _apart(entry[0], place, lattice).min() < TOGETHER), None)
        if same is not None:
            same[1].append(site)
            continue
        found.append((_orbit(place, group, lattice), [site]))
        if sum(len(positions) for positions, _ in found) > MOST_POSITIONS:
            raise StructureError("file", f"has more than {MOST_POSITIONS} partly occupied positions in its cell")
    return tuple(Shared(positions, tuple(sharing)) for positions, sharing in found)


def count_atoms(shared: Iterable[Shared]) -> Counter[str]:
    """Atoms of the file's cell by element; not all need be whole numbers."""
    total: Counter[str] = Counter()
    for entry in shared:
        for number, count in entry.atoms.items():
            total[SYMBOLS[number]] += count  # type: ignore[assignment]
    return total


def _apart(positions: Matrix, place: Matrix, lattice: Matrix) -> Matrix:
    apart = positions - place
    lengths: Matrix = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=1)
    return lengths


def _orbit(place: Matrix, group: Group, lattice: Matrix) -> Matrix:
    """The different images of a place in the cell of the file, centring included."""
    images = group.rotations @ place + group.shifts / PARTS
    images -= np.floor(images + 1e-9)
    kept: list[Matrix] = []
    for image in images:
        if not kept or _apart(np.array(kept), image, lattice).min() >= TOGETHER:
            kept.append(image)
    return np.array(kept)
