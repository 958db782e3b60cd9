"""Batches and their items, jobs that compute the same, and what finished jobs took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, cast, delete, func, update
from sqlalchemy.orm import load_only
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Batch, BatchItem, Cluster, Job, JobResult, JobTag, RemoteJob, User
from app.domain.batches import BatchState, ItemState
from app.domain.estimates import Past
from app.domain.states import JobState

HISTORY = 300
"""Finished jobs that an estimate looks at, the newest first."""


async def get(session: ReadSession, batch_id: str) -> Batch | None:
    """A batch or an action by its id."""
    return await session.get(Batch, batch_id)


async def busy(session: ReadSession) -> list[str]:
    """Batches with something left to do."""
    return list((await session.exec(select(Batch.id).where(col(Batch.busy)))).all())


async def listing(session: ReadSession, kind: str, limit: int = 100) -> list[tuple[Batch, str]]:
    """Batches with their owners' names, the newest first; discarded ones are left out."""
    query = select(Batch, User.name).join(User, col(User.id) == col(Batch.owner_id))
    query = query.where(Batch.kind == kind, Batch.state != str(BatchState.DISCARDED))
    found = (await session.exec(query.order_by(col(Batch.created_at).desc()).limit(limit))).all()
    return [(batch, owner) for batch, owner in found]


async def items(
    session: ReadSession,
    batch_id: str,
    states: Collection[str] = (),
    *,
    limit: int | None = None,
    last_first: bool = False,
    positions: Collection[int] | None = None,
) -> list[BatchItem]:
    """Items in their order, of some states and positions or of all."""
    query = select(BatchItem).where(BatchItem.batch_id == batch_id)
    if states:
        query = query.where(col(BatchItem.state).in_(list(states)))
    if positions is not None:
        query = query.where(col(BatchItem.position).in_(list(positions)))
    order = col(BatchItem.position).desc() if last_first else col(BatchItem.position)
    return list((await session.exec(query.order_by(order).limit(limit))).all())


async def item(session: ReadSession, batch_id: str, position: int) -> BatchItem | None:
    """The row at a position, which counts from 1."""
    query = select(BatchItem).where(BatchItem.batch_id == batch_id, BatchItem.position == position)
    return (await session.exec(query)).first()


async def counts(session: ReadSession, batch_id: str) -> dict[str, int]:
    """Items by state."""
    query = select(BatchItem.state, func.count()).where(BatchItem.batch_id == batch_id)
    return dict((await session.exec(query.group_by(col(BatchItem.state)))).all())


async def next_position(session: ReadSession, batch_id: str) -> int:
    """The position behind the last row."""
    last = (await session.exec(select(func.max(BatchItem.position)).where(BatchItem.batch_id == batch_id))).one()
    return (last or 0) + 1


async def renew(session: WriteSession, batch_id: str, state: ItemState) -> None:
    """Set the state of all items that are not jobs yet. Only `services.transitions` may do this."""
    query = update(BatchItem).where(col(BatchItem.batch_id) == batch_id, col(BatchItem.job_id).is_(None))
    await session.exec(query.values(state=str(state), message=""), execution_options={"synchronize_session": False})


async def remove_items(session: WriteSession, batch_id: str) -> None:
    """Remove all rows of a draft."""
    await session.exec(delete(BatchItem).where(col(BatchItem.batch_id) == batch_id))


