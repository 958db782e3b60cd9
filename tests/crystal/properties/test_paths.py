"""Names of points: those that a file or a deck tells, and no guesses."""

from __future__ import annotations

import numpy as np
import pytest

from app.crystal.properties.bands import Bands, read_bands
from app.crystal.properties.crgra import read_blocks
from app.crystal.properties.fort25 import bands_of
from app.crystal.properties.paths import name_nodes
from tests.support.corpus import CORPUS


def bands(*names: str) -> Bands:
    nodes = [(float(place), name) for place, name in enumerate(names)]
    return Bands(np.arange(len(names), dtype=float), np.zeros((1, 1, len(names))), nodes, -0.25)


def deck(title: str, *rows: str, shrink: int = 8) -> str:
    return "\n".join(["BAND", title, f"{len(rows)} {shrink} 60 1 14 1 0", *rows, "END"])


def names(found: Bands, text: str, beside: Bands | None = None) -> list[str]:
    return [name for _, name in name_nodes(found, text, beside)]


def test_letters_of_crystal14_say_nothing() -> None:
    """It writes A for every point: the deck or fort.25 tell them, or nobody."""
    found = read_bands((CORPUS / "nacl-crystal14" / "main.BAND").read_text())
    assert names(found, "") == [""] * 5
    beside = bands_of(read_blocks((CORPUS / "nacl-crystal14" / "main.f25").read_text()))
    assert names(found, "", beside)[:2] == ["(0,0,0)", "(6,0,6)"]
    rows = ("0 0 0  6 0 6", "6 0 6  6 3 9", "6 3 9  6 6 6", "6 6 6  0 0 0")
    assert names(found, deck("NaCl", *rows, shrink=12))[1:3] == ["(6,0,6)/12", "(6,3,9)/12"]
    # A point may well be called A.
    assert names(bands("Γ", "A"), "") == ["Γ", "A"]


def test_a_title_of_names() -> None:
    found = bands("(0,0,0)/8", "(4,0,4)/8", "(5,2,5)/8", "(0,0,0)/8")
    assert names(found, deck("G-X-U|K-G", "0 0 0 4 0 4", "4 0 4 5 2 5", "3 3 6 0 0 0")) == ["Γ", "X", "U|K", "Γ"]
    jump = bands("(0,0,0)", "(4,0,4)", "(5,2,5)|(3,3,6)", "(0,0,0)")
    assert names(jump, deck("GAMMA-X-U-GAMMA")) == [name for _, name in jump.nodes]
    assert names(jump, deck("GAMMA-X-U|K-GAMMA", "0 0 0 4 0 4")) == ["Γ", "X", "U|K", "Γ"]


@pytest.mark.parametrize("title", ["band-structure", "MgO-bulk", "X-G", "G-G", "G-X-M", "NiO", "", "G-x"])
def test_titles_that_are_no_names_of_this_path(title: str) -> None:
    """Words between dashes, names that put Γ elsewhere, or more names than points."""
    assert names(bands("(0,0,0)/8", "(4,0,4)/8"), deck(title, "0 0 0  4 0 4")) == ["(0,0,0)/8", "(4,0,4)/8"]


def test_a_path_by_names() -> None:
    """With the shrinking factor zero the deck names the points."""
    assert names(bands("A", "A", "A"), deck("any title", "G X", "X W", shrink=0)) == ["Γ", "X", "W"]
    assert names(bands("A", "A", "A"), deck("any title", "G X", "K L", shrink=0)) == ["Γ", "X|K", "L"]


@pytest.mark.parametrize(
    "text", ["BAND", "BAND\nt", "BAND\nt\nx y", "BAND\nt\n9 8 1", "BAND\nt\n1 8\na b c d e f", "BAND\nt\n-1 8\n"]
)
def test_decks_that_are_cut_name_nothing(text: str) -> None:
    assert names(bands("A", "A"), "BAND" + text) == ["", ""]
