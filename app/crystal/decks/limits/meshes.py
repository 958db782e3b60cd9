"""Meshes of k points against the symmetry of the crystal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.crystal.structures.bulk import Expanded

SQUARE_LAYERS = 49
"""From this layer group on a and b are equal by symmetry."""


def breaks_symmetry(structure: Expanded, factors: Sequence[int]) -> bool:
    """Do factors of the reciprocal vectors differ along directions that symmetry makes equal?

    CRYSTAL then stops (ANISOTROPIC SHRINKING FACTOR). Told only where an operation takes one reciprocal vector to another, or to
    its negative: whether CRYSTAL also objects where it takes one to a sum of others is not known here.
    """
    if len(factors) < 3 or len(set(factors)) == 1:
        return False
    reciprocal = np.linalg.inv(structure.expand()[0]).T
    back = np.linalg.inv(reciprocal)
    for rotation, _ in structure.symmetry.operators:
        for index, image in enumerate(np.round(reciprocal @ rotation.T @ back)):
            [others] = np.nonzero(image)
            if len(others) == 1 and factors[others[0]] != factors[index]:
                return True
    return False


def layer_breaks_symmetry(group: int, factors: Sequence[int]) -> bool:
    """The same for a slab, by the number of its layer group alone."""
    return group >= SQUARE_LAYERS and len(factors) > 1 and factors[0] != factors[1]
