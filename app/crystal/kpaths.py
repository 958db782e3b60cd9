"""Band paths in CRYSTAL's own primitive cell and integer form. The high-symmetry points come from seekpath.

Source: Y. Hinuma et al., Comput. Mater. Sci. 128, 140 (2017), as implemented by seekpath.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
import seekpath

from app.crystal.structures import Bulk

MAX_DENOMINATOR = 1000


@dataclass(frozen=True)
class Segment:
    """One straight piece: labels and integer coordinates of both ends, in units 1/shrink of the reciprocal vectors."""

    labels: tuple[str, str]
    start: tuple[int, int, int]
    end: tuple[int, int, int]

    @property
    def record(self) -> str:
        return " ".join(map(str, self.start)) + "  " + " ".join(map(str, self.end))


@dataclass(frozen=True)
class BandPath:
    shrink: int
    segments: tuple[Segment, ...]
    rounded: bool = False

    @property
    def title(self) -> str:
        """Labels such as G-X-U|K-G."""
        text, last = "", ""
        for segment in self.segments:
            start, end = segment.labels
            text += ("" if not text else "" if start == last else f"|{start}") + (start if not text else "") + f"-{end}"
            last = end
        return text


def standard_path(bulk: Bulk) -> BandPath:
    """The standard path of the crystal's Bravais lattice."""
    lattice, numbers, positions = bulk.primitive
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = seekpath.get_path_orig_cell((lattice, positions, numbers), with_time_reversal=True)
    points = {label: np.array(value) for label, value in found["point_coords"].items()}
    used = {label for pair in found["path"] for label in pair}
    fractions = {label: [_fraction(value) for value in points[label]] for label in used}
    shrink = lcm(*(part.denominator for parts in fractions.values() for part in parts))
    rounded = shrink > MAX_DENOMINATOR
    shrink = MAX_DENOMINATOR if rounded else max(shrink, 2)
    segments = tuple(
        Segment(
            (_label(start), _label(end)),
            _integers(fractions[start], shrink),
            _integers(fractions[end], shrink),
        )
        for start, end in found["path"]
    )
    return BandPath(shrink, segments, rounded)


def _fraction(value: float) -> Fraction:
    """Simple fractions exactly; anything that depends on the cell to 1/1000."""
    simple = Fraction(float(value)).limit_denominator(24)
    return simple if abs(float(simple) - value) < 1e-5 else Fraction(float(value)).limit_denominator(MAX_DENOMINATOR)


def _integers(parts: list[Fraction], shrink: int) -> tuple[int, int, int]:
    first, second, third = (round(part * shrink) for part in parts)
    return first, second, third


def _label(label: str) -> str:
    return {"GAMMA": "G"}.get(label, label)
