"""The sites of a data block: elements, coordinates with their digits, and how far each is occupied."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np

from app.crystal.structures.bulk import Matrix, StructureError
from app.crystal.structures.cif.elements import element_of
from app.crystal.structures.cif.syntax import UNKNOWN, Block
from app.crystal.structures.cif.values import Written, read_number

MOST = 20_000
"""Rows of one table of sites."""
_COORDINATES = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")
COLUMNS = (
    *_COORDINATES,
    *(f"_atom_site_{name}" for name in ("label", "type_symbol", "occupancy", "calc_flag")),
)
"""What must not stand in a file twice."""
_MULTIPLICITY = ("_atom_site_symmetry_multiplicity", "_atom_site_site_symmetry_multiplicity")
FULL = 1e-3
"""Share by which an occupancy may miss 1."""
_NAMED = 6


@dataclass(frozen=True, eq=False)
class Site:
    """One row of the table. `reach` is how far each exact coordinate may be from the one that is written."""

    label: str
    number: int
    place: Matrix
    reach: Matrix
    multiplicity: int = 0
    """As the file declares it for its cell; 0: not declared."""
    share: Written | None = None
    """Of a partly occupied site: its occupancy."""
    alternative: bool = False
    """The file counts it to a group of sites that are occupied together."""


@dataclass(frozen=True)
class Sites:
    """All sites with coordinates, and what was remarked on the way."""

    rows: tuple[Site, ...]
    remarks: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    """Remarks that say that atoms may be missing or others than they seem."""


def read_sites(block: Block, declared: Set[str]) -> Sites:
    """The sites of a block.

    Raises:
        StructureError: a site has no element, or no coordinates or occupancy that can be read.
    """
    columns = [block.columns.get(name, []) for name in _COORDINATES]
    count = len(columns[0])
    if not count or any(len(column) != count for column in columns):
        raise StructureError("file", _without_coordinates(block))
    if count > MOST:
        raise StructureError("file", f"lists {count} sites; at most {MOST} are read")
    remarks: list[str] = []
    rows = _occupied(block, count, remarks)
    sites = []
    bare = []
    doubts: dict[str, None] = {}
    for at, share in rows.items():
        label, kind = _cell(block, "_atom_site_label", at), _cell(block, "_atom_site_type_symbol", at)
        texts = [column[at].strip() for column in columns]
        number, doubt = element_of(kind, label, declared)
        if doubt:
            doubts[doubt] = None
        if all(text in UNKNOWN for text in texts):
            bare.append((label or kind, number))
            continue
        site = _site(label or kind, number, texts, _multiplicity(block, at))
        if share is not None:
            site = replace(site, share=share, alternative=bool(_cell(block, "_atom_site_disorder_group", at)))
        sites.append(site)
    if not sites:
        raise StructureError("file", "has no site with coordinates")
    missing = [*_bare_hydrogens(bare), *_attached_hydrogens(block, sites)]
    return Sites(tuple(sites), tuple(remarks), (*list(doubts)[:_NAMED], *missing))


def _without_coordinates(block: Block) -> str:
    if block.column("_atom_site_cartn_x"):
        return "gives Cartesian coordinates only; fractional ones (_atom_site_fract_x, _y, _z) are needed"
    if block.column("_atom_site_aniso_label"):
        return "lists displacement parameters of its atoms, and no coordinates"
    return "contains no atoms: it has no _atom_site_fract_x, _y, _z"


def _cell(block: Block, name: str, at: int) -> str:
    column = block.columns.get(name, [])
    text = column[at].strip() if at < len(column) else ""
    return "" if text in UNKNOWN else text


def _multiplicity(block: Block, at: int) -> int:
    text = next((text for name in _MULTIPLICITY if (text := _cell(block, name, at))), "")
    return int(text) if text.isdigit() and len(text) < 4 else 0


def _occupied(block: Block, count: int, remarks: list[str]) -> dict[int, Written | None]:
    """Rows that are atoms, with the share of those that are partly occupied; dummies and empty sites are left out."""
    rows: dict[int, Written | None] = {}
    dummies, empty, unknown = [], [], 0
    for at in range(count):
        name = _cell(block, "_atom_site_label", at) or _cell(block, "_atom_site_type_symbol", at) or f"row {at + 1}"
        if _cell(block, "_atom_site_calc_flag", at).lower() in ("dum", "dummy"):
            dummies.append(name)
            continue
        text = _cell(block, "_atom_site_occupancy", at)
        unknown += not text and bool(block.columns.get("_atom_site_occupancy"))
        share = read_number(text or "1")
        if share is None or not -FULL <= share.value <= 1.01:
            raise StructureError("file", f"gives the occupancy {text[:20]!r} for site {name[:20]}")
        if share.value <= 1e-9:
            empty.append(name)
        elif abs(share.value - 1) > max(FULL, 0.0101 if share.value > 1 else 0):
            rows[at] = share
        else:
            rows[at] = None
    for names, words in ((dummies, "are dummies and"), (empty, "have the occupancy 0 and")):
        if names:
            remarks.append(f"{_list(names)} {words} were left out")
    if unknown:
        remarks.append(f"{unknown} site{'s have' if unknown > 1 else ' has'} no occupancy (? or .): taken as full")
    return rows


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(name[:20] for name in names[:_NAMED])}{more}"


def _site(label: str, number: int, texts: list[str], multiplicity: int) -> Site:
    numbers = [read_number(text) for text in texts]
    for text, value in zip(texts, numbers, strict=True):
        if value is None:
            raise StructureError("file", f"gives the coordinate {text[:20]!r} for site {label[:20]}")
    known = [value for value in numbers if value is not None]
    place, reach = np.array([value.value for value in known]), np.array([value.reach for value in known])
    if not np.isfinite(place).all() or np.abs(place).max() > 1000:
        raise StructureError("file", f"places site {label[:20]} far outside the cell")
    return Site(label, number, place, reach, multiplicity)


def _bare_hydrogens(bare: list[tuple[str, int]]) -> list[str]:
    heavy = [label for label, number in bare if number != 1]
    if heavy:
        raise StructureError("file", f"gives no coordinates for {_list(heavy)}")
    return [f"the hydrogens {_list([label for label, _ in bare])} have no coordinates: add them"] if bare else []


def _attached_hydrogens(block: Block, sites: list[Site]) -> list[str]:
    """Hydrogens that the file counts at other atoms and lists nowhere."""
    counts = [_cell(block, "_atom_site_attached_hydrogens", at) for at in range(len(block.columns[_COORDINATES[0]]))]
    total = sum(int(text) for text in counts if text.isdigit() and len(text) < 3)
    if not total or any(site.number == 1 for site in sites):
        return []
    return [f"{total} hydrogens attached to listed atoms have no coordinates: add them"]
