"""Rows of numbers as Fortran writes them: fields of fixed width, so that a number may touch the one before."""

from __future__ import annotations

import re
from math import isfinite

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][-+]?\d+|(?<=\d)[-+]\d{3}(?=[-+ ]|$))?")


def numbers_in(line: str) -> list[float]:
    """The numbers of a line, also where they touch.

    Raises:
        ValueError: anything else stands there, or what is not finite.
    """
    numbers: list[float] = []
    for part in line.split():
        place = 0
        while place < len(part):
            match = _NUMBER.match(part, place)
            if match is None:
                raise ValueError(f"{part[:20]!r} is not a number")
            numbers.append(_value(match[0]))
            place = match.end()
            if place < len(part) and part[place] not in "+-":
                # Only a sign can begin a number behind another: without one nobody knows where it begins.
                raise ValueError(f"{part[:20]!r} is not a number")
    return numbers


def _value(text: str) -> float:
    text = text.replace("D", "E").replace("d", "e")
    if "E" not in text.upper() and (sign := max(text.rfind("+"), text.rfind("-"))) > 0:
        # An exponent of three digits pushes its letter out.
        text = f"{text[:sign]}E{text[sign:]}"
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text[:20]!r} is not a finite number")
    return value
