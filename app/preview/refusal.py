"""How the preview engine says no: in CRYSTAL's own error notation, naming the keyword."""

from __future__ import annotations


class Refusal(Exception):
    """The deck asks for something that is not implemented or is wrong."""


def not_implemented(keyword: str) -> Refusal:
    """The refusal of a keyword."""
    return Refusal(f"KEYWORD {keyword} IS NOT IMPLEMENTED BY THE PREVIEW ENGINE")