async def write_receipts(session: WriteSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set id, state and message of receipts. Only `services.transitions` may do this."""
    if rows:
        await session.exec(update(BatchItem), params=[dict(row) for row in rows])


@dataclass(frozen=True)
class Row:
    """An item with the job that it became."""

    item: BatchItem
    job: Job | None
    energy_total: float | None


PAGE = 100
"""Rows that are read at a time."""
_LIGHT: tuple[Any, ...] = (
    Job.id,
    Job.name,
    Job.state,
    Job.owner_id,
    Job.batch_id,
    Job.cancel_requested,
    Job.ended_at,
    Job.reason,
)
"""What a list of many jobs needs of each."""


async def rows(session: ReadSession, batch_id: str, *, offset: int = 0, limit: int | None = None) -> list[Row]:
    """Items in their order, each with its job (without decks and parameters) and that job's energy."""
    energy = (
        select(func.min(col(JobResult.energy_total))).where(col(JobResult.job_id) == col(BatchItem.job_id))
    ).scalar_subquery()
    query = (
        select(BatchItem, Job, energy)
        .join(Job, col(Job.id) == col(BatchItem.job_id), isouter=True)
        .options(load_only(*_LIGHT))
        .where(BatchItem.batch_id == batch_id)
        .order_by(col(BatchItem.position))
    )
    found: list[Row] = []
    while limit is None or len(found) < limit:
        # In pages: making a thousand objects in one go would hold up everybody.
        wanted = PAGE if limit is None else min(PAGE, limit - len(found))
        page = (await session.exec(query.offset(offset + len(found)).limit(wanted))).all()
        found += [Row(*row) for row in page]
        if len(page) < wanted:
            break
    return found


@dataclass(frozen=True)
class Cell:
    """One item on a progress strip: its job's id, name and state (the item's own where there is no job yet)."""

    position: int
    name: str
    state: str
    job_id: str | None


async def strip(session: ReadSession, batch_id: str) -> list[Cell]:
    """The rows of a batch as cells of a progress strip, in their order."""
    state = func.coalesce(col(Job.state), col(BatchItem.state))
    query = (
        select(col(BatchItem.position), col(BatchItem.name), state, col(BatchItem.job_id))
        .join(Job, col(Job.id) == col(BatchItem.job_id), isouter=True)
        .where(BatchItem.batch_id == batch_id)
    )
    return [Cell(*row) for row in (await session.exec(query.order_by(col(BatchItem.position)))).all()]


async def tallies(session: ReadSession, batch_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Jobs by state, for each of some batches."""
    if not batch_ids:
        return {}
    query = select(col(Job.batch_id), col(Job.state), func.count()).where(col(Job.batch_id).in_(list(batch_ids)))
    by_batch: dict[str, dict[str, int]] = {}
    for batch_id, state, number in (await session.exec(query.group_by(col(Job.batch_id), col(Job.state)))).all():
        by_batch.setdefault(str(batch_id), {})[state] = number
    return by_batch


async def names(session: ReadSession, batch_ids: Iterable[str]) -> dict[str, str]:
    """Names of batches, by id."""
    query = select(Batch.id, Batch.name).where(col(Batch.id).in_(list(batch_ids)))
    return dict((await session.exec(query)).all())


async def wake(session: WriteSession, batch_ids: Collection[str]) -> None:
    """Something happened to their jobs: look at them again."""
    if batch_ids:
        await session.exec(update(Batch).where(col(Batch.id).in_(list(batch_ids))).values(busy=True))


# -- jobs that compute the same --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Twin:
    """An earlier job that computes the same."""

    job: Job
    owner: str
    cluster: str
    preview: bool


async def twins(session: ReadSession, digests: Collection[str], cluster_id: int) -> dict[str, Twin]:
    """By digest the job that computed the same, or that is about to: a completed one first, the newest of them.

    What the preview engine computed counts for the same cluster only.
    """
    preview = (
        select(func.max(cast(col(JobResult.preview), Integer))).where(col(JobResult.job_id) == col(Job.id))
    ).scalar_subquery()
    gone = [str(state) for state in (JobState.FAILED, JobState.CANCELLED, JobState.SKIPPED, JobState.DRAFT)]
    query = (
        select(Job, User.name, Cluster.name, preview)
        .join(User, col(User.id) == col(Job.owner_id))
        .join(Cluster, col(Cluster.id) == col(Job.cluster_id))
        .where(col(Job.digest).in_([digest for digest in digests if digest]), col(Job.state).not_in(gone))
        .order_by(col(Job.created_at))
    )
    found: dict[str, Twin] = {}
    for job, owner, cluster, is_preview in (await session.exec(query)).all():
        known = found.get(job.digest)
        if is_preview and job.cluster_id != cluster_id:
            continue
        if known is None or known.job.state != JobState.COMPLETED or job.state == JobState.COMPLETED:
            found[job.digest] = Twin(job, owner, cluster, bool(is_preview))
    return found


# -- what finished jobs took -----------------------------------------------------------------------------------------------


async def history(session: ReadSession, template_id: str, cluster_id: int) -> list[Past]:
    """The newest completed jobs of one template on one cluster, and what they took."""
    query = (
        select(  # type: ignore[call-overload]
            col(Job.atoms),
            col(Job.resources),
            col(Job.started_at),
            col(Job.ended_at),
            col(RemoteJob.wall_s),
            col(RemoteJob.memory_mb),
        )
        .join(RemoteJob, col(RemoteJob.job_id) == col(Job.id))
        .where(
            Job.cluster_id == cluster_id,
            Job.state == str(JobState.COMPLETED),
            Job.template_id == template_id,
            col(Job.ended_at).is_not(None),
        )
        .order_by(col(Job.created_at).desc())
        .limit(HISTORY)
    )
    return [past for row in (await session.exec(query)).all() if (past := _past(*row)) is not None]


def _past(atoms: int, resources: dict[str, Any], started: Any, ended: Any, wall_s: int, memory_mb: int) -> Past | None:
    if not wall_s and started is None:
        return None
    # Clocks tell whole seconds.
    seconds = float(wall_s) or max(1.0, (ended - started).total_seconds())
    cores = int(resources.get("ntasks", 1)) * int(resources.get("cpus_per_task", 1))
    return Past(
        atoms, cores, seconds, int(resources.get("walltime_s", 0)), memory_mb, int(resources.get("memory_mb", 0))
    )


async def tags_of(session: ReadSession, job_ids: Sequence[str]) -> dict[str, list[str]]:
    """Tags by job, in the order of the alphabet."""
    query = select(JobTag).where(col(JobTag.job_id).in_(list(job_ids))).order_by(JobTag.tag)
    by_job: dict[str, list[str]] = {}
    for row in (await session.exec(query)).all():
        by_job.setdefault(row.job_id, []).append(row.tag)
    return by_job


async def untag(session: WriteSession, job_ids: Collection[str], tag: str) -> None:
    """Take a tag from those of these jobs that have it."""
    await session.exec(delete(JobTag).where(col(JobTag.job_id).in_(list(job_ids)), col(JobTag.tag) == tag))


async def owner_name(session: ReadSession, batch: Batch) -> str | None:
    """Name of the user whom a batch belongs to."""
    return (await session.exec(select(User.name).where(User.id == batch.owner_id))).first()


async def sizes(session: ReadSession, batch_id: str) -> list[int]:
    """Atoms of each job that is to be computed."""
    query = select(BatchItem.atoms).where(BatchItem.batch_id == batch_id, BatchItem.state == str(ItemState.READY))
    return list((await session.exec(query)).all())


async def by_digest(session: ReadSession, batch_id: str, digests: Collection[str]) -> dict[str, int]:
    """First position of rows of a batch that compute these, by digest."""
    query = select(BatchItem.digest, func.min(BatchItem.position)).where(
        BatchItem.batch_id == batch_id,
        col(BatchItem.digest).in_(list(digests)),
        col(BatchItem.state) != str(ItemState.NEW),
    )
    return dict((await session.exec(query.group_by(col(BatchItem.digest)))).all())


async def has_head(session: ReadSession, batch_id: str) -> bool:
    """Does a job stand for the batch in lists already?"""
    query = select(func.count()).select_from(Job).where(Job.batch_id == batch_id, col(Job.batch_head))
    return bool((await session.exec(query)).one())


async def wake_for_jobs(session: WriteSession, batch_ids: Collection[str]) -> None:
    """Jobs of these batches have ended: let the sweeps that want to stop early look at them."""
    stopping = [
        batch_id for batch_id in batch_ids if (batch := await get(session, batch_id)) and batch.sweep.get("stop")
    ]
    await wake(session, stopping)
