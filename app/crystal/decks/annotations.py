"""A deck for reading: each line with the keyword that it belongs to, what that means, and what the checker says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.crystal.decks.checker import RANK
from app.crystal.decks.keywords import TABLES
from app.crystal.decks.model import Deck, Entry, Finding
from app.crystal.decks.reading import read_deck

_PARTS = {"CRYSTAL": "A bulk crystal.", "SLAB": "A slab, periodic in two directions.", "POLYMER": "Periodic in one direction.",
          "MOLECULE": "A molecule.", "EXTERNAL": "The geometry is read from fort.34."}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of a deck with what it means; `number` counts from 1."""

    number: int
    text: str
    meaning: str = ""
    part: str = ""
    """The keyword to which the line belongs, or title, kind, group, cell, atom, basis."""
    findings: tuple[Finding, ...] = ()

    @property
    def severity(self) -> str:
        """The worst of the findings; empty where there is none."""
        return min((finding.severity for finding in self.findings), key=RANK.__getitem__, default="")


def annotate(text: str, role: str, findings: Sequence[Finding]) -> list[Line]:
    """The lines of a deck, without the empty one after the last line end."""
    deck = read_deck(text, "d3" if role == "d3" else "d12")
    meanings = _meanings(deck)
    lines = text.split("\n")
    lines = lines[:-1] if lines and not lines[-1] else lines
    by_line: dict[int, list[Finding]] = {}
    for finding in findings:
        by_line.setdefault(finding.line, []).append(finding)
    return [
        Line(number, line, *meanings.get(number, ("", "")), tuple(by_line.get(number, ())))
        for number, line in enumerate(lines, start=1)
    ]


def _meanings(deck: Deck) -> dict[int, tuple[str, str]]:
    """Meaning and part by line."""
    meanings: dict[int, tuple[str, str]] = {}
    geometry = deck.geometry
    if deck.role == "d12":
        meanings[1] = "Title.", "title"
        meanings[geometry.line] = _PARTS.get(geometry.kind, ""), "kind"
        meanings[geometry.group_line] = "Number of the space, layer, rod or point group.", "group"
        meanings[geometry.cell_line] = (
            "Cell parameters, Å and degrees: only those that the symmetry leaves free.",
            "cell",
        )
        for line in geometry.atom_lines:
            meanings[line] = "An atom of the asymmetric unit: conventional atomic number, coordinates.", "atom"
        for element in deck.basis:
            meanings |= dict.fromkeys(
                range(element.line, element.last + 1), ("Basis set of an element: its shells.", "basis")
            )
            meanings[element.line] = "Basis set of an element: conventional atomic number, number of shells.", "basis"
    for block, entry in deck.entries():
        meaning = TABLES[block][entry.name].meaning
        for line in range(entry.line, _own_last(entry) + 1):
            meanings[line] = f"{entry.name}: {meaning}", entry.name
    return meanings


def _own_last(entry: Entry) -> int:
    """The last line of a keyword's own records: its block explains itself."""
    return entry.entries[0].line - 1 if entry.entries else entry.last
