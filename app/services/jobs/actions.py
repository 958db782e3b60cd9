"""Actions on many jobs: each job answers for itself, and a restart in the middle goes on where it was.

An action is a batch whose items are the jobs. It is worked off in chunks; the transaction that changes the jobs of a chunk
also writes their outcomes, so that no job is done twice and none is left out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.db.engine import insert_rows
from app.db.repositories import batches, clusters, jobs, users
from app.db.savepoints import NOT_THE_ITEM, savepoint
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Batch, BatchItem, Cluster, Job
from app.domain.batches import BatchState, ReceiptState
from app.domain.people.permissions import Actor, can, require
from app.domain.resources import read_resources
from app.domain.states import TERMINAL, JobState, read_priority
from app.errors import CrystalDeckError, FieldError, InvalidInput, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.services.clusters.registry import usable_cluster
from app.services.context import Context
from app.services.jobs.creation import check_fits, new_job_id
from app.services.jobs.effects import WAITING, apply_action, moved_resources
from app.services.jobs.faults import blame
from app.services.jobs.selections import Selection, count, selected
from app.services.transitions.batches import begin_batch, begin_receipt, move_batch, move_receipts

CHUNK = 500
SAMPLE = 20
"""Jobs of which a dry run tells what would become of them."""
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")
ACTIONS = {
    "submit": "Submit", "hold": "Hold", "release": "Release", "priority": "Set priority", "first": "First", "last": "Last",
    "start": "Start no earlier than", "move": "Move", "cancel": "Cancel", "rerun": "Run again", "tag": "Tag", "untag": "Remove tag",
    "archive": "Archive", "unarchive": "Unarchive",
}  # fmt: skip
"""What can be done to many jobs, in words."""
DESTRUCTIVE = frozenset({"cancel", "rerun"})
"""What cannot be taken back, or costs computing time: a page asks first."""
LARGE = 50
"""From so many jobs on a page asks first, whatever is done to them."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What an action did to one job: `done`, or the reason why not."""

    id: str
    name: str
    done: bool
    reason: str = ""


@dataclass(frozen=True)
class Preview:
    """What an action would do: to how many jobs it would be tried, and the outcome for the first of them."""

    action: str
    count: int
    sample: list[Outcome]


async def act(context: Context, actor: Actor, action: str, selection: Selection, value: str = "") -> list[Outcome]:
    """Act on many jobs and wait until it is done; a job that cannot take part stops none of the others.

    Args:
        value: of `priority` its name; of `start` an ISO 8601 time (empty: as soon as possible); of `move`
            `cluster` or `cluster:partition`; of `tag` and `untag` a word.

    Raises:
        InvalidInput: no such action or value, or too many jobs. Conflict: not as many jobs as expected.
    """
    batch = await begin(context, actor, action, selection, value)
    while await advance(context, batch.id):
        pass
    return await outcomes(context, actor, batch.id)


async def preview(context: Context, actor: Actor, action: str, selection: Selection, value: str = "") -> Preview:
    """What `act` would do, without doing anything; raises what it would raise."""
    require(actor, "job.create")
    async with context.database.read() as session:
        parsed = await _read_value(session, action, value)
        listed = await selected(session, selection)
        rows = await jobs.get_all(session, [job_id for job_id, _ in listed[:SAMPLE]])
    sample = []
    for job_id, name in listed[:SAMPLE]:
        reason = _refusal(actor, rows[job_id], action, parsed)
        sample.append(Outcome(job_id, name, not reason, reason))
    return Preview(action, len(listed), sample)


async def to_confirm(
    context: Context, actor: Actor, action: str, selection: Selection, value: str = ""
) -> Preview | None:
    """What a person should look at before it is done; None where it touches few jobs and can be taken back."""
    number = await count(context, actor, selection)
    to_show = await preview(context, actor, action, replace(selection, expect=number), value)
    asks = action in DESTRUCTIVE or selection.matching is not None or number >= LARGE
    return to_show if asks else None


