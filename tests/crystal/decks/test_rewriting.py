"""Decks, written anew through the models of structure, basis set and Hamiltonian, keep their meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.decks.reading import read_deck
from app.crystal.decks.rewriting import CannotRewrite, write_deck
from tests.crystal.decks.golden import EXPECTED
from tests.support.corpus import CORPUS
from tests.support.meaning import assert_keeps_its_meaning

FAULTY = CORPUS / "decks" / "four-tolerances.d12"
DECKS = sorted(
    path for pattern in ("*.d12", "*.d3") for folder in (CORPUS, EXPECTED) for path in folder.glob(f"*/{pattern}")
)


@pytest.mark.parametrize(
    "path", [path for path in DECKS if path != FAULTY], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_a_deck_keeps_its_meaning(path: Path) -> None:
    assert_keeps_its_meaning(path)


def test_a_deck_with_a_fault_is_not_rewritten() -> None:
    with pytest.raises(CannotRewrite, match="TOLINTEG"):
        write_deck(read_deck(FAULTY.read_text(), "d12"))


def test_what_is_not_known_is_not_dropped() -> None:
    deck = "t\nCRYSTAL\n0 0 0\n225\n4.21\n1\n12 0 0 0\nBASISSET\nSTO-3G\nNEWKEYWORD\n1 2 3\nSHRINK\n2 2\nEND\n"
    with pytest.raises(CannotRewrite, match="NEWKEYWORD"):
        write_deck(read_deck(deck, "d12"))
