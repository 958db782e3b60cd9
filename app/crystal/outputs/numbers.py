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


def finite_numbers(texts: list[str]) -> list[float]:
    """Numbers of a row at once, which is quick where they are ordinary ones.

    Raises:
        ValueError: one is none, or not finite.
    """
    try:
        values = list(map(float, texts))
    except ValueError:
        return [finite_number(text) for text in texts]
    if not isfinite(sum(values)):
        raise ValueError("a number is not finite")
    return values


def number(text: str) -> float:
    """A number as Fortran writes it."""
    try:
        return float(text)
    except ValueError:
        return float(text.replace("D", "E").replace("d", "e"))
