"""The queue: which jobs wait, in which order, and how many a cluster has; pauses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, tuple_
from sqlmodel import col, select

from app.db.repositories.jobs import restricted
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Cluster, Job, JobEvent, RemoteJob, ServiceState, User
from app.domain.jobs import JobFilter
from app.domain.states import OCCUPYING, JobState

_PAUSE = "paused"


@dataclass(frozen=True)
class Queued:
    """A job in the queue, as far as its order is concerned: a long queue is read in every round."""

    id: str
    owner_id: int
    priority: int


async def waiting(
    session: ReadSession, cluster_id: int, owners: Collection[int], moment: datetime, limit: int
) -> list[Queued]:
    """Queued jobs of these users that may start, in the order of priority and place."""
    query = select(col(Job.id), col(Job.owner_id), col(Job.priority)).where(
        Job.cluster_id == cluster_id,
        Job.state == str(JobState.QUEUED),
        col(Job.owner_id).in_(list(owners)),
        or_(col(Job.not_before).is_(None), col(Job.not_before) <= moment),
    )
    query = query.order_by(col(Job.priority), col(Job.place), col(Job.id)).limit(limit)
    return [Queued(*row) for row in (await session.exec(query)).all()]


async def count_occupying_by_owner(session: ReadSession, cluster_id: int) -> dict[int, int]:
    """How many jobs count against the cluster's limits, by the id of their owner."""
    query = select(col(Job.owner_id), func.count()).where(
        Job.cluster_id == cluster_id, col(Job.state).in_([str(state) for state in OCCUPYING])
    )
    return dict((await session.exec(query.group_by(col(Job.owner_id)))).all())


async def ahead_of(session: ReadSession, job: Job) -> int:
    """Queued jobs of the same cluster that are served before this one."""
    before = tuple_(col(Job.priority), col(Job.place), col(Job.id)) < (job.priority, job.place, job.id)
    query = select(func.count()).select_from(Job)
    query = query.where(Job.cluster_id == job.cluster_id, Job.state == str(JobState.QUEUED), before)
    return (await session.exec(query)).one()


async def place_bounds(session: ReadSession) -> dict[tuple[int, int], tuple[float, float]]:
    """The first and the last place in the queue, by the ids of clusters and priorities."""
    places = func.min(col(Job.place)), func.max(col(Job.place))
    query = select(col(Job.cluster_id), col(Job.priority), *places).where(
        col(Job.state).in_([str(JobState.QUEUED), str(JobState.HELD), str(JobState.WAITING)])
    )
    rows = (await session.exec(query.group_by(col(Job.cluster_id), col(Job.priority)))).all()
    return {(cluster, priority): (low, high) for cluster, priority, low, high in rows}


async def matching_ids_and_names(session: ReadSession, wanted: JobFilter, limit: int) -> list[tuple[str, str]]:
    """Ids and names of all jobs that a filter lets through, whatever page they are on, in the order of the queue."""
    query = (
        select(col(Job.id), col(Job.name))
        .join(User, col(User.id) == col(Job.owner_id))
        .join(Cluster, col(Cluster.id) == col(Job.cluster_id))
    )
    return await _in_order(session, restricted(query, wanted).limit(limit))


async def ids_and_names(session: ReadSession, job_ids: Collection[str]) -> list[tuple[str, str]]:
    """Ids and names of those jobs that exist, in the order of the queue."""
    return await _in_order(session, select(col(Job.id), col(Job.name)).where(col(Job.id).in_(list(job_ids))))


async def _in_order(session: ReadSession, query: Any) -> list[tuple[str, str]]:
    rows = await session.exec(query.order_by(col(Job.priority), col(Job.place), col(Job.id)))
    return [(job_id, name) for job_id, name in rows.all()]


async def all_waiting(session: ReadSession) -> list[tuple[str, str, int, str, str, str]]:
    """Id, cluster, priority, owner, state and name of all that is queued or held, in the order of each cluster's queue."""
    query = (
        select(  # type: ignore[call-overload]
            col(Job.id), col(Cluster.name), col(Job.priority), col(User.name), col(Job.state), col(Job.name)
        )
        .join(User, col(User.id) == col(Job.owner_id))
        .join(Cluster, col(Cluster.id) == col(Job.cluster_id))
        .where(col(Job.state).in_([str(JobState.QUEUED), str(JobState.HELD)]))
        .order_by(col(Cluster.name), col(Job.priority), col(Job.place), col(Job.id))
    )
    return [tuple(row) for row in (await session.exec(query)).all()]


async def submissions_since(session: ReadSession, cluster_id: int, moment: datetime) -> list[datetime]:
    """When submissions to a cluster began since `moment`, in ascending order: what a rate limit counts after a restart."""
    query = (
        select(JobEvent.at)
        .join(Job, col(Job.id) == col(JobEvent.job_id))
        .where(Job.cluster_id == cluster_id, JobEvent.to_state == str(JobState.STAGING), col(JobEvent.at) >= moment)
    )
    return sorted((await session.exec(query)).all())


async def own_scheduler_ids(session: ReadSession, cluster_id: int, scheduler_ids: Collection[str]) -> set[str]:
    """Those of the scheduler's ids that belong to jobs of this service."""
    query = select(RemoteJob.scheduler_id).join(Job, col(Job.id) == col(RemoteJob.job_id))
    query = query.where(Job.cluster_id == cluster_id, col(RemoteJob.scheduler_id).in_(list(scheduler_ids)))
    return set((await session.exec(query)).all())


async def pause_of_all(session: ReadSession) -> str:
    """Who paused all clusters, in words; empty: nobody."""
    row = await session.get(ServiceState, _PAUSE)
    return row.value if row is not None else ""


async def set_pause(session: WriteSession, words: str) -> None:
    """Pause all clusters, with the words that say who did it; empty: go on."""
    row = await session.get(ServiceState, _PAUSE) or ServiceState(key=_PAUSE)
    row.value = words
    session.add(row)
