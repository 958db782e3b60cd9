"""What a job will take, told from finished jobs that were like it. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

NEIGHBOURS = 10
GROWTH = 2.0
"""Time is taken to grow with this power of the number of atoms: between the integrals' and the diagonalisation's."""
RANGE = 4.0
"""Jobs with more than so many times the atoms, or fewer than that part of them, tell nothing."""


@dataclass(frozen=True)
class Past:
    """A finished job: atoms in the primitive cell (0: not known), cores, seconds and MiB, taken and requested."""

    atoms: int
    cores: int
    wall_s: float
    requested_s: int
    memory_mb: int = 0
    requested_mb: int = 0


@dataclass(frozen=True)
class Estimate:
    """From how many jobs; core-hours, wall time and the most of both wall time and memory that any of them would take."""

    jobs: int
    core_hours: float
    wall_s: float
    longest_s: float
    memory_mb: int
    requested_s: float
    requested_mb: float

    @property
    def suggested_walltime_s(self) -> int:
        """Twice the longest, in steps of ten minutes."""
        return max(600, math.ceil(2 * self.longest_s / 600) * 600)

    @property
    def suggested_memory_mb(self) -> int:
        """Half as much again as the most, in steps of 256 MiB; 0: nothing is known of it."""
        return math.ceil(1.5 * self.memory_mb / 256) * 256


def estimate(history: Sequence[Past], atoms: int, cores: int) -> Estimate | None:
    """What a job with `atoms` on `cores` will take; None where no finished job is like it.

    Jobs nearest in size count, their core-seconds scaled by size. Where no size is known (`atoms` 0) all count as they are.
    """
    alike = [past for past in history if not atoms or not past.atoms or 1 / RANGE <= past.atoms / atoms <= RANGE]
    if not alike:
        return None
    alike.sort(key=lambda past: abs(math.log(past.atoms / atoms)) if atoms and past.atoms else math.inf)
    chosen = alike[:NEIGHBOURS]
    scaled = [
        past.wall_s * past.cores * ((atoms / past.atoms) ** GROWTH if atoms and past.atoms else 1.0) for past in chosen
    ]
    return Estimate(
        jobs=len(chosen),
        core_hours=statistics.median(scaled) / 3600,
        wall_s=statistics.median(scaled) / cores,
        longest_s=max(scaled) / cores,
        memory_mb=max(past.memory_mb for past in chosen),
        requested_s=statistics.median(past.requested_s for past in chosen),
        requested_mb=statistics.median(past.requested_mb for past in chosen),
    )
