"""Numbers of a CIF as they are written: `0.123(4)` is 0.123, known to its last digit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_NUMBER = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:\((\d*)\)?)?(?:[eEdD]([+-]?\d{1,3}))?(?:\((\d*)\)?)?")
_FRACTION = re.compile(r"([+-]?\d{1,3})/(\d{1,3})")
WIDEST = 0.011
"""A coordinate of fewer than two digits was not rounded: 0.5 is one half."""


@dataclass(frozen=True)
class Written:
    """A number, the value of one unit in its last digit, and its standard uncertainty (0: not told)."""

    value: float
    unit: float = 0.0
    uncertainty: float = 0.0

    @property
    def reach(self) -> float:
        """How far the exact value may be from the one that is written."""
        return min(max(1.01 * self.unit, 3 * self.uncertainty), WIDEST)


def read_number(text: str) -> Written | None:
    """The number that a text is; None: it is none."""
    compact = text.strip().replace(" ", "").replace("\u2212", "-")
    if (fraction := _FRACTION.fullmatch(compact)) and int(fraction[2]):
        return Written(float(Fraction(int(fraction[1]), int(fraction[2]))))
    match = _NUMBER.fullmatch(compact)
    if match is None or not (match[2] or match[3]):
        return None
    sign, whole, decimals, before, exponent, behind = match.groups()
    uncertain = int(before or behind or 0) if len(before or behind or "") < 5 else 0
    power = int(exponent or 0)
    try:
        value = float(f"{sign}{whole or 0}.{decimals or 0}e{power}")
        unit = 10.0 ** (power - len(decimals or ""))
        return Written(value, unit if decimals or power else 0.0, uncertain * unit)
    except OverflowError:
        return None
