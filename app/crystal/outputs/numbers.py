"""Numbers as Fortran writes them."""

from __future__ import annotations

from math import isfinite


def finite_number(text: str) -> float:
    """A number of a table, in which also NaN may stand.

    Raises:
        ValueError
    """
    value = number(text)
    if not isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def number(text: str) -> float:
    """A number as Fortran writes it."""
    try:
        return float(text)
    except ValueError:
        return float(text.replace("D", "E").replace("d", "e"))
