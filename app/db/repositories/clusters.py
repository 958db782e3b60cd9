"""Clusters."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import col, select

from app.db.sessions import ReadSession
from app.db.tables import Cluster, Job
from app.domain.states import JobState


async def all_active(session: ReadSession) -> list[Cluster]:
    """Clusters in use, by name."""
    query = select(Cluster).where(col(Cluster.removed_at).is_(None)).order_by(col(Cluster.name))
    return list((await session.exec(query)).all())


async def by_id(session: ReadSession, cluster_id: int) -> Cluster | None:
    """A cluster, also one that was removed."""
    return await session.get(Cluster, cluster_id)


async def by_name(session: ReadSession, name: str) -> Cluster | None:
    """The one of this name that was not removed."""
    return (await session.exec(select(Cluster).where(Cluster.name == name, col(Cluster.removed_at).is_(None)))).first()


async def names(session: ReadSession) -> dict[int, str]:
    """Names of all clusters, by id; those that were removed too."""
    return {cluster.id: cluster.name for cluster in (await session.exec(select(Cluster))).all() if cluster.id}


async def every(session: ReadSession) -> list[Cluster]:
    """Those that were removed too: old jobs name them."""
    return list((await session.exec(select(Cluster))).all())


async def with_jobs(session: ReadSession, states: Iterable[JobState]) -> list[int]:
    """Ids of clusters in use that have jobs in these states, in the order of their names."""
    query = select(Cluster.id).where(
        col(Cluster.removed_at).is_(None),
        col(Cluster.id).in_(select(Job.cluster_id).where(col(Job.state).in_([str(state) for state in states]))),
    )
    return [found for found in (await session.exec(query.order_by(col(Cluster.name)))).all() if found is not None]
