"""Every recorded deck, written anew through the models of structure, basis set and Hamiltonian, keeps its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.crystal.checker import check_deck, crystal_of
from app.crystal.deck import Deck, Entry, read_deck
from app.crystal.records import number_of
from app.crystal.rewriting import CannotRewrite, write_deck

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "crystal"
DECKS = sorted(
    path
    for pattern in ("*/*.d12", "*/*.d3", "*/INPUT")
    for path in (RECORDED.glob(pattern) if RECORDED.is_dir() else ())
)


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


def flat(rows: list[Any]) -> list[Any]:
    return [part for row in rows for part in (flat(row) if isinstance(row, list) else [row])]


def same(before: Deck, after: Deck) -> None:
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


@pytest.mark.parametrize("path", DECKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_recorded_deck_keeps_its_meaning(path: Path) -> None:
    text = path.read_text()
    before = read_deck(text, role_of(path))
    if path.parent.name == "c17-itol-error":
        with pytest.raises(CannotRewrite, match="TOLINTEG"):
            write_deck(before)
        return
    written = write_deck(before)
    after = read_deck(written, before.role)
    same(before, after)
    assert write_deck(after) == written
    assert [f for f in check_deck(written, before.role) if f.severity == "error"] == []
    crystal = crystal_of(before)
    if crystal is not None:
        assert crystal_of(after) == crystal


def test_there_are_recorded_decks(recorded: Path) -> None:
    assert len(DECKS) >= 25


def test_what_is_not_known_is_not_dropped() -> None:
    deck = "t\nCRYSTAL\n0 0 0\n225\n4.21\n1\n12 0 0 0\nBASISSET\nSTO-3G\nNEWKEYWORD\n1 2 3\nSHRINK\n2 2\nEND\n"
    with pytest.raises(CannotRewrite, match="NEWKEYWORD"):
        write_deck(read_deck(deck, "d12"))
