"""What a job will take, for the composer and for notebooks."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.repositories import batches, clusters
from app.domain.estimates import Estimate, estimate
from app.domain.people.permissions import Actor, require
from app.domain.resources import format_walltime
from app.services.context import Context


@dataclass(frozen=True)
class Advice:
    """An estimate with what should be asked for, as the form's fields hold it."""

    estimate: Estimate
    walltime: str
    memory_mb: int

    @property
    def words(self) -> str:
        """`5 similar jobs took 00:12:30 (at most 00:20:11) of 01:00:00 asked for.`"""
        past = self.estimate
        memory = f", {past.memory_mb} MiB" if past.memory_mb else ""
        asked = f" of {format_walltime(round(past.requested_s))} requested" if past.requested_s else ""
        return (
            f"{past.jobs} similar finished job{'s' if past.jobs > 1 else ''}: {format_walltime(round(past.wall_s))} on as many "
            f"cores, at most {format_walltime(round(past.longest_s))}{asked}{memory}; about {past.core_hours:.2g} core-hours."
        )


async def advise(
    context: Context, actor: Actor, template_id: str, cluster_name: str, atoms: int, cores: int
) -> Advice | None:
    """What a job will take, by finished jobs of the same template on the same cluster; None: none is like it.

    Args:
        atoms: in the cell; 0: not known.
        cores: that it asks for.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        cluster = await clusters.by_name(session, cluster_name)
        history = await batches.history(session, template_id, cluster.id) if cluster else []
    expected = estimate(history, atoms, max(1, cores))
    if expected is None:
        return None
    return Advice(expected, format_walltime(expected.suggested_walltime_s), expected.suggested_memory_mb)
