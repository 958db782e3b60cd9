"""Recorded decks as somebody hands them in."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import InvalidInput
from tests.crystal.decks.golden import LIBRARY


def test_an_own_deck_is_not_changed(recorded: Path) -> None:
    deck = (recorded / "c22-molecule-pbe0-d3-gcp/mole-scf.d12").read_text()
    made = LIBRARY.render("raw", {"deck": deck.replace("\n", "\r\n")})
    assert made.decks == {"raw.d12": deck.strip() + "\n"}
    assert made.title.startswith("Form0paracetamol")
    properties = (recorded / "c17-mgo-spin-band/mgo_SPIN_BAND.d3").read_text()
    scf = (recorded / "c17-mgo-spin-band/mgo_SPIN.d12").read_text()
    assert list(LIBRARY.render("raw", {"deck": scf, "properties": properties}).decks) == ["raw.d12", "raw.d3"]
    for wrong, words in (
        (deck.replace("ENDSCF", ""), "not closed by END"),
        ((recorded / "c17-nio-afm-guessp/INPUT").read_text(), "fort.34"),
    ):
        with pytest.raises(InvalidInput, match=words):
            LIBRARY.render("raw", {"deck": wrong})
