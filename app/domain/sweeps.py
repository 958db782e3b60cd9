"""Sweeps: parameters on axes, their points, and where a result has converged. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.domain.templates.answers import read_integer, read_number
from app.domain.templates.fields import FieldSpec

MAX_POINTS = 1000
MAX_AXES = 4
Combination = Literal["grid", "zip"]
MAX_AXIS = 20_000
"""Characters of one axis."""
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eEdD][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})\s+(step|count|log)\s+({_NUMBER})")


@dataclass(frozen=True)
class Axis:
    """A parameter and the values that it takes, each as the template's form would hold it."""

    key: str
    values: tuple[Any, ...]


def read_axis(spec: FieldSpec, text: str) -> Axis:
    """Values of one parameter.

    A list (`4, 6, 8`; with `;` between values that hold blanks or commas, as `4 4 2; 6 6 3`), a range `4..12 step 2` or
    `5.0..5.6 count 7` (both ends belong to it), or a logarithmic range `1e-4..1e-8 log 5`.

    Raises:
        ValueError: which value the parameter does not take, and why.
    """
    text = text.strip()
    if not text:
        raise ValueError("needs values: a list such as 4, 6, 8 or a range such as 4..12 step 2")
    if len(text) > MAX_AXIS:
        raise ValueError(f"has {len(text)} characters; at most {MAX_AXIS} are allowed")
    match = _RANGE.fullmatch(text)
    texts: Sequence[Any] = _range(spec, *match.groups()) if match else _listed(text)
    if len(texts) > MAX_POINTS:
        raise ValueError(f"has {len(texts)} values; at most {MAX_POINTS} are allowed")
    values, seen = [], set[str]()
    for text_value in texts:
        try:
            value = spec.read(text_value)
        except ValueError as error:
            raise ValueError(f"does not accept {str(text_value)[:40]}: it {error}") from error
        if repr(value) in seen:
            raise ValueError(f"has the value {str(text_value)[:40]} twice")
        seen.add(repr(value))
        values.append(value)
    return Axis(spec.key, tuple(values))


def _listed(text: str) -> list[str]:
    for separator in (";", "\n", ","):
        if separator in text:
            return [part.strip() for part in text.split(separator) if part.strip()]
    return text.split()


def _range(spec: FieldSpec, first: str, last: str, kind: str, rest: str) -> list[Any]:
    low, high = read_number(first), read_number(last)
    if kind == "step":
        step = abs(read_number(rest))
        if step == 0 or abs(high - low) / step > MAX_POINTS:
            raise ValueError(f"cannot go from {first} to {last} in steps of {rest}")
        count = math.floor(abs(high - low) / step + 1e-9) + 1
        numbers = [low + math.copysign(step, high - low) * index for index in range(count)]
    else:
        count = read_integer(rest)
        if not 2 <= count <= MAX_POINTS:
            raise ValueError(f"needs 2 to {MAX_POINTS} values in a range, not {rest}")
        if kind == "log" and (low <= 0 or high <= 0):
            raise ValueError("needs positive limits for a logarithmic range")
        shares = [index / (count - 1) for index in range(count)]
        numbers = [low * (high / low) ** share if kind == "log" else low + (high - low) * share for share in shares]
    # What a person would write: 5.3, not 5.300000000000001.
    rounded = [float(f"{number:.10g}") for number in numbers]
    whole = spec.type in ("integer", "kmesh", "choice")
    return [int(number) if whole and number.is_integer() else number for number in rounded]


def points(axes: Sequence[Axis], how: Combination) -> list[dict[str, Any]]:
    """All points: of a grid every combination, the last axis fastest; of a zip the first values together, and so on.

    Raises:
        ValueError: no axis, one parameter twice, axes of a zip that differ in length, or too many points.
    """
    if not 1 <= len(axes) <= MAX_AXES:
        raise ValueError(f"a sweep has 1 to {MAX_AXES} axes")
    keys = [axis.key for axis in axes]
    if len(set(keys)) < len(keys):
        raise ValueError("each parameter may be on only one axis")
    lengths = [len(axis.values) for axis in axes]
    if how == "zip" and len(set(lengths)) > 1:
        raise ValueError(
            f"axes combined pairwise must have the same length; they have {', '.join(map(str, lengths))} values"
        )
    count = math.prod(lengths) if how == "grid" else lengths[0]
    if count > MAX_POINTS:
        raise ValueError(f"has {count} points; at most {MAX_POINTS} are allowed")
    values = [axis.values for axis in axes]
    combined = itertools.product(*values) if how == "grid" else zip(*values, strict=True)
    return [dict(zip(keys, combination, strict=True)) for combination in combined]


def corners(axes: Sequence[Axis], how: Combination) -> list[dict[str, Any]]:
    """The first and last value of each axis, combined: what is worth a look before all of it is submitted."""
    if how == "zip":
        together = points(axes, "zip")
        return together[:1] + together[-1:] if len(together) > 1 else together
    ends = [Axis(axis.key, (axis.values[0], axis.values[-1]) if len(axis.values) > 1 else axis.values) for axis in axes]
    return points(ends, "grid")


def converged_at(values: Sequence[float | None], tolerance: float) -> int | None:
    """The first point from which on every known value lies within `tolerance` of the last known one, in the same unit.

    None where that is the last one itself: nothing confirms it yet.
    """
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    last = known[-1][1]
    first = known[-1][0]
    for index, value in reversed(known):
        if abs(value - last) > tolerance:
            break
        first = index
    return first if first != known[-1][0] else None


def settled(values: Sequence[float | None], tolerance: float) -> bool:
    """Two changes in a row, from the start without a gap, are within `tolerance`: further points would tell nothing new."""
    known = list(itertools.takewhile(lambda value: value is not None, values))
    changes = [abs(b - a) for a, b in itertools.pairwise(known) if a is not None and b is not None]
    return any(first <= tolerance and second <= tolerance for first, second in itertools.pairwise(changes))


def label(value: Any) -> str:
    """A value on an axis as text: 8, 5.3, 4 4 2."""
    return (
        " ".join(map(str, value))
        if isinstance(value, (list, tuple))
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def position(value: Any) -> float | None:
    """Where a value lies on a numerical axis; shrinking factors by their product's cube root."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, (int, float)) for part in value):
        return float(math.prod(value) ** (1 / len(value)))
    try:
        return read_number(value)
    except ValueError:
        return None


_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def fill_name(pattern: str, known: Mapping[str, Any]) -> str:
    """A naming pattern such as `{source}-{shrink}` with values in it.

    Raises:
        ValueError: it names something that is not known.
    """
    unknown = sorted({key for key in _PLACE.findall(pattern) if key not in known})
    if unknown:
        raise ValueError(f"names {', '.join(unknown)}; known names: {', '.join(sorted(known))}")
    return _PLACE.sub(lambda match: label(known[match.group(1)]), pattern)
