"""Rows of texts as a table for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

WIDEST = 60
"""Characters of one cell."""


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side; what is too wide is shortened, and what a terminal would obey is replaced."""
    table = [list(headings), *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(headings))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join(lines)


def _plain(cell: str) -> str:
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in cell)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
