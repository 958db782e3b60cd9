"""The small cell behind a supercell of phonons, where the output prints the supercell alone.

With SCELPHONO the program puts the atoms of the small cell on top (it says so) and prints how the supercell is made of it;
both are known from executed outputs of CRYSTAL22.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.crystal.outputs.facts.geometry import Geometry


def expansion(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """The expansion matrix as whole numbers; a direction that is not periodic, printed as zeros, stays as it is.

    Raises:
        ValueError: they are no expansion of a cell.
    """
    matrix = np.array(rows, dtype=float)
    for axis in range(3):
        if not matrix[axis].any() and not matrix[:, axis].any():
            matrix[axis, axis] = 1.0
    whole: np.ndarray = np.rint(matrix)
    if matrix.shape != (3, 3) or abs(matrix - whole).max() > 1e-6 or round(abs(np.linalg.det(whole))) < 1:
        raise ValueError("not an expansion of a cell")
    return whole


def small_cell(supercell: Geometry, rows: Sequence[Sequence[float]], dimension: int) -> Geometry | None:
    """The cell of which `rows` make the supercell; None where both do not fit each other."""
    try:
        matrix = expansion(rows)
        multiple = round(abs(np.linalg.det(matrix)))
        count, rest = divmod(len(supercell.atoms), multiple)
        if rest or not count or supercell.primitive_cell is None:
            return None
    except (ValueError, np.linalg.LinAlgError):
        return None
    inverse = np.linalg.inv(matrix)
    kept = supercell.atoms[:count]
    places = np.array([(atom.x, atom.y, atom.z) for atom in kept])
    inside = places[:, :dimension] @ matrix[:dimension, :dimension]
    places[:, :dimension] = inside - np.ceil(inside - 0.5 - 1e-9)
    atoms = [replace(atom, x=x, y=y, z=z) for atom, (x, y, z) in zip(kept, places.round(9).tolist(), strict=True)]
    return Geometry(
        _parameters(inverse @ _metric(supercell.primitive_cell) @ inverse.T), None,
        supercell.volume / multiple if supercell.volume is not None else None,
        (inverse @ np.array(supercell.lattice)).round(9).tolist() if supercell.lattice else None, atoms, supercell.optimized,
    )  # fmt: skip


def _metric(cell: Sequence[float]) -> np.ndarray:
    """Products of the vectors of a cell, in Å²."""
    lengths = np.array(cell[:3])
    alpha, beta, gamma = np.cos(np.radians(cell[3:6]))
    cosines = np.array([[1.0, gamma, beta], [gamma, 1.0, alpha], [beta, alpha, 1.0]])
    return np.asarray(cosines * np.outer(lengths, lengths))


def _parameters(metric: np.ndarray) -> list[float]:
    """a, b, c in Å, α, β, γ in degrees."""
    lengths = np.sqrt(np.diag(metric))
    cosines = [metric[i, j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]
    angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    return [round(float(part), 8) for part in (*lengths, *angles)]
