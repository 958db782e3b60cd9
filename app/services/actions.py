"""Actions on many jobs: each job answers for itself, and a restart in the middle goes on where it was.

An action is a batch whose items are the jobs. It is worked off in chunks; the transaction that changes the jobs of a chunk
also writes their outcomes, so that no job is done twice and none is left out.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import insert_rows
from app.db.repositories import batches, clusters, jobs, library, queue, users
from app.db.repositories.jobs import JobFilter, Move
from app.db.tables import Batch, BatchItem, Cluster, Job, JobAttachment, JobEvent, JobTag, now
from app.domain.permissions import Actor, can, require
from app.domain.resources import Resources
from app.domain.states import TERMINAL, JobState, Priority
from app.errors import FieldError, InvalidInput, NotFound
from app.events.model import Topic
from app.events.outbox import announce, announce_jobs
from app.services.context import Context
from app.services.creation import WAITING_WORDS, check_fits, new_job_id

MAX_JOBS = 10_000
"""Most jobs that one action takes."""
CHUNK = 500
WAITING = (JobState.DRAFT, JobState.QUEUED, JobState.HELD, JobState.WAITING)
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")
ACTIONS = {
    "submit": "Submit", "hold": "Hold", "release": "Release", "priority": "Set priority", "first": "First", "last": "Last",
    "start": "Start not before", "move": "Move", "cancel": "Cancel", "rerun": "Run again", "tag": "Tag", "untag": "Remove tag",
    "archive": "Archive", "unarchive": "Take out of the archive",
}  # fmt: skip
"""What can be done to many jobs, in words."""


@dataclass(frozen=True)
class Outcome:
    """What an action did to one job: `done`, or the reason why not."""

    id: str
    name: str
    done: bool
    reason: str = ""


@dataclass(frozen=True)
class Selection:
    """Jobs by id, or all that match a filter."""

    ids: tuple[str, ...] = ()
    matching: JobFilter | None = None


async def act(context: Context, actor: Actor, action: str, selection: Selection, value: str = "") -> list[Outcome]:
    """Do one thing to many jobs and wait for its end; a job that cannot take part stops none of the others.

    Args:
        value: of `priority` its name; of `start` an ISO 8601 time (empty: as soon as possible); of `move`
            `cluster` or `cluster:partition`; of `tag` and `untag` a word.

    Raises:
        InvalidInput: no such action or value, or too many jobs.
    """
    batch = await begin(context, actor, action, selection, value)
    while await advance(context, batch.id):
        pass
    return await outcomes(context, actor, batch.id)


async def begin(context: Context, actor: Actor, action: str, selection: Selection, value: str = "") -> Batch:
    """Write down what is to be done, and to which jobs; `advance` does it."""
    require(actor, "job.create")
    async with context.database.write() as session:
        await _value_of(session, action, value)
        listed = await selected(session, selection)
        known = {job_id for job_id, _ in listed}
        unknown = [job_id for job_id in dict.fromkeys(selection.ids) if job_id not in known]
        batch = Batch(
            id=new_job_id(), kind="action", name=ACTIONS[action], owner_id=actor.user_id, state="doing", busy=True,
            action=action, value=value,
        )  # fmt: skip
        session.add(batch)
        await session.flush()
        items = [BatchItem(batch_id=batch.id, position=0, name=name, state="open", job_id=key) for key, name in listed]
        items += [
            BatchItem(batch_id=batch.id, position=0, name=key[:40], state="left", message="There is no such job.")
            for key in unknown
        ]
        for position, item in enumerate(items, start=1):
            item.position = position
        await insert_rows(session, items)
    context.broker.wake()
    return batch


async def outcomes(context: Context, actor: Actor, batch_id: str) -> list[Outcome]:
    """How far an action has come, job by job."""
    require(actor, "job.read")
    async with context.database.read() as session:
        found = await batches.items(session, batch_id)
    return [Outcome(item.job_id or item.name, item.name, item.state == "done", item.message) for item in found]


async def progress(context: Context, actor: Actor, batch_id: str) -> dict[str, int]:
    """Jobs of an action by state: open, done, left."""
    require(actor, "job.read")
    async with context.database.read() as session:
        return await batches.counts(session, batch_id)


async def count(context: Context, actor: Actor, selection: Selection) -> int:
    """How many jobs an action would be tried on."""
    require(actor, "job.read")
    async with context.database.read() as session:
        return len(await selected(session, selection))


async def advance(context: Context, batch_id: str) -> bool:
    """One chunk of an action. False: nothing is left."""
    async with context.database.write() as session:
        batch = await batches.get(session, batch_id)
        if batch is None or not batch.busy:
            return False
        # Who is to come first is moved last.
        items = await batches.items(session, batch_id, ["open"], limit=CHUNK, last_first=batch.action == "first")
        if items:
            await _work(session, batch, items)
        if len(items) < CHUNK:
            batch.busy, batch.state, batch.updated_at = False, "done", now()
            session.add(batch)
        announce(session, Topic.BATCH, batch.id)
        more = batch.busy
    context.broker.wake()
    return more


async def _work(session: AsyncSession, batch: Batch, items: Sequence[BatchItem]) -> None:
    actor = await users.actor(session, batch.owner_id)
    rows = await jobs.get_all(session, [item.job_id for item in items if item.job_id])
    reasons: dict[str, str] = {}
    able = []
    wanted = None
    if actor is not None:
        try:
            wanted = await _value_of(session, batch.action, batch.value)
        except InvalidInput as error:
            # What was there when it began is gone since, such as a cluster.
            reasons = dict.fromkeys(rows, error.sentence)
    for job in rows.values():
        whose = "Whoever asked for it may not do it any more." if actor is None else ""
        reason = reasons.get(job.id) or whose or (_refusal(actor, job, batch.action, wanted) if actor else "")
        reasons[job.id] = reason
        if not reason:
            able.append(job)
    notes = await _apply(session, actor, batch.action, able, wanted) if actor and able else {}
    await session.exec(
        update(BatchItem),
        params=[
            {"id": item.id, "state": "left" if (reason := reasons.get(item.job_id or "", "It is gone.")) else "done",
             "message": reason or notes.get(item.job_id or "", "")}
            for item in items
        ],
    )  # fmt: skip
    await announce_jobs(session, able)


async def _value_of(session: AsyncSession, action: str, value: str) -> Any:
    if action not in ACTIONS:
        raise InvalidInput(f"There is no action {action[:40]!r}.", hint=f"Actions: {', '.join(ACTIONS)}.",
                           fields=[FieldError("action", f"must be one of {', '.join(ACTIONS)}", action[:40])])  # fmt: skip
    match action:
        case "priority":
            if value not in set(Priority):
                raise InvalidInput(f"There is no priority {value[:40]!r}.", hint=f"Priorities: {', '.join(Priority)}.",
                                   fields=[FieldError("value", f"must be one of {', '.join(Priority)}", value[:40])])  # fmt: skip
            return Priority(value).rank
        case "start":
            return _moment(value)
        case "tag" | "untag":
            if not TAG.fullmatch(value.strip()):
                raise InvalidInput(f"{value[:50]!r} cannot be a tag.", hint="At most 40 letters, digits and . _ : -",
                                   fields=[FieldError("value", "must be one word", value[:50])])  # fmt: skip
            return value.strip()
        case "move":
            name, _, partition = value.partition(":")
            cluster = await clusters.by_name(session, name.strip())
            if cluster is None or not cluster.active:
                raise InvalidInput(f"There is no cluster {name[:60]!r}.", hint="See the list of clusters.",
                                   fields=[FieldError("value", "must name a cluster", value[:60])])  # fmt: skip
            return cluster, partition.strip()
    return None


def _moment(value: str) -> datetime | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidInput(f"{value[:40]!r} is no time.", hint="Give it as 2026-12-24T18:00 (UTC unless it says more).",
                           fields=[FieldError("value", "must be an ISO 8601 time", value[:40])]) from None  # fmt: skip
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def selected(session: AsyncSession, selection: Selection) -> list[tuple[str, str]]:
    """Ids and names, in the order of the queue."""
    if selection.matching is not None:
        found = await queue.matching(session, selection.matching, MAX_JOBS + 1)
    else:
        found = await queue.named(session, selection.ids[: MAX_JOBS + 1])
    if max(len(found), len(selection.ids)) > MAX_JOBS:
        raise InvalidInput(f"More than {MAX_JOBS} jobs were chosen.", hint="Narrow the filter.")
    return found


def _refusal(actor: Actor, job: Job, action: str, wanted: Any) -> str:
    """Why this job cannot take part; empty: it can."""
    state = JobState(job.state)
    if action == "rerun":
        return "" if state in TERMINAL else f"It is {state}: it has not ended."
    if not can(actor, "job.change", job.owner_id):
        return "It belongs to somebody else."
    match action:
        case "tag" | "untag":
            return ""
        case "archive" | "unarchive":
            return "" if state in TERMINAL else f"It is {state}: only what has ended goes to the archive."
        case "cancel":
            if state in TERMINAL or state is JobState.FINISHING:
                return f"It has already ended ({state})."
            return "It is being cancelled already." if job.cancel_requested else ""
        case "hold":
            return "" if state in (JobState.QUEUED, JobState.WAITING) else f"It is {state}, not waiting in the queue."
        case "release":
            return "" if state is JobState.HELD else f"It is {state}, not held."
        case "submit":
            return "" if state in (JobState.DRAFT, JobState.HELD) else f"It is {state}: it was submitted before."
    if state not in WAITING:
        return f"It is {state}: it has left the queue."
    return _move_refusal(job, *wanted) if action == "move" else ""


def _move_refusal(job: Job, cluster: Cluster, partition: str) -> str:
    try:
        check_fits(cluster, _moved(job, cluster, partition))
    except InvalidInput as error:
        return error.message
    return ""


def _moved(job: Job, cluster: Cluster, partition: str) -> Resources:
    """What the job asks for at its new place; a partition of another cluster means nothing there."""
    own = job.resources.get("partition", "") if job.cluster_id == cluster.id else ""
    return Resources(**{**job.resources, "partition": partition or own})


async def _apply(session: AsyncSession, actor: Actor, action: str, rows: Sequence[Job], wanted: Any) -> dict[str, str]:
    """Do it; returns what is worth telling of a job, by id."""
    match action:
        case "hold":
            await jobs.transition_all(
                session, [Move(job, JobState.HELD, f"Held by {actor.name}.") for job in rows], actor=actor.name
            )
        case "release" | "submit":
            moves = [Move(job, JobState.QUEUED, WAITING_WORDS) for job in rows]
            await jobs.transition_all(session, moves, actor=actor.name)
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


async def cancel_rows(session: AsyncSession, actor: Actor, rows: Sequence[Job], why: str = "") -> None:
    """At once where a job was not handed over; else the batch system is asked."""
    here = [job for job in rows if JobState(job.state) in WAITING]
    there = [job for job in rows if job not in here]
    ended = {"ended_at": now()}
    words = why or f"Cancelled by {actor.name}."
    await jobs.transition_all(session, [Move(job, JobState.CANCELLED, words, ended) for job in here], actor=actor.name)
    if there:
        values = {"cancel_requested": True, "reason": "Being cancelled."}
        await _change(session, actor, there, why or "Cancellation requested.", values)


async def _reorder(session: AsyncSession, actor: Actor, rows: Sequence[Job], *, first: bool) -> None:
    """Before or behind all others of the same cluster and priority, in the order that they have."""
    ends = await queue.ends(session)
    placed = []
    ordered = sorted(rows, key=lambda job: (job.place, job.id))
    for index, job in enumerate(ordered):
        low, high = ends.get((job.cluster_id, job.priority), (job.place, job.place))
        place = low - len(ordered) + index if first else high + 1 + index
        placed.append({"id": job.id, "place": place})
    await session.exec(update(Job), params=placed)
    words = f"Moved to the {'front' if first else 'end'} of its priority."
    await insert_rows(session, [JobEvent(job_id=job.id, message=words, actor=actor.name) for job in rows])


async def _transfer(session: AsyncSession, actor: Actor, rows: Sequence[Job], cluster: Cluster, partition: str) -> None:
    """Let jobs wait for another cluster or partition; what they take along is looked for when they leave."""
    values = [
        {"id": job.id, "updated_at": now(), "cluster_id": cluster.id, "attention": "",
         "resources": _moved(job, cluster, partition).model_dump()}
        for job in rows
    ]  # fmt: skip
    await session.exec(update(Job), params=values)
    words = f"Moved to {cluster.name}{f', partition {partition}' if partition else ''}."
    await insert_rows(session, [JobEvent(job_id=job.id, message=words, actor=actor.name) for job in rows])


async def _tag(session: AsyncSession, rows: Sequence[Job], tag: str, *, remove: bool) -> None:
    known = await batches.tags_of(session, [job.id for job in rows])
    for job in rows:
        has = tag in known.get(job.id, [])
        if remove and has:
            await session.delete(await session.get(JobTag, (job.id, tag)))
        elif not remove and not has:
            session.add(JobTag(job_id=job.id, tag=tag))


async def _rerun(session: AsyncSession, actor: Actor, rows: Sequence[Job]) -> dict[str, str]:
    """The same decks byte for byte, the same files, as new jobs of the one who asks."""
    attached = await library.attachments_of(session, [job.id for job in rows])
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
    await insert_rows(session, list(made.values()))
    await insert_rows(
        session,
        [
            JobAttachment(**row.model_dump(exclude={"id", "job_id"}), job_id=made[job_id].id)
            for job_id, found in attached.items()
            for row in found
        ],
    )
    await insert_rows(
        session,
        [
            JobEvent(job_id=new.id, to_state=new.state, message=f"Created: {job_id} once more.", actor=actor.name)
            for job_id, new in made.items()
        ],
    )
    await announce_jobs(session, made.values())
    return {job_id: f"New job {new.id}." for job_id, new in made.items()}


async def _change(
    session: AsyncSession, actor: Actor, rows: Sequence[Job], message: str, values: dict[str, Any]
) -> None:
    await session.exec(update(Job), params=[{"id": job.id, "updated_at": now(), **values} for job in rows])
    await insert_rows(session, [JobEvent(job_id=job.id, message=message, actor=actor.name) for job in rows])


async def get(context: Context, actor: Actor, batch_id: str) -> Batch:
    """An action that was begun.

    Raises:
        NotFound
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        batch = await batches.get(session, batch_id)
    if batch is None or batch.kind != "action":
        raise NotFound(f"There is no action {batch_id[:40]!r}.", hint="See the list of jobs.")
    return batch
