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

WAITING = (JobState.DRAFT, JobState.QUEUED, JobState.HELD, JobState.WAITING)
"""Not submitted yet."""


def moved(job: Job, cluster: Cluster, partition: str) -> Resources:
    """What the job asks for at its new place; a partition of another cluster means nothing there.

    Raises:
        InvalidInput: what is stored of the job is no request for resources.
    """
    own = job.resources.get("partition", "") if job.cluster_id == cluster.id else ""
    return read_resources({**job.resources, "partition": partition or own})


async def apply(session: WriteSession, actor: Actor, action: str, rows: Sequence[Job], wanted: Any) -> dict[str, str]:
    """Do it; returns what is worth telling of a job, by id."""
    match action:
        case "hold":
            moves = [Move(job, JobState.HELD, f"Held by {actor.name}.") for job in rows]
            await transition_jobs(session, moves, actor=actor.name)
        case "release" | "submit":
            moves = [Move(job, JobState.QUEUED, WAITING_WORDS, {"attention": ""}) for job in rows]
            await transition_jobs(session, moves, actor=actor.name)
        case "cancel":
            await cancel_rows(session, actor, rows)
        case "priority":
            await _change(session, actor, rows, f"Priority {list(Priority)[wanted]}.", {"priority": wanted})
        case "start":
            words = f"Not before {wanted:%d %b %Y %H:%M} UTC." if wanted else "As soon as possible."
            await _change(session, actor, rows, words, {"not_before": wanted})
        case "archive" | "unarchive":
            words = "Archived." if action == "archive" else "Taken out of the archive."
            await _change(session, actor, rows, words, {"archived": action == "archive"})
        case "tag" | "untag":
            await _tag(session, rows, wanted, remove=action == "untag")
        case "move":
            await _transfer(session, actor, rows, *wanted)
        case "rerun":
            return await _rerun(session, actor, rows)
        case _:
            await _reorder(session, actor, rows, first=action == "first")
    return {}


async def cancel_rows(session: WriteSession, actor: Actor, rows: Sequence[Job], why: str = "") -> None:
    """At once where a job was not submitted; else the batch system is asked."""
    here = [job for job in rows if JobState(job.state) in WAITING]
    there = [job for job in rows if job not in here]
    ended = {"ended_at": now()}
    words = why or f"Cancelled by {actor.name}."
    await transition_jobs(session, [Move(job, JobState.CANCELLED, words, ended) for job in here], actor=actor.name)
    if there:
        values = {"cancel_requested": True, "reason": "Being cancelled."}
        await _change(session, actor, there, why or "Cancellation requested.", values)


async def _reorder(session: WriteSession, actor: Actor, rows: Sequence[Job], *, first: bool) -> None:
    """Before or behind all others of the same cluster and priority, in the order that they have."""
    ends = await queue.place_bounds(session)
    placed = []
    ordered = sorted(rows, key=lambda job: (job.place, job.id))
    for index, job in enumerate(ordered):
        low, high = ends.get((job.cluster_id, job.priority), (job.place, job.place))
        place = low - len(ordered) + index if first else high + 1 + index
        placed.append((job, {"place": place}))
    words = f"Moved to the {'front' if first else 'end'} of its priority."
    await amend_jobs(session, placed, words, actor=actor.name)


async def _transfer(session: WriteSession, actor: Actor, rows: Sequence[Job], cluster: Cluster, partition: str) -> None:
    """Let jobs wait for another cluster or partition; what they take along is looked for when they leave."""
    changes = []
    for job in rows:
        resources = moved(job, cluster, partition).model_dump()
        changes.append((job, {"cluster_id": cluster.id, "attention": "", "resources": resources}))
    words = f"Moved to {cluster.name}{f', partition {partition}' if partition else ''}."
    await amend_jobs(session, changes, words, actor=actor.name)


async def _tag(session: WriteSession, rows: Sequence[Job], tag: str, *, remove: bool) -> None:
    known = await batches.tags_of(session, [job.id for job in rows])
    if remove:
        await batches.untag(session, [job.id for job in rows], tag)
    else:
        session.add_all([JobTag(job_id=job.id, tag=tag) for job in rows if tag not in known.get(job.id, [])])
    await announce_jobs(session, rows)


async def _rerun(session: WriteSession, actor: Actor, rows: Sequence[Job]) -> dict[str, str]:
    """The same decks byte for byte, the same files, as new jobs of the one who asks."""
    attached = await library.attachments_of(session, [job.id for job in rows])
    for job in rows:
        if reason := job_fault(job.decks, [row.name for row in attached.get(job.id, ())]):
            raise InvalidInput(f"{job.name} cannot run again: {reason}.", hint="Make it anew from its template.")
    keep = (
        "name", "cluster_id", "template_id", "template_revision", "parameters", "decks", "resources", "priority", "digest",
        "atoms",
    )  # fmt: skip
    made = {
        job.id: Job(
            id=new_job_id(), token=secrets.token_hex(16), owner_id=actor.user_id, parent_id=job.id, reason=WAITING_WORDS,
            **{key: getattr(job, key) for key in keep},
        )
        for job in rows
    }  # fmt: skip
    beginnings = [NewJob(new, JobState.QUEUED, f"Created: {job_id} once more.") for job_id, new in made.items()]
    await begin_jobs(session, beginnings, actor=actor.name)
    await insert_rows(
        session,
        [
            JobAttachment(**row.model_dump(exclude={"id", "job_id"}), job_id=made[job_id].id)
            for job_id, found in attached.items()
            for row in found
        ],
    )
    # The pages of those that were copied show their copies.
    await announce_jobs(session, rows)
    return {job_id: f"New job {new.id}." for job_id, new in made.items()}


async def _change(
    session: WriteSession, actor: Actor, rows: Sequence[Job], message: str, values: dict[str, Any]
) -> None:
    await amend_jobs(session, [(job, values) for job in rows], message, actor=actor.name)
