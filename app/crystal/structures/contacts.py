"""Which two atoms are suspiciously close: judged by their covalent radii, since 0.9 Å is a bond of hydrogen and none of oxygen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.crystal.elements import SYMBOLS

SUSPICIOUS = 0.65
"""Share of the sum of both radii. The shortest bonds there are (N≡N, CO, H–H under pressure) have 0.75 or more."""
_SAME = 1e-6


@dataclass(frozen=True)
class Contact:
    """Places of two atoms from 0 on (the same one, where it is near its own image), their distance and the sum of radii in Å."""

    first: int
    second: int
    distance: float
    bond: float


def shortest_contact(
    numbers: Sequence[int], positions: np.ndarray, lattice: np.ndarray, dimension: int
) -> Contact | None:
    """The pair of atoms that are closest for their size, where they are suspiciously close.

    Args:
        numbers: atomic numbers; 0 is an atom without a nucleus, which may stand anywhere.
        positions: fractional along the first `dimension` axes, Å along the others; lattice: its vectors as rows, Å.
    """
    # Imported where they are used: the command line and the service's own process start without them.
    import gemmi
    from scipy.spatial import cKDTree

    places = [place for place, z in enumerate(numbers) if 0 < z < len(SYMBOLS)]
    if not places:
        return None
    radii = np.array([gemmi.Element(SYMBOLS[numbers[place]]).covalent_r for place in places])
    reach = 2 * SUSPICIOUS * float(radii.max())
    wrapped = np.array(positions, dtype=float)[places]
    wrapped[:, :dimension] -= np.floor(wrapped[:, :dimension])
    points, owners = wrapped, np.arange(len(places))
    # Atoms within a distance d differ by at most d / h in a coordinate, h being the distance of the lattice planes.
    margin = reach * np.linalg.norm(np.linalg.inv(lattice), axis=0)
    for axis in range(dimension):
        most = min(int(margin[axis]), 2) + 1
        steps = range(-most, most + 1)
        shifted = np.concatenate([points + step * np.eye(3)[axis] for step in steps])
        owned = np.concatenate([owners for _ in steps])
        inside = (shifted[:, axis] >= -margin[axis]) & (shifted[:, axis] <= 1 + margin[axis])
        points, owners = shifted[inside], owned[inside]
    near = cKDTree(wrapped @ lattice).sparse_distance_matrix(cKDTree(points @ lattice), reach, output_type="coo_matrix")
    apart = near.data > _SAME
    first, second, distances = near.row[apart], owners[near.col[apart]], near.data[apart]
    if not len(distances):
        return None
    bonds = radii[first] + radii[second]
    closest = int(np.argmin(distances / bonds))
    if distances[closest] >= SUSPICIOUS * bonds[closest]:
        return None
    pair = sorted((places[first[closest]], places[second[closest]]))
    return Contact(pair[0], pair[1], float(distances[closest]), float(bonds[closest]))
