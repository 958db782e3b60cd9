"""What slabs tell beside their bulk: surface energies and the alignment of bands. Energies in hartree, lengths in Å."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from app.crystal.constants import HARTREE_PER_SQUARE_ANGSTROM


def surface_energy(
    slab_energy: float, slab_atoms: int, bulk_energy: float, bulk_atoms: int, cell: Sequence[float]
) -> float:
    """Energy of one of a slab's two faces, J/m².

    Args:
        cell: a, b, c (Å), α, β, γ (°) of the slab; its face is spanned by a and b.

    Raises:
        ValueError: the slab is no whole number of formula units of the bulk's cell, up to its atoms.
    """
    if not slab_atoms or not bulk_atoms:
        raise ValueError("the atoms of slab and bulk are not known")
    area = cell[0] * cell[1] * math.sin(math.radians(cell[5]))
    excess = slab_energy - slab_atoms / bulk_atoms * bulk_energy
    return excess / (2 * area) * HARTREE_PER_SQUARE_ANGSTROM


def aligned_edge(
    edge: float, bulk_levels: Sequence[float], slab_levels: Sequence[float], bulk_count: int, slab_count: int
) -> float:
    """A band edge of the bulk on the scale of a slab, whose zero is the vacuum; hartree.

    The deepest levels of bulk and slab belong to the same core. Those of a slab differ from layer to layer; their median is
    that of the layers within, which are most of a slab that is thick enough.

    Args:
        bulk_levels: mean energies of the bulk's bands, ascending; `slab_levels`: of the slab's.
        bulk_count: atoms of the heaviest element in the bulk's cell; `slab_count`: in the slab's.
    """
    if not 0 < bulk_count <= len(bulk_levels) or not 0 < slab_count <= len(slab_levels):
        raise ValueError("the bands do not begin with the levels of the core: compute them from the first band on")
    core = statistics.fmean(sorted(bulk_levels)[:bulk_count])
    return edge - core + statistics.median(sorted(slab_levels)[:slab_count])


def heaviest(atoms: Sequence[dict[str, object]]) -> int:
    """How many atoms of a geometry are of its heaviest element."""
    numbers = [int(str(atom["number"])) for atom in atoms]
    return numbers.count(max(numbers)) if numbers else 0
