"""Bands and densities of states of models that anybody can compute by hand, as energies from the Fermi energy in hartree."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.support.corpus.crystals import Structure, Vector

Model = Callable[[Vector], list[float]]
"""Energies at a k point, whose coordinates count in reciprocal vectors."""


def cosines(bands: Sequence[tuple[float, float]]) -> Model:
    """Bands of one cosine each: `(energy at Γ, what it changes by at the far end)`, hartree."""

    def energies(k: Vector) -> list[float]:
        wave = (1 - sum(math.cos(2 * math.pi * part) for part in k) / 3) / 2
        return sorted(at_gamma + width * wave for at_gamma, width in bands)

    return energies


MAGNESIA = (
    (-46.6, 0.0), (-18.9, 0.0), (-2.81, 0.0006), (-1.56, -0.002), (-1.55, -0.002), (-1.54, -0.001), (-0.69, 0.08),
    (-0.012, -0.19), (-0.004, -0.16), (0.0, -0.12), (0.2534, 0.31), (0.61, -0.05), (0.62, 0.07), (0.64, 0.11),
)  # fmt: skip
"""Ten occupied bands, whose top lies at Γ, and four empty ones: a gap of 6.895 eV at Γ."""
ROCK_SALT = (
    (-104.4, 0.0),
    (-40.1, 0.0),
    (-10.1, 0.001),
    (-7.6, 0.001),
    (-0.61, -0.02),
    (-0.01, -0.05),
    (0.0, -0.04),
    (0.51, 0.2),
)


def honeycomb(k: Vector) -> list[float]:
    """Two flat bands below, and the two of graphene's p electrons, which touch at K."""
    one, other = 2 * math.pi * k[0], 2 * math.pi * k[1]
    size = math.hypot(1 + math.cos(one) + math.cos(other), math.sin(one) - math.sin(other))
    return [-10.1 - 0.001 * size, -0.62 + 0.03 * size, -0.1 * size, 0.11 * size]


@dataclass(frozen=True)
class Segment:
    """From one k point to another, both in units of `shrink`, in `steps` steps."""

    start: tuple[int, int, int]
    end: tuple[int, int, int]
    steps: int


@dataclass(frozen=True)
class Path:
    """Lines through the Brillouin zone of a structure."""

    structure: Structure
    shrink: int
    segments: tuple[Segment, ...]

    @cached_property
    def reciprocal(self) -> tuple[Vector, ...]:
        """Reciprocal vectors in 1/bohr."""
        a, b, c = (tuple(part / 0.529177 for part in row) for row in self.structure.lattice)
        volume = sum(x * y for x, y in zip(a, _cross(b, c), strict=True))
        return tuple(tuple(2 * math.pi * part / volume for part in _cross(*pair)) for pair in ((b, c), (c, a), (a, b)))  # type: ignore[misc]

    def step(self, segment: Segment) -> float:
        """Length of one step, 1/bohr."""
        across = [(end - start) / self.shrink for start, end in zip(segment.start, segment.end, strict=True)]
        whole = [sum(across[k] * self.reciprocal[k][axis] for k in range(3)) for axis in range(3)]
        return math.sqrt(sum(part * part for part in whole)) / segment.steps

    def points(self, segment: Segment, first: bool) -> list[Vector]:
        """Its k points; the first one only where no line before ends there."""
        return [
            tuple(
                (s + (e - s) * n / segment.steps) / self.shrink for s, e in zip(segment.start, segment.end, strict=True)
            )  # type: ignore[misc]
            for n in range(0 if first else 1, segment.steps + 1)
        ]

    @property
    def parts(self) -> list[tuple[Segment, list[Vector]]]:
        """Every line with its k points."""
        ends = [None, *(one.end for one in self.segments)]
        return [(one, self.points(one, one.start != before)) for one, before in zip(self.segments, ends, strict=False)]


def _cross(a: Sequence[float], b: Sequence[float]) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def density(
    model: Model, energies: Sequence[float], mesh: int = 6, width: float = 0.012, electrons: int = 2
) -> list[float]:
    """States per hartree and cell: each level of a mesh of k points, as wide as `width`."""
    levels = [
        level
        for i in range(mesh) for j in range(mesh) for k in range(mesh)
        for level in model((i / mesh, j / mesh, k / mesh))
    ]  # fmt: skip
    scale = electrons / mesh**3 / width / math.sqrt(2 * math.pi)
    near = [(low, [one for one in levels if abs(one - low) < 6 * width]) for low in energies]
    return [scale * sum(math.exp(-(((one - energy) / width) ** 2) / 2) for one in few) for energy, few in near]


def window(low: float, high: float, count: int) -> list[float]:
    return [low + (high - low) * n / (count - 1) for n in range(count)]
