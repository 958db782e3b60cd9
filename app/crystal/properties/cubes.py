"""Gaussian cube files (densities, potentials): their head, and a coarser copy for a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.crystal.constants import BOHR

MAX_VALUES = 20_000_000
PICTURE_VALUES = 200_000
"""A surface drawn from more values looks the same."""


class CubeError(ValueError):
    """The file is no cube file, or is cut."""


@dataclass(frozen=True)
class Cube:
    """Values (nx, ny, nz) on a grid: origin and steps (3, 3) in bohr, atoms as (Z, x, y, z) in bohr."""

    title: str
    origin: np.ndarray
    steps: np.ndarray
    atoms: list[tuple[int, float, float, float]]
    values: np.ndarray

    def thinned(self, limit: int = PICTURE_VALUES) -> Cube:
        """Every second, third … point along each axis, so that no more than `limit` values are left."""
        stride = 1
        while np.prod([-(-size // stride) for size in self.values.shape]) > limit:
            stride += 1
        return Cube(self.title, self.origin, self.steps * stride, self.atoms, self.values[::stride, ::stride, ::stride])

    def as_text(self) -> str:
        """The grid as a Gaussian cube file; lengths in bohr."""
        lines = [self.title[:80], "coarser copy for a picture", _row(len(self.atoms), self.origin)]
        lines += [_row(size, step) for size, step in zip(self.values.shape, self.steps, strict=True)]
        lines += [f"{z:5d} {0.0:12.6f} {x:12.6f} {y:12.6f} {w:12.6f}" for z, x, y, w in self.atoms]
        for row in self.values.reshape(-1, self.values.shape[2]):
            lines += [" ".join(f"{value:.5e}" for value in row[place : place + 6]) for place in range(0, len(row), 6)]
        return "\n".join(lines) + "\n"


def read_cube(text: str) -> Cube:
    """A cube file with one value on each point.

    Raises:
        CubeError
    """
    lines = text.split("\n")
    try:
        count, origin = int(lines[2].split()[0]), np.array([float(part) for part in lines[2].split()[1:4]])
        sizes = [int(lines[place].split()[0]) for place in (3, 4, 5)]
        steps = np.array([[float(part) for part in lines[place].split()[1:4]] for place in (3, 4, 5)])
        atoms = [_atom(line) for line in lines[6 : 6 + abs(count)]]
        # A negative number of atoms announces a line of orbital numbers.
        body = lines[6 + abs(count) + (1 if count < 0 else 0) :]
    except (ValueError, IndexError) as error:
        raise CubeError("its header is not that of a cube file") from error
    wanted = abs(sizes[0] * sizes[1] * sizes[2])
    if not 0 < wanted <= MAX_VALUES or origin.shape != (3,) or steps.shape != (3, 3):
        raise CubeError(f"a grid of {sizes[0]} × {sizes[1]} × {sizes[2]} points is implausible")
    values = np.fromstring(" ".join(body).replace("D", "E"), sep=" ")
    if len(values) < wanted:
        raise CubeError(f"it has {len(values)} of {wanted} values: the file is truncated")
    if any(size < 0 for size in sizes):
        # Negative sizes say that lengths are in ångström.
        origin, steps = origin / BOHR, steps / BOHR
    shape = [abs(size) for size in sizes]
    return Cube(lines[0].strip(), origin, steps, atoms, values[:wanted].reshape(shape))


def _atom(line: str) -> tuple[int, float, float, float]:
    parts = line.split()
    return int(parts[0]), float(parts[2]), float(parts[3]), float(parts[4])


def _row(count: int, vector: np.ndarray) -> str:
    return f"{count:5d} {vector[0]:12.6f} {vector[1]:12.6f} {vector[2]:12.6f}"
