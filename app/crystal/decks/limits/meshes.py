"""Meshes of k points against the symmetry of the crystal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.crystal.structures.bulk import Expanded

SQUARE_LAYERS = 49
"""From this layer group on a and b are equal by symmetry."""


def breaks_symmetry(structure: Expanded, factors: Sequence[int]) -> bool:
    """Do factors of the reciprocal vectors differ along directions that symmetry makes equal?

    CRYSTAL then stops (ANISOTROPIC SHRINKING FACTOR). An operation W of the reciprocal lattice maps the mesh n/IS onto itself if
    every W[i, j] · IS[j] / IS[i] is an integer.
    """
    if len(set(factors)) == 1 or len(factors) < 3:
        return False
    reciprocal = np.linalg.inv(structure.expand()[0]).T
    ratio = np.array(factors)[None, :] / np.array(factors)[:, None]
    for rotation, _ in structure.symmetry.operators:
        steps = np.round(reciprocal @ rotation.T @ np.linalg.inv(reciprocal)) * ratio
        if np.abs(steps - np.round(steps)).max() > 1e-6:
            return True
    return False


def layer_breaks_symmetry(group: int, factors: Sequence[int]) -> bool:
    """The same for a slab, by the number of its layer group alone."""
    return group >= SQUARE_LAYERS and len(factors) > 1 and factors[0] != factors[1]
