"""A deck rewritten from its model: one record per line, no blanks and comments, the same meaning.

What the model does not know it cannot write: a deck with an unknown keyword or an error is refused rather than shortened.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from app.crystal.decks.basis_sets import rewrite_element
from app.crystal.decks.contents import crystal_of
from app.crystal.decks.keywords import TABLES
from app.crystal.decks.model import Deck, Entry, Geometry
from app.crystal.decks.reading import UNKNOWN_KEYWORD
from app.crystal.structures.bulk import number

MAX_LINE = 80


class CannotRewrite(ValueError):
    """Something in the deck is not known well enough."""


def write_deck(deck: Deck) -> str:
    """The text of a deck.

    Raises:
        CannotRewrite: names the line that is in the way.
    """
    blocking = [
        finding for finding in deck.findings if finding.severity == "error" or finding.message == UNKNOWN_KEYWORD
    ]
    if blocking:
        raise CannotRewrite(f"line {blocking[0].line}: {blocking[0]}")
    if deck.role == "d3":
        return _text([*_entries("properties", deck.properties), "END"])
    lines = [deck.title, *_geometry(deck), *_entries("geometry", deck.geometry.entries)]
    if not deck.basis_name:
        lines.append("END")
        if not deck.basis:
            # TESTGEOM: nothing more is read.
            return _text(lines)
        lines += [*_basis(deck), "END"]
    return _text([*lines, *_entries("Hamiltonian", deck.hamiltonian), "END"])


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _geometry(deck: Deck) -> list[str]:
    """The head of the geometry: through the structure's own model where there is one, else as it was read."""
    crystal = crystal_of(deck)
    if crystal is not None and all(row[0] < 100 for row in deck.geometry.atoms):
        return list(crystal.records)
    return list(_head(deck.geometry))


def _head(geometry: Geometry) -> Iterator[str]:
    yield geometry.kind
    if geometry.group is None:
        return
    if geometry.kind == "CRYSTAL":
        # A symbol was read as the number of its group.
        yield " ".join(map(str, (0, *geometry.flags[1:])))
    yield str(geometry.group)
    if geometry.shift is not None:
        yield " ".join(map(str, geometry.shift))
    if geometry.cell:
        yield " ".join(number(value) for value in geometry.cell)
    yield str(len(geometry.atoms))
    for z, x, y, w in geometry.atoms:
        yield f"{z} {number(x)} {number(y)} {number(w)}"


def _basis(deck: Deck) -> Iterator[str]:
    lines = deck.text.replace("\r", "").split("\n")
    for element in deck.basis:
        yield from rewrite_element(lines, element).split("\n")
    yield "99 0"


def _entries(block: str, entries: list[Entry]) -> Iterator[str]:
    for entry in entries:
        yield entry.name
        for record in entry.values:
            yield from textwrap.wrap(" ".join(record), MAX_LINE, break_on_hyphens=False) or [""]
        if entry.name in ("DOSS", "BAND") and not entry.values:
            raise CannotRewrite(f"line {entry.line}: {entry.name} has no records")
        keyword = TABLES[block][entry.name]
        if keyword.opens:
            yield from _entries(keyword.opens, entry.entries)
            yield "END"
        elif keyword.closes:
            yield "END"
