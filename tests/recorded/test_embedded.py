"""Decks that stand at the head of recorded outputs: they demonstrably ran, so the checker has no error for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.crystal.decks.checker import check_deck
from app.crystal.decks.model import DIMENSIONS
from app.crystal.decks.reading import is_properties
from tests.support.session.reference import RECORDED

KINDS = {*DIMENSIONS, "EXTERNAL", "DLVINPUT"}


def embedded(path: Path) -> tuple[str, str] | None:
    """Role and text of the deck that a wrapper printed before the program's banner; what follows its last END is the wrapper's."""
    lines = path.read_text(encoding="latin-1").split("\n")
    head = lines[: next((index for index, line in enumerate(lines) if line.startswith(" *****")), len(lines))]
    kind = next((index for index, line in enumerate(head) if line.strip() in KINDS), 0)
    if kind:
        return "d12", "\n".join(head[kind - 1 :])
    first = next((index for index, line in enumerate(head) if line[:1].isalpha() and is_properties(line)), None)
    return ("d3", "\n".join(head[first:])) if first is not None else None


def outputs() -> Iterator[Path]:
    for pattern in ("*/*.out", "*/*.outp"):
        yield from sorted(RECORDED.glob(pattern))


DECKS = {path: deck for path in outputs() if (deck := embedded(path)) is not None}


def test_many_outputs_show_their_deck() -> None:
    assert len(DECKS) >= 30
    assert {role for role, _ in DECKS.values()} == {"d12", "d3"}


@pytest.mark.parametrize("path", DECKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_deck_that_ran_has_no_error(path: Path) -> None:
    role, text = DECKS[path]
    assert [finding for finding in check_deck(text, role) if finding.severity == "error"] == []


CASES = RECORDED.parent.parent / "cases" / "decks"


@pytest.mark.parametrize("path", sorted(CASES.glob("*.d*")), ids=lambda path: path.name)
def test_a_case_that_ran_has_no_error(path: Path) -> None:
    text = path.read_text()
    assert [f for f in check_deck(text, path.suffix.lstrip(".")) if f.severity == "error"] == []
