"""What an action does to jobs, in the caller's transaction: a few statements, whatever their number."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from app.crystal.files import job_fault
from app.db.engine import insert_rows
from app.db.repositories import batches, library, queue
from app.db.sessions import WriteSession
from app.db.tables import Cluster, Job, JobAttachment, JobTag, now
from app.domain.people.permissions import Actor
from app.domain.resources import Resources, read_resources
from app.domain.states import JobState, Priority
from app.errors import InvalidInput
from app.events.outbox import announce_jobs
from app.services.jobs.creation import WAITING_WORDS, new_job_id
from app.services.transitions.jobs import Move, NewJob, amend_jobs, begin_jobs, transition_jobs

_COPIED = (
    "name",
    "cluster_id",
    "template_id",
    "template_revision",
    "parameters",
    "decks",
    "resources",
    "priority",
    "digest",
    "atoms",
)
"""What a rerun has in common with its job."""
WAITING = (JobState.DRAFT, JobState.QUEUED, JobState.HELD, JobState.WAITING)
"""Not submitted yet."""


def moved_resources(job: Job, cluster: Cluster, partition: str) -> Resources:
    """What a job asks for on another cluster or partition; the name of its old partition means nothing there.

    Raises:
        InvalidInput: what is stored of the job cannot be read as a request for resources.
    """
    current = job.resources.get("partition", "") if job.cluster_id == cluster.id else ""
    return read_resources({**job.resources, "partition": partition or current})


async def apply_action(
    session: WriteSession, actor: Actor, action: str, rows: Sequence[Job], value: Any
) -> dict[str, str]:
    """Do one action to jobs that can take part in it.

    Args:
        value: what the action needs, read: see `actions`.

    Returns:
        What is worth telling of a job, by its id.
    """
    match action:
        case "hold":
            moves = [Move(job, JobState.HELD, f"Held by {actor.name}.") for job in rows]
            await transition_jobs(session, moves, actor=actor.name)
        case "release" | "submit":
            moves = [Move(job, JobState.QUEUED, WAITING_WORDS, {"attention": ""}) for job in rows]
            await transition_jobs(session, moves, actor=actor.name)
        case "cancel":
            await cancel_jobs(session, actor, rows)
        case "priority":
            await _set_columns(session, actor, rows, f"Priority {list(Priority)[value]}.", {"priority": value})
        case "start":
            message = f"Not before {value:%d %b %Y %H:%M} UTC." if value else "As soon as possible."
            await _set_columns(session, actor, rows, message, {"not_before": value})
        case "archive" | "unarchive":
            message = "Archived." if action == "archive" else "Unarchived."
            await _set_columns(session, actor, rows, message, {"archived": action == "archive"})
        case "tag" | "untag":
            await _tag(session, rows, value, remove=action == "untag")
        case "move":
            await _transfer(session, actor, rows, *value)
        case "rerun":
            return await _rerun(session, actor, rows)
        case _:
            await _reorder(session, actor, rows, first=action == "first")
    return {}


async def cancel_jobs(session: WriteSession, actor: Actor, rows: Sequence[Job], why: str = "") -> None:
    """Cancel jobs: at once where they were not submitted yet; for the others the batch system is asked.

    Args:
        why: the line in their history; empty: who cancelled them.
    """
    waiting = [job for job in rows if JobState(job.state) in WAITING]
    submitted = [job for job in rows if job not in waiting]
    ended = {"ended_at": now()}
    message = why or f"Cancelled by {actor.name}."
    await transition_jobs(session, [Move(job, JobState.CANCELLED, message, ended) for job in waiting], actor=actor.name)
    if submitted:
        values = {"cancel_requested": True, "reason": "Being cancelled."}
        await _set_columns(session, actor, submitted, why or "Cancellation requested.", values)


async def _reorder(session: WriteSession, actor: Actor, rows: Sequence[Job], *, first: bool) -> None:
    """Before or behind all others of the same cluster and priority, in the order that they have."""
    bounds = await queue.place_bounds(session)
    changes = []
    ordered = sorted(rows, key=lambda job: (job.place, job.id))
    for index, job in enumerate(ordered):
        low, high = bounds.get((job.cluster_id, job.priority), (job.place, job.place))
        place = low - len(ordered) + index if first else high + 1 + index
        changes.append((job, {"place": place}))
    message = f"Moved to the {'front' if first else 'end'} of its priority."
    await amend_jobs(session, changes, message, actor=actor.name)


async def _transfer(session: WriteSession, actor: Actor, rows: Sequence[Job], cluster: Cluster, partition: str) -> None:
    """Let jobs wait for another cluster or partition; attached files are looked up when they are submitted."""
    changes = []
    for job in rows:
        resources = moved_resources(job, cluster, partition).model_dump()
        changes.append((job, {"cluster_id": cluster.id, "attention": "", "resources": resources}))
    message = f"Moved to {cluster.name}{f', partition {partition}' if partition else ''}."
    await amend_jobs(session, changes, message, actor=actor.name)


async def _tag(session: WriteSession, rows: Sequence[Job], tag: str, *, remove: bool) -> None:
    job_ids = [job.id for job in rows]
    if remove:
        await batches.untag(session, job_ids, tag)
    else:
        tags = await batches.tags_of(session, job_ids)
        session.add_all([JobTag(job_id=job_id, tag=tag) for job_id in job_ids if tag not in tags.get(job_id, [])])
    await announce_jobs(session, rows)


async def _rerun(session: WriteSession, actor: Actor, rows: Sequence[Job]) -> dict[str, str]:
    """Queue the same decks byte for byte, with the same files, as new jobs of the user who asks."""
    attached = await library.attachments_of(session, [job.id for job in rows])
    for job in rows:
        if reason := job_fault(job.decks, [row.name for row in attached.get(job.id, ())]):
            raise InvalidInput(f"{job.name} cannot be rerun: {reason}.", hint="Create it again from its template.")
    copies = {job.id: _copy(job, actor) for job in rows}
    beginnings = [NewJob(copy, JobState.QUEUED, f"Created: a rerun of {job_id}.") for job_id, copy in copies.items()]
    await begin_jobs(session, beginnings, actor=actor.name)
    await insert_rows(
        session,
        [
            JobAttachment(**attachment.model_dump(exclude={"id", "job_id"}), job_id=copies[job_id].id)
            for job_id, attachments in attached.items()
            for attachment in attachments
        ],
    )
    # The pages of those that were copied show their copies.
    await announce_jobs(session, rows)
    return {job_id: f"New job {copy.id}." for job_id, copy in copies.items()}


def _copy(job: Job, actor: Actor) -> Job:
    return Job(
        id=new_job_id(),
        token=secrets.token_hex(16),
        owner_id=actor.user_id,
        parent_id=job.id,
        reason=WAITING_WORDS,
        **{key: getattr(job, key) for key in _COPIED},
    )


async def _set_columns(
    session: WriteSession, actor: Actor, rows: Sequence[Job], message: str, values: dict[str, Any]
) -> None:
    await amend_jobs(session, [(job, values) for job in rows], message, actor=actor.name)
