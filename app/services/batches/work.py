"""Working off batches in the background: rows are checked, become jobs, and a sweep that has converged is ended.

Every step is one transaction that also says how far it came, so that a restart continues where it stopped and creates no job twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from app.crystal.structures.importers import DEFAULT_TOLERANCE
from app.db.repositories import batches, clusters, users
from app.db.repositories.batches import Twin
from app.db.savepoints import NOT_THE_ITEM, savepoint
from app.db.sessions import WriteSession
from app.db.tables import Batch, BatchItem, Job, now
from app.domain.batches import BatchState, ItemState
from app.domain.names import MAX_NAME, suggest_name
from app.domain.people.permissions import Actor
from app.domain.states import TERMINAL, JobState
from app.domain.sweeps import fill_name, label, settled
from app.domain.templates.answers import FILE_REFERENCE
from app.errors import CrystalDeckError, InvalidInput, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.library.drafting import Wanted
from app.services.catalogue.templates import refresh
from app.services.clusters.registry import usable_cluster
from app.services.composing import forms
from app.services.context import Context
from app.services.jobs import actions
from app.services.jobs.attachments import gather, upload_path
from app.services.jobs.creation import JobRequest, Prepared, check_fits, prepare, queue_prepared
from app.services.jobs.effects import cancel_jobs
from app.services.jobs.faults import blame
from app.services.transitions.batches import move_batch, move_item

CHECKED = 25
"""Rows of a draft that are checked in one transaction: few, so that their author sees how it gets on."""
WRITTEN = 25
"""Rows that become jobs in one transaction: others who write, such as a poll, wait for its end."""
MADE = 250
"""Rows that are prepared before any of them becomes a job: many, since the first to run take the processor from the others."""
log = logging.getLogger(__name__)


async def busy(context: Context) -> list[str]:
    """Batches and actions with something left to do."""
    async with context.database.read() as session:
        return await batches.busy(session)


async def work(context: Context, batch_id: str) -> None:
    """Go on until nothing is left to do."""
    while await advance(context, batch_id):
        pass


async def advance(context: Context, batch_id: str) -> bool:
    """One step. False: nothing is left."""
    async with context.database.read() as session:
        batch = await batches.get(session, batch_id)
        if batch is None or not batch.busy:
            return False
        actor = await users.actor(session, batch.owner_id)
        making = batch.state == BatchState.MAKING
        chunk = MADE if making else CHECKED
        fresh = await batches.items(session, batch_id, [ItemState.NEW], limit=chunk)
        ready = await batches.items(session, batch_id, [ItemState.READY, ItemState.KNOWN], limit=chunk)
    if batch.kind == "action":
        return await actions.advance(context, batch_id)
    if actor is None:
        return await _give_up(context, batch_id)
    await refresh(context)
    if fresh:
        checked, prepared = await _check(context, actor, batch, fresh)
        if making:
            # What was just rendered need not be rendered again.
            await _make(context, actor, batch, checked, prepared)
    elif ready and making:
        await _make(context, actor, batch, ready, {})
    else:
        return await _finish_batch(context, actor, batch_id)
    return True


async def _give_up(context: Context, batch_id: str) -> bool:
    async with context.database.write() as session:
        batch = await batches.get(session, batch_id)
        if batch is not None:
            batch.busy, batch.remark = False, "Its owner's account is closed; no further jobs are submitted."
            session.add(batch)
    return False


# -- what a row asks for ---------------------------------------------------------------------------------------------------


def request_of(context: Context, batch: Batch, item: BatchItem) -> JobRequest:
    """The common settings of the batch with the overrides of the row.

    Raises:
        InvalidInput: the naming pattern names something unknown.
    """
    request = forms.from_form(context, batch.template_id, batch.form).request()
    values = dict(item.given)
    own = {key: str(values.pop(key)) for key in ("name", "cluster", "priority") if key in values}
    resources = {key.partition(".")[2]: values.pop(key) for key in list(values) if key.startswith("resources.")}
    name = _name(context, batch, item, request, own.get("name", ""))
    parameters = request.parameters | values
    if not parameters.get("title") and any(
        field.key == "title" for field in context.templates.get(batch.template_id).spec.fields
    ):
        parameters["title"] = name
    return JobRequest(
        batch.template_id,
        parameters,
        own.get("cluster", request.cluster),
        request.resources | resources,
        name,
        own.get("priority", request.priority),
    )


def _name(context: Context, batch: Batch, item: BatchItem, request: JobRequest, own: str) -> str:
    source = item.source.rpartition("/")[2]
    stem = source.rpartition(".")[0] or source
    point = "-".join(label(value).replace(" ", "x") for value in item.point.values())
    known: dict[str, Any] = {
        field.key: request.parameters.get(field.key, "")
        for field in context.templates.get(batch.template_id).spec.fields
    }
    known |= {key: value for key, value in item.given.items() if not key.startswith("resources.")}
    known |= {
        "n": f"{item.position:03}",
        "template": batch.template_id,
        "batch": batch.name,
        "source": stem,
        "point": point,
        "name": own or stem or f"{batch.name}-{item.position:03}",
    }
    try:
        filled = fill_name(batch.naming or "{name}", known)
    except ValueError as error:
        raise InvalidInput(f"The naming pattern {error}.", hint="Correct it.") from error
    return suggest_name(filled)[:MAX_NAME]


# -- checking --------------------------------------------------------------------------------------------------------------


async def _check(
    context: Context, actor: Actor, batch: Batch, items: Sequence[BatchItem]
) -> tuple[list[BatchItem], dict[int, Prepared | str]]:
    """Read structures, render decks, look for jobs that computed the same.

    Returns:
        The rows that were checked, and what was rendered, by position.
    """
    asked = {item.position: dict(item.given) for item in items}
    read = [await _read_source(context, actor, item) for item in items]
    prepared = [wrong or await _prepared(context, actor, batch, item) for item, wrong in zip(items, read, strict=True)]
    async with context.database.write() as session:
        current = await batches.get(session, batch.id)
        if current is None or current.updated_at != batch.updated_at:
            # A user changed the common settings meanwhile: these findings no longer count.
            return [], {}
        cluster = await clusters.by_name(session, batch.form.get("cluster", ""))
        digests = [outcome.digest for outcome in prepared if isinstance(outcome, Prepared)]
        twins = await batches.twins(session, digests, cluster.id if cluster else 0)
        siblings = await batches.by_digest(session, batch.id, digests)
        rows = {row.position: row for row in await batches.items(session, batch.id, [ItemState.NEW])}
        checked = []
        for item, outcome in zip(items, prepared, strict=True):
            row = rows.get(item.position)
            if row is None or (row.given, row.anyway) != (asked[item.position], item.anyway):
                # A user changed this row meanwhile: it is checked again.
                continue
            row.given = item.given
            if isinstance(outcome, Prepared):
                row.name, row.digest, row.atoms = outcome.request.name, outcome.digest, outcome.atoms
                first = siblings.setdefault(outcome.digest, row.position)
                move_item(session, row, *_standing(twins.get(outcome.digest), first, row.position))
            else:
                move_item(session, row, ItemState.WRONG, outcome)
                row.name = row.name or str(item.given.get("name", "")) or item.source.rpartition("/")[2]
            checked.append(row)
        announce(session, Topic.BATCH, batch.id)
    return checked, {item.position: outcome for item, outcome in zip(items, prepared, strict=True)}


def _standing(twin: Twin | None, first: int, position: int) -> tuple[ItemState, str]:
    if twin is not None:
        done = twin.job.state == JobState.COMPLETED
        engine = " with the preview engine" if twin.preview else ""
        when = twin.job.ended_at if done and twin.job.ended_at else twin.job.created_at
        words = "Already computed" if done else "Being computed"
        return ItemState.KNOWN, f"{words}{engine} by {twin.owner} on {twin.cluster}, {when:%d %b %Y}: {twin.job.id}"
    if first != position:
        return ItemState.KNOWN, f"Identical to row {first} of this batch."
    return ItemState.READY, ""


async def _read_source(context: Context, actor: Actor, item: BatchItem) -> str:
    """Fill the structure of an uploaded file into the row; returns what is wrong with it."""
    if not item.source or "system" in item.given or "space_group" in item.given:
        return ""
    if not FILE_REFERENCE.fullmatch(item.source):
        return f"{item.source[:60]!r} is not an uploaded file."
    digest, _, name = item.source.removeprefix("upload:").partition("/")
    try:
        data = await asyncio.to_thread(upload_path(context, digest).read_bytes)
        imported = await context.structures.read(
            actor.user_id, data, name, DEFAULT_TOLERANCE, unseen=True, patient=True
        )
    except CrystalDeckError as error:
        return error.sentence
    except OSError as error:
        return f"The uploaded file cannot be read: {error.strerror}."
    except Exception as error:
        return blame(log, f"reading the structure of row {item.position} of batch {item.batch_id}", error)
    item.given = imported.parameters | item.given
    return ""


async def _prepared(
    context: Context,
    actor: Actor,
    batch: Batch,
    item: BatchItem,
    wanted: Wanted = Wanted(),  # noqa: B008  (frozen)
) -> Prepared | str:
    """The job that a row would become, or what is wrong with it."""
    try:
        if (spec := context.templates.get(batch.template_id).spec) and item.source:
            known = {field.key for field in spec.fields}
            item.given = {
                key: value for key, value in item.given.items() if key in known or "." in key or key == "name"
            }
        request = request_of(context, batch, item)
        if item.source:
            # What another structure of the common form left must not mix with this one's.
            structure = {field.key for field in spec.fields if field.group == "Structure"} - item.given.keys()
            kept = {key: value for key, value in request.parameters.items() if key not in structure}
            request = JobRequest(**{**vars(request), "parameters": kept})
        gathered = await gather(context, actor, request.template, request.parameters)
        prepared = await prepare(context, actor.user_id, request, gathered, wanted=wanted, patient=True)
        async with context.database.read() as session:
            cluster = await usable_cluster(session, request.cluster) if request.cluster else None
        if cluster is not None:
            check_fits(cluster, prepared.resources)
        return prepared
    except CrystalDeckError as error:
        return error.sentence
    except Exception as error:
        return f"This row could not be checked. {blame(log, f'row {item.position} of batch {batch.id}', error)}"


# -- making ----------------------------------------------------------------------------------------------------------------


async def _make(
    context: Context, actor: Actor, batch: Batch, items: Sequence[BatchItem], rendered: Mapping[int, Prepared | str]
) -> None:
    """Rows become jobs; rows computed before are linked to that job, unless they are to be computed again."""
    reused = [item for item in items if item.state == ItemState.KNOWN and not _compute(batch, item)]
    wanted = [item for item in items if item not in reused]
    prepared = {
        item.position: rendered.get(item.position) or await _prepared(context, actor, batch, item) for item in wanted
    }
    for first in range(0, len(wanted), WRITTEN):
        await _write_jobs(context, actor, batch, wanted[first : first + WRITTEN], prepared)
    if reused:
        await _link_twins(context, batch, reused)


async def _write_jobs(
    context: Context, actor: Actor, batch: Batch, wanted: Sequence[BatchItem], prepared: Mapping[int, Prepared | str]
) -> None:
    """Let rows be jobs, in one transaction."""
    async with context.database.write() as session:
        rows = await _rows_to_make(session, batch, wanted)
        good: list[tuple[BatchItem, Prepared]] = []
        for item in wanted:
            row, ready = rows.get(item.position), prepared[item.position]
            if row is None:
                continue
            if isinstance(ready, Prepared):
                good.append((row, ready))
            else:
                move_item(session, row, ItemState.WRONG, ready)
        head = not await batches.has_head(session, batch.id)
        queued = await _queued(session, actor, batch, {row.position: ready for row, ready in good}, head=head)
        for row, _ in good:
            outcome = queued[row.position]
            if isinstance(outcome, str):
                move_item(session, row, ItemState.WRONG, outcome)
            else:
                move_item(session, row, ItemState.MADE, job_id=outcome.id)
        announce(session, Topic.BATCH, batch.id)


async def _link_twins(context: Context, batch: Batch, reused: Sequence[BatchItem]) -> None:
    """Link rows to the jobs that computed the same: last, since a row may be the same as another that has just become a job."""
    async with context.database.write() as session:
        rows = await _rows_to_make(session, batch, reused)
        cluster = await clusters.by_name(session, batch.form.get("cluster", ""))
        twins = await batches.twins(session, [item.digest for item in reused], cluster.id if cluster else 0)
        for item in reused:
            row, twin = rows.get(item.position), twins.get(item.digest)
            if row is None:
                continue
            if twin is not None:
                move_item(session, row, ItemState.REUSED, row.message, twin.job.id)
            else:
                # The other one is gone or failed meanwhile: compute it after all.
                move_item(session, row, ItemState.READY)
        announce(session, Topic.BATCH, batch.id)


async def _rows_to_make(session: WriteSession, batch: Batch, items: Sequence[BatchItem]) -> dict[int, BatchItem]:
    """Those of the items that still wait to become jobs, as they are now, by position."""
    states = [ItemState.READY, ItemState.KNOWN]
    found = await batches.items(session, batch.id, states, positions=[item.position for item in items])
    return {row.position: row for row in found}


async def _queued(
    session: WriteSession, actor: Actor, batch: Batch, rows: Mapping[int, Prepared], *, head: bool
) -> dict[int, Job | str]:
    """The jobs of rows by position, or why there is none: all at once, and one by one only where that fails."""
    if not rows:
        return {}
    try:
        async with savepoint(session):
            jobs = await queue_prepared(session, actor, list(rows.values()), batch.id, head=head)
        return dict(zip(rows, jobs, strict=True))
    except NOT_THE_ITEM:
        raise
    except Exception as error:
        if len(rows) == 1:
            return dict.fromkeys(rows, blame(log, f"row {next(iter(rows))} of batch {batch.id}", error))
    outcomes: dict[int, Job | str] = {}
    for position, ready in rows.items():
        first = head and not any(isinstance(job, Job) for job in outcomes.values())
        outcomes |= await _queued(session, actor, batch, {position: ready}, head=first)
    return outcomes


def _compute(batch: Batch, item: BatchItem) -> bool:
    return item.anyway if item.anyway is not None else not batch.reuse


async def _finish_batch(context: Context, actor: Actor, batch_id: str) -> bool:
    """Nothing to check or to make: is the batch done, has the sweep converged?"""
    async with context.database.write() as session:
        batch = await batches.get(session, batch_id)
        assert batch is not None
        counts = await batches.counts(session, batch_id)
        making = batch.state == BatchState.MAKING
        if counts.get(ItemState.NEW) or (making and (counts.get(ItemState.READY) or counts.get(ItemState.KNOWN))):
            return True
        if making:
            move_batch(session, batch, BatchState.MADE)
        batch.busy = False
        if batch.sweep.get("stop") and batch.state == BatchState.MADE:
            rows = await batches.rows(session, batch_id)
            if settled([row.energy_total for row in rows], float(batch.sweep["tolerance"])):
                rest = [row.job for row in rows if row.job is not None and _may_stop(row.job, batch)]
                await cancel_jobs(session, actor, rest, "The sweep has converged; this job is no longer needed.")
                batch.sweep = {**batch.sweep, "stop": False}
                batch.remark = f"The sweep has converged; the remaining {len(rest)} jobs were cancelled."
        batch.updated_at = now()
        session.add(batch)
        announce(session, Topic.BATCH, batch.id)
    return False


def _may_stop(job: Job, batch: Batch) -> bool:
    """Only the batch's own jobs: a reused job may belong to another user."""
    state = JobState(job.state)
    return (
        job.batch_id == batch.id
        and state not in TERMINAL
        and state is not JobState.FINISHING
        and not job.cancel_requested
    )


async def decks_of(context: Context, actor: Actor, batch: Batch, position: int) -> tuple[BatchItem, Prepared | str]:
    """A row with the decks that it would become, or what is wrong with it.

    Raises:
        NotFound: no such row.
    """
    await refresh(context)
    async with context.database.read() as session:
        item = await batches.item(session, batch.id, position)
    if item is None:
        raise NotFound(f"The batch {batch.name} has no row {position}.", hint="Reload its page.")
    wrong = await _read_source(context, actor, item)
    return item, wrong or await _prepared(context, actor, batch, item, Wanted(look=True))
