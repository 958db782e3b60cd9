"""Rules for the basis set: every element has one, and the occupations make the cell neutral."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from app.crystal.decks.contents import CHANGES_ATOMS, atomic_number, atoms_per_cell, nuclear_charge
from app.crystal.decks.internal_basis import INTERNAL_SETS, uncovered
from app.crystal.decks.model import Deck, Finding
from app.crystal.elements import SYMBOLS


def check_basis(deck: Deck) -> Iterator[Finding]:
    """Every element of the structure has one basis, and the occupations make the cell neutral."""
    numbers = Counter(row[0] for row in deck.geometry.atoms)
    inserted = [int(record[0]) for e in deck.geometry.entries if e.name == "ATOMINSE" for record in e.values[1:]]
    replaced = [int(record[1]) for e in deck.geometry.entries if e.name == "ATOMSUBS" for record in e.values[1:]]
    wanted = {*numbers, *inserted, *replaced}
    changed = any(entry.name in CHANGES_ATOMS for entry in deck.geometry.entries)
    if deck.basis_name:
        if (
            wanted
            and deck.basis_name in INTERNAL_SETS
            and (missing := uncovered(deck.basis_name, tuple(z for z in map(atomic_number, wanted) if z)))
        ):
            yield Finding(
                deck.basis_line,
                "error",
                "BASISSET",
                f"{deck.basis_name} has no basis for {', '.join(missing)}",
                "Choose another set, or write one out.",
            )
        return
    if not deck.basis:
        return
    counts = Counter(element.number for element in deck.basis)
    for element in deck.basis:
        if counts[element.number] > 1:
            yield Finding(element.line, "error", "basis set", f"{element.number} appears twice", "Remove one of them.")
            return
    for number in sorted(wanted - set(counts)):
        # A keyword may have taken the last atom of an element away; a ghost (0) has the functions that it is given.
        sure = number and (not changed or number in (*inserted, *replaced))
        symbol = SYMBOLS[atomic_number(number)]
        yield Finding(
            deck.basis_line,
            "error" if sure else "warning",
            "basis set",
            f"{symbol} ({number}) has no basis",
            f"Add a block {number} NSHELL.",
        )
    yield from _check_charge(deck)


def _check_charge(deck: Deck) -> Iterator[Finding]:
    """The formal occupations must make the cell neutral."""
    if deck.find("GHOSTS", "CHEMOD") or "CHARGED" in deck.text.split():
        return
    charge = {element.number: nuclear_charge(element) - element.charge for element in deck.basis}
    if all(abs(value) < 1e-6 for value in charge.values()):
        return
    if any(entry.name in CHANGES_ATOMS for entry in deck.geometry.entries):
        return
    counts = atoms_per_cell(deck)
    if counts is None or any(number not in charge for number in counts):
        return
    total = sum(charge[number] * count for number, count in counts.items())
    if abs(total) > 1e-6:
        guilty = next(element for element in deck.basis if abs(charge[element.number]) > 1e-6)
        yield Finding(
            guilty.line,
            "error",
            "basis set",
            f"the occupations give the cell a charge of {total:+g}; it must be neutral",
            "Correct the occupations CHE of the shells, or add CHARGED.",
        )