async def begin(context: Context, actor: Actor, action: str, selection: Selection, value: str = "") -> Batch:
    """Record which jobs are to be acted on; `advance` does it, in the background.

    Raises:
        InvalidInput: no such action or value, or too many jobs. Conflict: not as many jobs as expected.
    """
    require(actor, "job.create")
    async with context.database.write() as session:
        await _read_value(session, action, value)
        listed = await selected(session, selection)
        existing = {job_id for job_id, _ in listed}
        unknown = [job_id for job_id in dict.fromkeys(selection.ids) if job_id not in existing]
        batch = Batch(
            id=new_job_id(),
            kind="action",
            name=ACTIONS[action],
            owner_id=actor.user_id,
            busy=True,
            action=action,
            value=value,
        )
        session.add(begin_batch(batch, BatchState.DOING))
        await session.flush()
        items = [
            begin_receipt(BatchItem(batch_id=batch.id, position=0, name=name, job_id=job_id), ReceiptState.OPEN)
            for job_id, name in listed
        ]
        items += [
            begin_receipt(
                BatchItem(batch_id=batch.id, position=0, name=job_id[:40]), ReceiptState.LEFT, "There is no such job."
            )
            for job_id in unknown
        ]
        for position, item in enumerate(items, start=1):
            item.position = position
        await insert_rows(session, items)
        announce(session, Topic.BATCH, batch.id)
    return batch


async def outcomes(context: Context, actor: Actor, batch_id: str) -> list[Outcome]:
    """How far an action has come, job by job."""
    require(actor, "job.read")
    async with context.database.read() as session:
        receipts = await batches.items(session, batch_id)
    return [
        Outcome(item.job_id or item.name, item.name, item.state == ReceiptState.DONE, item.message) for item in receipts
    ]


async def progress(context: Context, actor: Actor, batch_id: str) -> dict[str, int]:
    """Jobs of an action by state: open, done, left."""
    require(actor, "job.read")
    async with context.database.read() as session:
        return await batches.counts(session, batch_id)


async def advance(context: Context, batch_id: str) -> bool:
    """Work off one chunk of an action. False: nothing is left."""
    async with context.database.write() as session:
        batch = await batches.get(session, batch_id)
        if batch is None or not batch.busy:
            return False
        # Who is to come first is moved last.
        items = await batches.items(
            session, batch_id, [ReceiptState.OPEN], limit=CHUNK, last_first=batch.action == "first"
        )
        if items:
            await _work(session, batch, items)
        if len(items) < CHUNK:
            batch.busy = False
            move_batch(session, batch, BatchState.DONE)
        else:
            announce(session, Topic.BATCH, batch.id)
        more = batch.busy
    return more


async def _work(session: WriteSession, batch: Batch, items: Sequence[BatchItem]) -> None:
    """Act on all jobs at once; where that fails on each alone, so that a job that cannot be done stops none of the others."""
    actor = await users.actor(session, batch.owner_id)
    job_ids = [item.job_id or "" for item in items]
    try:
        async with savepoint(session):
            outcomes = await _outcomes_of(session, actor, batch, job_ids)
    except NOT_THE_ITEM:
        raise
    except Exception:
        outcomes = await _one_by_one(session, actor, batch, job_ids)
    receipts = {}
    for item, job_id in zip(items, job_ids, strict=True):
        done, message = outcomes.get(job_id, (False, "It no longer exists."))
        receipts[item.position] = (ReceiptState.DONE if done else ReceiptState.LEFT, message)
    await move_receipts(session, items, receipts)


async def _one_by_one(
    session: WriteSession, actor: Actor | None, batch: Batch, job_ids: Sequence[str]
) -> dict[str, tuple[bool, str]]:
    outcomes: dict[str, tuple[bool, str]] = {}
    for job_id in job_ids:
        try:
            async with savepoint(session):
                outcomes |= await _outcomes_of(session, actor, batch, [job_id])
        except NOT_THE_ITEM:
            raise
        except Exception as error:
            outcomes[job_id] = (False, blame(log, f"{batch.action} of job {job_id} (action {batch.id})", error))
    return outcomes


