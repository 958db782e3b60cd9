"""The data blocks of a CIF. gemmi reads the syntax (CIF 1.1); what CIF 2.0 has beyond it is rewritten first.

Names of data items count without case, and with a dot as with an underscore: `_cell.length_a` (DDLm, mmCIF) is `_cell_length_a`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

import gemmi

from app.crystal.structures.bulk import StructureError

UNKNOWN = ("?", ".", "")
_PREFIXES = ("_cell", "_atom_site", "_symmetry", "_space_group", "_chemical_formula", "_parent_space_group")
"""Of the data items that are kept; the others may be long."""
_PROGRESS = re.compile(r"^[^\n]*?:(\d+)(?::\d+)?(?:\(\d+\))?:\s*")
_CIF2 = re.compile(
    r"""(?P<triple>(?P<quote>'{3}|\"{3}).*?(?P=quote)) | (?P<field>(?<=\n);.*?\n;) | (?P<text>'[^'\n]*'|"[^"\n]*"|\#[^\n]*)
    | (?P<open>[\[{]) | (?P<close>[\]}]) | (?P<word>[^\s\[\]{}'"\#][^\s\[\]{}]*) | (?P<space>\s+) | (?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
"""What a CIF 2.0 is made of."""


@dataclass(frozen=True)
class Block:
    """Columns of one data block by the name of the item; a single value is a column of one."""

    name: str
    columns: dict[str, list[str]] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()
    """Items that the block gives twice with different values."""

    def column(self, *names: str) -> list[str]:
        """The first of these items that the block has with a known value; empty: none."""
        for name in names:
            values = self.columns.get(name, [])
            if any(value.strip() not in UNKNOWN for value in values):
                return values
        return []

    def value(self, *names: str) -> str:
        """The first value of `column`; empty: none."""
        return next(iter(self.column(*names)), "").strip()

    @property
    def has_atoms(self) -> bool:
        """Are there coordinates in it?"""
        return bool(self.column("_atom_site_fract_x"))


def read_blocks(text: str) -> list[Block]:
    """The data blocks of a file.

    Raises:
        StructureError: it is no CIF; says the line.
    """
    prepared = _without_cif2(_with_header(text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")))
    if "\0" in prepared:
        raise StructureError("file", "cannot be read as CIF: it contains bytes that no text has")
    try:
        document = gemmi.cif.read_string(prepared, check_level=0)
    except (ValueError, RuntimeError) as error:
        raise StructureError("file", f"cannot be read as CIF: {_reason(str(error))}") from error
    seen: Counter[str] = Counter()
    blocks = []
    for block in document:
        seen[block.name] += 1
        name = block.name if seen[block.name] == 1 else f"{block.name} ({seen[block.name]})"
        blocks.append(_block(name, block))
    return blocks


def _reason(message: str) -> str:
    """gemmi's words with the line in front."""
    first = message.split("\n")[0]
    place = _PROGRESS.match(first)
    return f"line {place[1]}: {first[place.end() :][:120]}" if place else first[:150]


def _with_header(text: str) -> str:
    """Some programs leave out `data_`; it is added where the first thing in the file is a data item."""
    for line in text.splitlines():
        start = line.strip().lower()
        if start and not start.startswith("#"):
            return f"data_\n{text}" if start.startswith(("_", "loop_")) else text
    return text


def _without_cif2(text: str) -> str:
    """CIF 2.0 in the words of CIF 1.1: triple quotes become text fields; lists and tables, which no item of ours has, unknown."""
    if not re.match(r"\s*#\\#CIF_2", text):
        return text
    parts: list[str] = []
    depth = 0
    for token in _CIF2.finditer(text):
        if token["open"]:
            parts += [] if depth else [" ? "]
            depth += 1
        elif token["close"]:
            depth = max(depth - 1, 0)
        elif depth:
            continue
        elif token["triple"]:
            parts.append("\n;" + token[0][3:-3].replace("\n;", "\n ;") + "\n;\n")
        else:
            parts.append(token[0])
    if depth:
        raise StructureError("file", "cannot be read as CIF: a list in it does not end")
    return "".join(parts)


def _block(name: str, block: gemmi.cif.Block) -> Block:
    columns: dict[str, list[str]] = {}
    repeated: list[str] = []
    shares: list[str] = []
    for item in block:
        if item.pair is not None:
            tag, value = cast("list[str]", item.pair)
            _keep(columns, repeated, tag, [gemmi.cif.as_string(value)])
        elif item.loop is not None:
            loop = item.loop
            wanted = [at for at, tag in enumerate(loop.tags) if _name(tag).startswith(_PREFIXES)]
            if (bare := _bare_sites(loop)) is not None:
                # A second table of sites need not have the order of the first.
                wanted = [
                    at for at in wanted if not _name(loop.tags[at]).startswith("_atom_site_") or _aniso(loop.tags[at])
                ]
                shares += bare
            values = loop.values if wanted else []
            for at in wanted:
                column = [gemmi.cif.as_string(value) for value in values[at :: loop.width()]]
                _keep(columns, repeated, loop.tags[at], column)
    partly = any(share.strip() not in (*UNKNOWN, "1", "1.0", "1.00", "1.000", "1.0000") for share in shares)
    return Block(name, columns, (*repeated, *(["_atom_site_occupancy"] if partly else [])))


def _bare_sites(loop: gemmi.cif.Loop) -> list[str] | None:
    """The occupancies of a table of sites without coordinates; None: it is another table."""
    names = [_name(tag) for tag in loop.tags]
    sites = [name for name in names if name.startswith("_atom_site_") and not _aniso(name)]
    if not sites or any(name.startswith(("_atom_site_fract_", "_atom_site_cartn_")) for name in sites):
        return None
    if "_atom_site_occupancy" not in names:
        return []
    return [gemmi.cif.as_string(value) for value in loop.values[names.index("_atom_site_occupancy") :: loop.width()]]


def _aniso(tag: str) -> bool:
    return _name(tag).startswith("_atom_site_aniso_")


def _keep(columns: dict[str, list[str]], repeated: list[str], tag: str, column: list[str]) -> None:
    name = _name(tag)
    if not name.startswith(_PREFIXES):
        return
    known = columns.get(name)
    if known is None or all(value.strip() in UNKNOWN for value in known):
        columns[name] = column
    elif known != column and any(value.strip() not in UNKNOWN for value in column):
        repeated.append(name)


def _name(tag: str) -> str:
    return tag.lower().replace(".", "_")
