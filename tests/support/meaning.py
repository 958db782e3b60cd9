"""What a deck means, whatever its spelling: two decks are the same when every number and keyword is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.crystal.decks.checker import check_deck
from app.crystal.decks.contents import crystal_of
from app.crystal.decks.model import Deck, Entry
from app.crystal.decks.reading import read_deck
from app.crystal.decks.rewriting import write_deck
from app.crystal.records import number_of


def role_of(path: Path) -> Any:
    return path.suffix.lstrip(".") or None


def meaning(entries: list[Entry]) -> list[Any]:
    """Keywords with their values as numbers where they are numbers: 0.30D+1 and 3.0 mean the same."""
    return [
        (entry.name, [[value(part) for part in row] for row in entry.values], meaning(entry.entries))
        for entry in entries
    ]


def value(part: str) -> Any:
    try:
        return number_of(part)
    except ValueError:
        return part


def assert_same(before: Deck, after: Deck) -> None:
    assert (after.role, after.title, after.basis_name) == (before.role, before.title, before.basis_name)
    old, new = before.geometry, after.geometry
    assert (new.kind, new.group, new.flags[1:], new.shift, new.cell) == (
        old.kind, old.group, old.flags[1:], old.shift, old.cell,
    )  # fmt: skip
    assert [row[0] for row in new.atoms] == [row[0] for row in old.atoms]
    if old.atoms:
        assert np.allclose([row[1:] for row in new.atoms], [row[1:] for row in old.atoms], atol=1e-9)
    assert [(e.number, e.ecp, e.core_charge) for e in after.basis] == [
        (e.number, e.ecp, e.core_charge) for e in before.basis
    ]
    for ours, theirs in zip(after.basis, before.basis, strict=True):
        assert [(s.type, s.angular, s.charge, s.primitives) for s in ours.shells] == [
            (s.type, s.angular, s.charge, s.primitives) for s in theirs.shells
        ]
    for ours, theirs in (
        (new.entries, old.entries),
        (after.hamiltonian, before.hamiltonian),
        (after.properties, before.properties),
    ):
        assert meaning(ours) == meaning(theirs)


def assert_keeps_its_meaning(path: Path) -> None:
    """Written anew it says the same, and so does what is written from that; the checker finds no error in it."""
    before = read_deck(path.read_text(), role_of(path))
    written = write_deck(before)
    after = read_deck(written, before.role)
    assert_same(before, after)
    assert write_deck(after) == written
    assert [f for f in check_deck(written, before.role) if f.severity == "error"] == []
    crystal = crystal_of(before)
    if crystal is not None:
        assert crystal_of(after) == crystal
