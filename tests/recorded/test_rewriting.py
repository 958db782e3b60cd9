"""Every recorded deck, written anew through the models of structure, basis set and Hamiltonian, keeps its meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.decks.reading import read_deck
from app.crystal.decks.rewriting import CannotRewrite, write_deck
from tests.support.meaning import assert_keeps_its_meaning, role_of
from tests.support.session.reference import RECORDED

DECKS = sorted(path for pattern in ("*/*.d12", "*/*.d3", "*/INPUT") for path in RECORDED.glob(pattern))


@pytest.mark.parametrize("path", DECKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_recorded_deck_keeps_its_meaning(path: Path) -> None:
    if path.parent.name == "c17-itol-error":
        with pytest.raises(CannotRewrite, match="TOLINTEG"):
            write_deck(read_deck(path.read_text(), role_of(path)))
        return
    assert_keeps_its_meaning(path)


def test_there_are_recorded_decks() -> None:
    assert len(DECKS) >= 25
