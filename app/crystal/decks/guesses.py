"""Which basis set a job's decks use, and whether the wave function of one job can be read by another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.crystal.decks.model import Deck
from app.crystal.decks.reading import read_deck
from app.crystal.decks.rendering import written_roles


def same_basis(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Why a wave function of `theirs` is no guess for `ours`, both decks by name; empty: nothing speaks against it."""
    own, other = _main_deck(ours), _main_deck(theirs)
    if own is None or other is None or _basis(own) == _basis(other):
        return ""
    return f"was computed with a different basis set ({_basis_words(other)}); GUESSP needs the same one"


def basis_name(decks: Mapping[str, str]) -> str:
    """The basis set that a job's deck names; empty where it writes one out, or where there is no deck."""
    deck = _main_deck(decks)
    return deck.basis_name or "" if deck is not None else ""


def has_main_deck(decks: Mapping[str, str]) -> bool:
    """Is there a deck of crystal among them?"""
    return "d12" in written_roles(decks).values()


def _main_deck(decks: Mapping[str, str]) -> Deck | None:
    name = next((name for name, role in written_roles(decks).items() if role == "d12"), None)
    return read_deck(decks[name], "d12") if name is not None else None


def _basis(deck: Deck) -> Any:
    if deck.basis_name:
        return deck.basis_name
    return sorted((element.number, tuple((s.angular, s.primitives) for s in element.shells)) for element in deck.basis)


def _basis_words(deck: Deck) -> str:
    return deck.basis_name or "an explicit one"
