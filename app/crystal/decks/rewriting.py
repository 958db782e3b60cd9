"""A deck rewritten from its model: one record per line, no blanks, the same meaning; titles and comments stay as they are.

What the model does not know it cannot write: a deck with an unknown keyword or an error is refused rather than shortened.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.crystal.decks.basis_sets import rewrite_element
from app.crystal.decks.blocks import is_end, is_unknown
from app.crystal.decks.contents import crystal_of, in_standard_setting
from app.crystal.decks.keywords import TABLES
from app.crystal.decks.model import Deck, Entry, Geometry
from app.crystal.structures.bulk import number

MAX_LINE = 80
Comment = tuple[int, str]
"""Its line, and itself."""


@dataclass(frozen=True)
class Record:
    """A record as it is written."""

    line: int
    """Of the deck from which it comes; 0: from none."""
    text: str
    last: int = 0
    """Line up to which what belongs to it stood in the deck; comments from there go before it."""


_TITLED = {"BAND"}
"""Keywords whose first record is a title: CRYSTAL reads 80 characters of it, and a second line as the next record."""


class CannotRewrite(ValueError):
    """Something in the deck is not known well enough."""


def write_deck(deck: Deck) -> str:
    """The text of a deck.

    Raises:
        CannotRewrite: names the line that is in the way.
    """
    blocking = [finding for finding in deck.findings if finding.severity == "error" or is_unknown(finding)]
    if not deck.complete and not blocking:
        raise CannotRewrite("the deck is not read to its end")
    if blocking:
        raise CannotRewrite(f"line {blocking[0].line}: {blocking[0]}")
    return "\n".join(_with_comments(_comments(deck), _records(deck))) + "\n"


def _records(deck: Deck) -> Iterator[Record]:
    lines = deck.text.replace("\r", "").split("\n")
    if deck.role == "d3":
        yield from _entries(lines, "properties", deck.properties)
        if not _ended(deck.properties):
            yield Record(0, "END")
        return
    yield Record(1, deck.title)
    yield from _geometry(deck)
    yield from _entries(lines, "geometry", deck.geometry.entries)
    if deck.basis_name:
        yield from _entries(lines, "basis set", deck.basis_entries)
    else:
        yield Record(0, "END")
        if not deck.basis:
            # TESTGEOM: nothing more is read.
            return
        yield from _basis(deck)
        yield from _entries(lines, "basis set", deck.basis_entries)
        yield Record(0, "END")
    yield from _entries(lines, "Hamiltonian", deck.hamiltonian)
    yield Record(0, "END")


def _ended(entries: list[Entry]) -> bool:
    """Is the END of the last keyword's block that of the deck too?"""
    return bool(entries) and TABLES["properties"][entries[-1].name].ends_all


# -- comments ------------------------------------------------------------------------------------------------------------


def _comments(deck: Deck) -> list[Comment]:
    """Comments of the deck by line; a `#` in a title is part of the title."""
    titles = {1} if deck.role == "d12" else set()
    titles |= {entry.line + 1 for _, entry in deck.entries() if entry.name in _TITLED}
    lines = enumerate(deck.text.replace("\r", "").split("\n"), start=1)
    return [
        (index, "#" + line.split("#", 1)[1].rstrip()) for index, line in lines if "#" in line and index not in titles
    ]


def _with_comments(comments: list[Comment], records: Iterable[Record]) -> Iterator[str]:
    """Each comment beside its record where the line holds both, else before the record that follows it."""
    waiting = list(reversed(comments))
    written = list(records)
    for index, record in enumerate(written):
        text, last = record.text, index == len(written) - 1
        while waiting and (waiting[-1][0] < record.line or last):
            yield waiting.pop()[1]
        if waiting and waiting[-1][0] == record.line and len(f"{text} {waiting[-1][1]}") <= MAX_LINE:
            text = f"{text} {waiting.pop()[1]}"
        while waiting and waiting[-1][0] <= max(record.line, record.last):
            yield waiting.pop()[1]
        yield text


