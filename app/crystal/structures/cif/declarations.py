"""What a data block says of its symmetry, as readings in the order in which they are believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.crystal.structures.bulk import Matrix, StructureError
from app.crystal.structures.cif.operations import WRONG_CELL, Group, fitted, hall_group, read_operations
from app.crystal.structures.cif.symbols import Setting, by_hall, by_number, candidates
from app.crystal.structures.cif.syntax import Block

ADD_OPERATIONS = "The symbol may be right and only unknown here: add the symmetry operations to the file."
_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_magn_operation_xyz",
)
_CENTRINGS = "_space_group_symop_magn_centering_xyz"
_SYMBOLS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_space_group_name_h-m",
    "_symmetry_space_group_name_h-m_alt",
)
_HALLS = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number", "_symmetry_int_tables_number_it")
_CODES = ("_space_group_it_coordinate_system_code", "_symmetry_it_coordinate_system_code")


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read the symmetry. Those of a lower tier are believed before the others."""

    group: Group
    number: int
    name: str
    tier: int = 0
    remarks: tuple[str, ...] = ()
    part_of: int = 0
    """Number of the larger group that the file names beside these operations; 0: none."""
    assumed: bool = False
    """Another setting would fit as well: no agreement of formula and Z proves this one."""


def readings(block: Block, lattice: Matrix) -> tuple[list[Reading], list[str]]:
    """All ways to read a block's symmetry, and remarks that hold for each.

    Raises:
        StructureError: the operations form no group, no setting fits the cell, or the symbol is not known.
    """
    number = _number(block)
    symbol = block.value(*_SYMBOLS)
    settings = _settings(block, symbol, number)
    texts = _operation_texts(block)
    if texts:
        return _with_operations(texts, settings, lattice)
    if not settings and symbol:
        raise StructureError(
            "file",
            f"names the space group {symbol[:30]!r}, which is not known here, and lists no symmetry operations",
            ADD_OPERATIONS,
        )
    if not settings and not number:
        words = "the file says nothing of its symmetry: all atoms of the cell are taken to be listed (P 1)"
        return [Reading(hall_group("P 1"), 1, "P 1", 0, (words,))], []
    remarks = _conflicts(settings, symbol, number)
    options = _fitting(settings or by_number(number), lattice)
    if not settings and len(options) > 1:
        words = f"{remarks[0]}: the setting was assumed"
        return [replace(option, remarks=(words,), assumed=True) for option in options], []
    return [replace(option, remarks=tuple(remarks)) for option in options], []


def _conflicts(settings: Sequence[Setting], symbol: str, number: int) -> list[str]:
    """Where Hall symbol, Hermann–Mauguin symbol and number do not say the same."""
    if not settings:
        return [f"the file tells its space group by the number {number} alone"]
    remarks = []
    named = candidates(symbol, number) if symbol else []
    if named and all(setting.group.keys != settings[0].group.keys for setting in named):
        remarks.append(
            f"the Hall symbol is that of {settings[0].name}, the file also says {symbol[:30]}: the first counts"
        )
    if number and all(setting.number != number for setting in settings):
        remarks.append(f"the symbol is that of number {settings[0].number}, the file says {number}: the symbol counts")
    return remarks


def _number(block: Block) -> int:
    match = re.fullmatch(r"(\d{1,3})(\.0*)?", block.value(*_NUMBERS))
    number = int(match[1]) if match else 0
    return number if 1 <= number <= 230 else 0


def _settings(block: Block, symbol: str, number: int) -> list[Setting]:
    """By the Hall symbol, else by the Hermann–Mauguin symbol with what else the file tells of origin and axes."""
    if hall := block.value(*_HALLS):
        found = by_hall(hall)
        if found:
            return found
    found = candidates(symbol, number) if symbol else []
    code = block.value(*_CODES).lower()
    choice = {"1": "1", "2": "2", "h": "H", "r": "R"}.get(code[-1:], "")
    return [setting for setting in found if choice and setting.choice == choice] or found


def _operation_texts(block: Block) -> list[str]:
    """The operations of a block; of magnetic ones what they do in space, each with every centring."""
    texts = [text for text in block.column(*_OPERATIONS) if text.strip(" ?.")]
    centrings = [text for text in block.column(_CENTRINGS) if text.strip(" ?.")]
    texts = [",".join(text.split(",")[:3]) for text in texts]
    if not centrings:
        return texts
    shifts = [[part.strip().lower().lstrip("xyz") for part in text.split(",")[:3]] for text in centrings]
    return [
        ",".join(part + shift for part, shift in zip(text.split(","), whole, strict=False))
        for text in texts
        for whole in shifts
    ]


def _with_operations(
    texts: Sequence[str], settings: Sequence[Setting], lattice: Matrix
) -> tuple[list[Reading], list[str]]:
    """The operations, and the symbol's where these differ: what the file declares of its atoms then decides."""
    group, added = read_operations(texts)
    remarks = ["the identity is missing in the list of symmetry operations; it was added"] if added else []
    own = group.number(lattice)
    name = group.name or (f"number {own}" if own else f"its {group.order} operations")
    listed = Reading(group, own, name)
    if not settings or any(setting.group.keys == group.keys for setting in settings):
        return [listed], remarks
    if any(setting.number == own and setting.group.order == group.order for setting in settings):
        # The same space group on another origin or other axes: the operations say which.
        return [listed], remarks
    words = f"the file lists the operations of {name} and names {settings[0].name}"
    named = [setting for setting in settings if _fits(setting, lattice)]
    # A list that stops early, or all atoms of a cell under the symbol of their symmetry: neither is believed before the other.
    larger = [setting for setting in named if setting.group.keys > group.keys]
    part_of = larger[0].number if larger else 0
    others = [
        Reading(s.group, s.number, s.name, 0 if s in larger else 1, (f"{words}: the name was followed",)) for s in named
    ]
    return [Reading(group, own, name, 0, (f"{words}: the operations were followed",), part_of), *others], remarks


def _fits(setting: Setting, lattice: Matrix) -> bool:
    return fitted(lattice @ lattice.T, setting.group)[1] <= WRONG_CELL


def _fitting(settings: Sequence[Setting], lattice: Matrix) -> list[Reading]:
    """The settings that the cell can have; of the first tier that has any, and the others behind."""
    fitting = [setting for setting in settings if _fits(setting, lattice)]
    if not fitting:
        names = ", ".join(dict.fromkeys(setting.name for setting in settings[:4]))
        raise StructureError("file", f"has a cell that does not have the symmetry of its space group ({names})")
    return [Reading(setting.group, setting.number, setting.name, setting.tier) for setting in fitting]