async def _outcomes_of(
    session: WriteSession, actor: Actor | None, batch: Batch, job_ids: Sequence[str]
) -> dict[str, tuple[bool, str]]:
    """Act on these jobs; returns by job id whether it was done, and what is worth telling."""
    rows = await jobs.get_all(session, [job_id for job_id in job_ids if job_id])
    if actor is None:
        return dict.fromkeys(rows, (False, "The user who requested this no longer has permission."))
    try:
        parsed = await _read_value(session, batch.action, batch.value)
    except CrystalDeckError as error:
        # Something that existed when it began is gone since, such as a cluster.
        return dict.fromkeys(rows, (False, error.sentence))
    refused = {job_id: reason for job_id, job in rows.items() if (reason := _refusal(actor, job, batch.action, parsed))}
    able = [job for job_id, job in rows.items() if job_id not in refused]
    notes: Mapping[str, str] = await apply_action(session, actor, batch.action, able, parsed) if able else {}
    return {job_id: (job_id not in refused, refused.get(job_id) or notes.get(job_id, "")) for job_id in rows}


async def _read_value(session: ReadSession, action: str, value: str) -> Any:
    """What the text that came with an action means: a rank, a time, a tag, a cluster with a partition, or clusters in use."""
    if action not in ACTIONS:
        raise InvalidInput(
            f"There is no action {action[:40]!r}.",
            hint=f"Actions: {', '.join(ACTIONS)}.",
            fields=[FieldError("action", f"must be one of {', '.join(ACTIONS)}", action[:40])],
        )
    match action:
        case "priority":
            return read_priority(value, "value").rank
        case "start":
            return _moment(value)
        case "tag" | "untag":
            if not TAG.fullmatch(value.strip()):
                raise InvalidInput(
                    f"{value[:50]!r} cannot be a tag.",
                    hint="At most 40 letters, digits and . _ : -",
                    fields=[FieldError("value", "must be one word", value[:50])],
                )
            return value.strip()
        case "move":
            name, _, partition = value.partition(":")
            cluster = await usable_cluster(session, name.strip(), field="value")
            # A word that cannot name a partition is refused here, not job by job.
            return cluster, read_resources({"partition": partition.strip()}).partition
        case "rerun":
            return {cluster.id for cluster in await clusters.all_active(session)}
    return None


def _moment(value: str) -> datetime | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not 2000 <= moment.year < 2200:
            raise ValueError
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{value[:40]!r} is not a valid time.",
            hint="Write it like 2026-12-24T18:00 (UTC unless it has an offset).",
            fields=[FieldError("value", "must be an ISO 8601 time", value[:40])],
        ) from None
    return moment


def _refusal(actor: Actor, job: Job, action: str, parsed: Any) -> str:
    """Why this job cannot take part; empty: it can."""
    state = JobState(job.state)
    if action == "rerun":
        if job.cluster_id not in parsed:
            return "Its cluster was removed: clone it for another one."
        return "" if state in TERMINAL else f"It is {state}: it has not ended."
    if not can(actor, "job.change", job.owner_id):
        return "It belongs to another user."
    match action:
        case "tag" | "untag":
            return ""
        case "archive" | "unarchive":
            return "" if state in TERMINAL else f"It is {state}: only ended jobs can be archived."
        case "cancel":
            if state in TERMINAL or state is JobState.FINISHING:
                return f"It has already ended ({state})."
            return "It is being cancelled already." if job.cancel_requested else ""
        case "hold":
            return "" if state in (JobState.QUEUED, JobState.WAITING) else f"It is {state}, not waiting in the queue."
        case "release":
            return "" if state is JobState.HELD else f"It is {state}, not held."
        case "submit":
            return "" if state in (JobState.DRAFT, JobState.HELD) else f"It is {state}: it was already submitted."
    if state not in WAITING:
        return f"It is {state}: it has left the queue."
    return _move_refusal(job, *parsed) if action == "move" else ""


def _move_refusal(job: Job, cluster: Cluster, partition: str) -> str:
    try:
        check_fits(cluster, moved_resources(job, cluster, partition))
    except CrystalDeckError as error:
        return error.message
    return ""


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
