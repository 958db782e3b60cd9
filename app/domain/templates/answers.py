"""Answers as people and notebooks give them: texts or JSON become typed values, or a reason why not.

Every function raises ValueError with the reason in words, without the field's name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2

_FORTRAN_EXPONENT = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")
FILE_REFERENCE = re.compile(
    r"job:[a-z2-7]{4,16}/[^\s/][^\x00-\x1f/]{0,120}|upload:[0-9a-f]{64}/[^\s/][^\x00-\x1f/]{0,120}"
)
"""A file of a job, or an uploaded file, by its checksum."""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def fits(pattern: str, text: str) -> bool:
    """Does the whole text match? RE2 takes time linear in the text, whatever pattern a template's author writes."""
    return _compiled(pattern).fullmatch(text) is not None


def check_pattern(pattern: str) -> None:
    """Raise ValueError where this is no regular expression of RE2."""
    try:
        _compiled(pattern)
    except re2.error as error:
        fault = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"the pattern {pattern[:60]!r} is not a valid expression: {fault}") from error


def read_cell(kind: str, cell: Any, pattern: str = "", low: float | None = None, high: float | None = None) -> Any:
    """One cell of a table: `kind` is integer, number or string."""
    if kind == "string":
        if not isinstance(cell, (str, int)) or isinstance(cell, bool):
            raise ValueError("must be text")
        text = str(cell)
        if pattern and not fits(pattern, text):
            raise ValueError(f"must match {pattern}")
        return text
    number = read_integer(cell) if kind == "integer" else read_number(cell)
    return check_range(number, low, high)


def read_integer(raw: Any) -> int:
    """A whole number; True, 8.9 and '8.9' are refused rather than truncated."""
    if isinstance(raw, bool) or not isinstance(raw, (int, str, float)):
        raise ValueError("must be an integer")
    if isinstance(raw, str) and not re.fullmatch(r"[+-]?\d{1,18}", raw.strip()):
        raise ValueError("must be an integer of at most 18 digits")
    if isinstance(raw, float) and not raw.is_integer():
        raise ValueError("must be an integer")
    number = int(raw)
    if abs(number) >= 10**18:
        raise ValueError("must be an integer of at most 18 digits")
    return number


def read_number(raw: Any) -> float:
    """A finite number; fractions such as 1/3 and Fortran exponents such as 1.0D-3 are understood."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise ValueError("must be a number")
    try:
        if isinstance(raw, str):
            numerator, slash, denominator = _FORTRAN_EXPONENT.sub("e", raw.strip()).partition("/")
            value = float(numerator) / float(denominator) if slash else float(numerator)
        else:
            value = float(raw)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError("must be a number") from None
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def read_boolean(raw: Any) -> bool:
    """True or false from a form's or a notebook's value; nothing is false. Raises ValueError for anything else."""
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in ("true", "on", "1", "yes"):
        return True
    if raw is None or (isinstance(raw, str) and raw.lower() in ("", "false", "off", "0", "no")):
        return False
    raise ValueError("must be true or false")


def check_range(value: float, low: float | None, high: float | None) -> float:
    """The value, if it lies within the limits (None: no limit); otherwise raises ValueError."""
    if low is not None and value < low:
        raise ValueError(f"must be at least {low:g}")
    if high is not None and value > high:
        raise ValueError(f"must be at most {high:g}")
    return value


def read_mesh(raw: Any, low: float | None = None, high: float | None = None) -> list[int]:
    """Shrinking factors: one for all directions, or one for each: 8, '8 8 4', [8, 8, 4]."""
    if isinstance(raw, str):
        raw = raw.replace(",", " ").split()
    parts = raw if isinstance(raw, (list, tuple)) else [raw]
    if len(parts) not in (1, 3):
        raise ValueError("must be one or three shrinking factors")
    factors = [int(check_range(read_integer(part), low, high)) for part in parts]
    return factors[:1] if len(set(factors)) == 1 else factors


def read_file(raw: Any) -> str:
    """A reference to a file that is here: `job:<id>/<name>` or `upload:<sha256>/<name>`."""
    if not isinstance(raw, str) or not FILE_REFERENCE.fullmatch(raw.strip()):
        raise ValueError("must name a file as job:<id>/<name> or upload:<sha256>/<name>")
    return raw.strip()


def read_several(raw: Any, known: list[str]) -> list[str]:
    """Some of the known values, in their order."""
    parts = raw.replace(",", " ").split() if isinstance(raw, str) else raw
    if not isinstance(parts, (list, tuple)):
        raise ValueError("must be a list")
    chosen = {str(part) for part in parts}
    if unknown := sorted(chosen.difference(known)):
        raise ValueError(f"does not know {shortened(listed(unknown), 200)}; choose from {listed(known)}")
    return [value for value in known if value in chosen]


def listed(values: Sequence[str], most: int = 20) -> str:
    """The first values, and how many more there are."""
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def shortened(value: Any, length: int = 80) -> str:
    """The beginning of a value as text, for an error; what is large is not written out first."""
    if isinstance(value, (list, tuple, dict)):
        return f"{len(value)} entries" if len(value) > length else str(value)[:length]
    return str(value)[:length]