# -- blocks --------------------------------------------------------------------------------------------------------------


def _geometry(deck: Deck) -> Iterator[Record]:
    """The head of the geometry: through the structure's own model where there is one, else as it was read."""
    geometry = deck.geometry
    crystal = crystal_of(deck, all_rows=True)
    if crystal is not None and all(0 < row[0] < 100 for row in geometry.atoms):
        records = list(crystal.records)
        atoms = len(geometry.atoms)
        lines = [geometry.line, 0, geometry.group_line, geometry.cell_line, *([0] * (len(records) - 4 - atoms))]
        yield from map(Record, [*lines, *geometry.atom_lines], records)
    else:
        yield from _head(geometry)


def _head(geometry: Geometry) -> Iterator[Record]:
    yield Record(geometry.line, geometry.kind)
    if geometry.kind == "HELIX":
        raise CannotRewrite(f"line {geometry.line}: the records of HELIX are not known here")
    if geometry.group is None and not geometry.symbol:
        return
    by_symbol = bool(geometry.symbol) and not in_standard_setting(geometry.symbol, geometry.group)
    if geometry.kind == "CRYSTAL":
        # The symbol of a standard setting is written as the number of its group.
        yield Record(0, " ".join(map(str, geometry.flags if by_symbol else (0, *geometry.flags[1:]))))
    yield Record(geometry.group_line, geometry.symbol if by_symbol else str(geometry.group))
    if geometry.shift is not None:
        yield Record(0, " ".join(map(str, geometry.shift)))
    if geometry.cell:
        yield Record(geometry.cell_line, " ".join(number(value) for value in geometry.cell))
    yield Record(0, str(len(geometry.atoms)))
    for line, (z, x, y, w) in zip(geometry.atom_lines, geometry.atoms, strict=True):
        yield Record(line, f"{z} {number(x)} {number(y)} {number(w)}")


def _basis(deck: Deck) -> Iterator[Record]:
    lines = [line.split("#", 1)[0] for line in deck.text.replace("\r", "").split("\n")]
    for element in deck.basis:
        kept = [index for index in range(element.line, element.last + 1) if lines[index - 1].strip()]
        yield from map(Record, kept, rewrite_element(lines, element).split("\n"))
    yield Record(0, "99 0")


def _entries(lines: list[str], block: str, entries: list[Entry]) -> Iterator[Record]:
    for entry in entries:
        last = entry.entries[0].line - 1 if entry.entries else entry.last
        sources = _sources(lines, entry, last)
        # Where records and lines do not match one by one, comments within the records go before the keyword.
        yield Record(entry.line, entry.name, 0 if sources else last)
        for index, record in enumerate(entry.values):
            line = sources[index] if sources else 0
            if entry.name in _TITLED and index == 0:
                yield Record(line, record[0])
                continue
            for part in textwrap.wrap(" ".join(record), MAX_LINE, break_on_hyphens=False) or [""]:
                yield Record(line, part)
                line = 0
        if entry.name in ("DOSS", "BAND") and not entry.values:
            raise CannotRewrite(f"line {entry.line}: {entry.name} has no records")
        keyword = TABLES[block][entry.name]
        if keyword.opens or (keyword.may_open and entry.entries):
            yield from _entries(lines, keyword.opens or keyword.may_open, entry.entries)
            yield Record(0, "END")
        elif keyword.closes:
            yield Record(0, "END")


def _sources(lines: list[str], entry: Entry, last: int) -> list[int]:
    """The line of each record of a keyword; empty where records are spread over lines."""
    written = [number for number in range(entry.line + 1, last + 1) if lines[number - 1].split("#", 1)[0].strip()]
    written = [number for number in written if not is_end(lines[number - 1])]
    return written if len(written) == len(entry.values) else []
