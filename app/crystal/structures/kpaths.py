"""Band paths in CRYSTAL's own primitive cell and integer form. The high-symmetry points come from seekpath.

Source: Y. Hinuma et al., Comput. Mater. Sci. 128, 140 (2017), as implemented by seekpath.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import seekpath

from app.crystal.structures.bulk import Matrix
from app.crystal.structures.geometries import Structure

MAX_DENOMINATOR = 1000


@dataclass(frozen=True)
class Segment:
    """One straight piece: labels and integer coordinates of both ends, in units 1/shrink of the reciprocal vectors."""

    labels: tuple[str, str]
    start: tuple[int, int, int]
    end: tuple[int, int, int]

    @property
    def record(self) -> str:
        """The segment as a record of BAND: start and end, in units of 1/shrink."""
        return " ".join(map(str, self.start)) + "  " + " ".join(map(str, self.end))

    def record_in(self, dimension: int) -> str:
        """One integer per periodic direction and end, as the dispersion of phonons takes them."""
        return "  ".join(" ".join(map(str, end[:dimension])) for end in (self.start, self.end))


@dataclass(frozen=True)
class BandPath:
    """Segments through the Brillouin zone with their common shrinking factor; `rounded`: some ends are not exact."""

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


def standard_path(structure: Structure) -> BandPath:
    """The standard path of a structure's Bravais lattice, by dimension."""
    if structure.dimension == 3:
        return _path_of_bulk(structure)
    if structure.dimension == 2:
        return own_path(_rows(_path_of_layer(structure.primitive[0])), 2)
    return own_path(_rows([("G", "X")]), 1)


_POINTS = {
    "G": (0, 0, 0), "X": (0.5, 0, 0), "Y": (0, 0.5, 0), "M": (0.5, 0.5, 0), "S": (0.5, 0.5, 0), "H": (0.5, 0.5, 0),
    "K": (1 / 3, 1 / 3, 0), "Kp": (2 / 3, -1 / 3, 0),
}  # fmt: skip
"""Special points of two-dimensional lattices, fractions of the primitive reciprocal vectors."""


def _path_of_layer(lattice: Matrix) -> list[tuple[str, str]]:
    """Pairs of labels for the five plane lattices; a centred rectangular one is treated by its rhombic primitive cell."""
    first, second = lattice[0, :2], lattice[1, :2]
    a, b = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    cosine = float(first @ second) / (a * b)
    if abs(a - b) < 1e-3 and abs(abs(cosine) - 0.5) < 1e-3:
        # With γ = 120° K is (1/3, 1/3); with 60° it is (2/3, -1/3).
        corner = "K" if cosine < 0 else "Kp"
        return [("G", "X"), ("X", corner), (corner, "G")]
    if abs(a - b) < 1e-3 and abs(cosine) < 1e-3:
        return [("G", "X"), ("X", "M"), ("M", "G")]
    if abs(cosine) < 1e-3:
        return [("G", "X"), ("X", "S"), ("S", "Y"), ("Y", "G")]
    return [("G", "X"), ("X", "H"), ("H", "Y"), ("Y", "G")]


def _rows(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    names = {"X": "M", "Kp": "K"} if any(label in ("K", "Kp") for pair in pairs for label in pair) else {}
    return [
        {"from": names.get(start, start), "to": names.get(end, end)}
        | dict(zip(("x1", "y1", "z1"), _POINTS[start], strict=True))
        | dict(zip(("x2", "y2", "z2"), _POINTS[end], strict=True))
        for start, end in pairs
    ]


def own_path(rows: Sequence[Mapping[str, Any]], dimension: int) -> BandPath:
    """A path by its segments: labels and fractions of both ends.

    Raises:
        ValueError: a segment without length, or a fraction along a direction without period.
    """
    ends = []
    for number, row in enumerate(rows, start=1):
        both = [[float(row[f"{axis}{end}"]) for axis in "xyz"] for end in (1, 2)]
        if any(abs(part) > 1e-9 for end in both for part in end[dimension:]):
            raise ValueError(f"row {number}: fractions along non-periodic directions must be 0")
        if max(abs(a - b) for a, b in zip(*both, strict=True)) < 1e-6:
            raise ValueError(f"row {number} ends where it begins")
        ends.append(([_fraction(part) for part in both[0]], [_fraction(part) for part in both[1]]))
    shrink = max(lcm(*(part.denominator for pair in ends for end in pair for part in end)), 2)
    rounded = shrink > MAX_DENOMINATOR
    shrink = min(shrink, MAX_DENOMINATOR)
    segments = tuple(
        Segment((str(row["from"]), str(row["to"])), _integers(start, shrink), _integers(end, shrink))
        for row, (start, end) in zip(rows, ends, strict=True)
    )
    return BandPath(shrink, segments, rounded)


def _path_of_bulk(structure: Structure) -> BandPath:
    lattice, numbers, positions = structure.primitive
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        path = seekpath.get_path_orig_cell((lattice, positions, numbers), with_time_reversal=True)
    points = {label: np.array(value) for label, value in path["point_coords"].items()}
    used = {label for pair in path["path"] for label in pair}
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
        for start, end in path["path"]
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
