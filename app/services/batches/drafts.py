"""New batches: one template, many structures, rows of parameters or points of a sweep.

A batch begins as a draft: what is common to all its jobs, and items that say what differs. Items are checked in the
background (`batch_work`) and become jobs when the batch is submitted; one that is wrong stops none of the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.db.engine import insert_rows
from app.db.repositories import batches, clusters
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Batch, BatchItem, now
from app.domain.batches import BatchState, ItemState
from app.domain.names import suggest_name
from app.domain.people.permissions import Actor, require
from app.domain.sweeps import Axis, Combination, corners, points, read_axis
from app.errors import Conflict, FieldError, InvalidInput, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.library.pasted_tables import read_table
from app.library.template_files import Template
from app.library.templates import form_values
from app.services.catalogue.templates import refresh
from app.services.composing import forms
from app.services.context import Context
from app.services.jobs.attachments import keep_upload
from app.services.jobs.creation import new_job_id
from app.services.jobs.selections import refuse_unexpected
from app.services.people.quotas import require_room
from app.services.transitions.batches import move_batch, move_item, renew_items
from app.workers.pauses import with_pauses

MAX_ITEMS = 1000
ROW_KEYS = ("name", "cluster", "priority")
NAMINGS = {"structure": "{source}-{template}", "row": "{name}", "sweep": "{template}-{point}"}


async def begin(
    context: Context, actor: Actor, template_id: str, form: Mapping[str, str], name: str = "", *, reuse: bool = True
) -> Batch:
    """A draft with what is common to all its jobs, as the composer's form has it.

    Raises:
        NotFound: no such template. QuotaExceeded: the files of this user take more than one person's share.
    """
    require(actor, "job.create")
    await require_room(context, actor)
    await refresh(context)
    context.templates.get(template_id)
    batch = new_draft(actor, template_id, form, name, reuse=reuse)
    async with context.database.write() as session:
        session.add(batch)
    return batch


def new_draft(actor: Actor, template_id: str, form: Mapping[str, str], name: str, *, reuse: bool) -> Batch:
    """A draft that is not kept yet."""
    kept = {key: value for key, value in form.items() if key.startswith(("p_", "r_")) or key in ("cluster", "priority")}
    return Batch(
        id=new_job_id(),
        kind="jobs",
        name=suggest_name(name or f"{template_id}-batch"),
        owner_id=actor.user_id,
        template_id=template_id,
        form=kept,
        reuse=reuse,
    )


def common_form(template: Template, parameters: Mapping[str, Any], resources: Mapping[str, Any]) -> dict[str, str]:
    """What a notebook gives as common to all jobs, as the form would hold it.

    Raises:
        InvalidInput: a parameter that the template does not have.
    """
    spec = template.spec
    unknown = sorted(parameters.keys() - {one.key for one in spec.fields})
    if unknown:
        raise InvalidInput(
            f"{spec.id} has no parameter {unknown[0][:40]!r}.",
            hint=f"See its schema: /api/v1/templates/{spec.id}/schema.",
            fields=[FieldError(key, "is not a parameter of this template") for key in unknown],
        )
    texts = {f"p_{key}": text for key, text in form_values(spec.fields, dict(parameters)).items()}
    return texts | {f"r_{key}": str(value) for key, value in resources.items() if value not in ("", None)}


async def editable(session: ReadSession, actor: Actor, batch_id: str) -> Batch:
    """The draft, for its owner to change.

    Raises:
        NotFound, NotAllowed. Conflict: it was submitted already.
    """
    batch = await batches.get(session, batch_id)
    if batch is None or batch.kind != "jobs":
        raise NotFound(f"There is no batch {batch_id[:40]!r}.", hint="See the list of batches.")
    require(actor, "job.change", batch.owner_id)
    if batch.state != BatchState.DRAFT:
        raise Conflict(
            f"The batch {batch.name} is {batch.state}.", hint="Make a new one; this one's rows can be copied."
        )
    return batch


async def add_structures(context: Context, actor: Actor, batch_id: str, files: Sequence[tuple[str, bytes]]) -> int:
    """One item for each file; what it holds is read in the background. Returns how many were added.

    Raises:
        InvalidInput: no file, too many, or one that cannot be kept.
    """
    if not files:
        raise InvalidInput("No file was chosen.", hint="Choose or drop CIF, POSCAR, XYZ or fort.34 files.")
    async with context.database.read() as session:
        await editable(session, actor, batch_id)
    references = [(name, await keep_upload(context, actor, name, data)) for name, data in files]
    items = [BatchItem(batch_id=batch_id, position=0, source=reference) for _, reference in references]
    await _add(context, actor, batch_id, items, "structure")
    return len(items)


async def add_rows(context: Context, actor: Actor, batch_id: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """One item for each row: parameters by key, `resources.<key>`, `name`, `cluster`, `priority`."""
    async with context.database.read() as session:
        batch = await editable(session, actor, batch_id)
    await refresh(context)
    items = await row_items(context.templates.get(batch.template_id), rows)
    await _add(context, actor, batch_id, items, "row")
    return len(items)


async def row_items(template: Template, rows: Sequence[Mapping[str, Any]]) -> list[BatchItem]:
    """Items of rows; they have no batch and no position yet.

    Raises:
        InvalidInput: a key that the template does not have.
    """
    spec = template.spec
    known = {one.key for one in spec.fields} | set(ROW_KEYS) | {f"resources.{key}" for key in forms.RESOURCE_KEYS}
    unknown = sorted({key for row in rows for key in row} - known)
    if unknown:
        raise InvalidInput(
            f"The rows name {', '.join(unknown)[:200]}, which {spec.id} does not have.",
            hint="Use parameters of the template, name, cluster, priority, or resources.<key>.",
            fields=[FieldError(key, "is not a parameter of this template") for key in unknown],
        )
    given = [{key: value for key, value in row.items() if value not in ("", None)} for row in rows]
    return [BatchItem(batch_id="", position=0, given=one) async for one in with_pauses(given)]


async def add_table(context: Context, actor: Actor, batch_id: str, text: str) -> int:
    """Rows of a table: the first line names the columns, by key or by label.

    Raises:
        InvalidInput: no header, a column that nobody knows, or a row of another length.
    """
    async with context.database.read() as session:
        batch = await editable(session, actor, batch_id)
    await refresh(context)
    spec = context.templates.get(batch.template_id).spec
    rows = await context.workers.run(actor.user_id, read_table, spec, text, ROW_KEYS, forms.RESOURCE_KEYS)
    return await add_rows(context, actor, batch_id, rows)


def read_sweep(
    template: Template, axes: Sequence[tuple[str, str]], how: Combination
) -> tuple[list[Axis], list[dict[str, Any]]]:
    """The axes of a sweep and its points.

    Raises:
        InvalidInput: names the axis and says why.
    """
    specs = {one.key: one for one in template.spec.sweepable}
    read, wrong = [], []
    for key, text in axes:
        if key not in specs:
            wrong.append(FieldError(key, f"cannot be on an axis; of {template.spec.id} these can: {', '.join(specs)}"))
            continue
        try:
            read.append(read_axis(specs[key], text))
        except ValueError as error:
            wrong.append(FieldError(key, str(error), text[:80]))
    found: list[dict[str, Any]] = []
    if not wrong:
        try:
            found = points(read, how)
        except ValueError as error:
            wrong.append(FieldError("axes", str(error)))
    if wrong:
        raise InvalidInput(
            "The sweep cannot be made: " + "; ".join(f"{e.field} {e.reason}" for e in wrong) + ".",
            hint="Correct the axes.",
            fields=wrong,
        )
    return read, found


async def set_sweep(
    context: Context,
    actor: Actor,
    batch_id: str,
    axes: Sequence[tuple[str, str]],
    how: Combination = "grid",
    tolerance: float = 0.0,
    *,
    stop: bool = False,
) -> int:
    """The batch's items become the points of a sweep; see `sweep_items`."""
    async with context.database.read() as session:
        batch = await editable(session, actor, batch_id)
    await refresh(context)
    sweep, items = await sweep_items(context.templates.get(batch.template_id), axes, how, tolerance, stop=stop)
    async with context.database.write() as session:
        row = await editable(session, actor, batch_id)
        for item in await batches.items(session, batch_id):
            await session.delete(item)
        await session.flush()
        row.sweep = sweep
        await put_items(session, row, items, "sweep")
    return len(items)


async def sweep_items(
    template: Template, axes: Sequence[tuple[str, str]], how: Combination, tolerance: float, *, stop: bool
) -> tuple[dict[str, Any], list[BatchItem]]:
    """A sweep as it is kept, and its points.

    Args:
        tolerance: change of the energy in hartree within which it has converged; 0: not looked at.
        stop: cancel what is left once it has; only along one axis.

    Raises:
        InvalidInput: names the axis and says why.
    """
    read, found = read_sweep(template, axes, how)
    if stop and (not tolerance or (len(read) > 1 and how == "grid")):
        raise InvalidInput(
            "A sweep can stop by itself only along one axis, and with a tolerance.",
            hint="Give a tolerance, or let it run.",
            fields=[FieldError("stop", "needs one axis and a tolerance")],
        )
    sweep: dict[str, Any] = {
        "axes": [{"key": key, "text": text} for key, text in axes],
        "how": how,
        "tolerance": tolerance,
        "stop": stop,
    }
    ends = corners(read, how)
    sweep["corners"] = [position for position, point in enumerate(found, start=1) if point in ends]
    items = [
        BatchItem(batch_id="", position=0, given=dict(point), point=dict(point)) async for point in with_pauses(found)
    ]
    return sweep, items


async def _add(context: Context, actor: Actor, batch_id: str, items: Sequence[BatchItem], kind: str) -> None:
    async with context.database.write() as session:
        await put_items(session, await editable(session, actor, batch_id), items, kind)


async def put_items(session: WriteSession, batch: Batch, items: Sequence[BatchItem], kind: str) -> None:
    """Add items to a draft, in the caller's transaction.

    Raises:
        InvalidInput: more than one batch holds.
    """
    first = await batches.next_position(session, batch.id)
    if first - 1 + len(items) > MAX_ITEMS:
        raise InvalidInput(f"A batch holds at most {MAX_ITEMS} jobs.", hint="Make a second one.")
    for position, item in enumerate(items, start=first):
        item.batch_id, item.position = batch.id, position
    await insert_rows(session, items)
    batch.naming = batch.naming or NAMINGS[kind]
    batch.busy, batch.updated_at = True, now()
    session.add(batch)
    announce(session, Topic.BATCH, batch.id)


async def change(
    context: Context,
    actor: Actor,
    batch_id: str,
    *,
    name: str | None = None,
    naming: str | None = None,
    reuse: bool | None = None,
    form: Mapping[str, str] | None = None,
) -> Batch:
    """Change what all jobs share; every row is checked again."""
    async with context.database.write() as session:
        batch = await editable(session, actor, batch_id)
        batch.name = suggest_name(name) if name else batch.name
        batch.naming = batch.naming if naming is None else naming.strip()[:200]
        batch.reuse = batch.reuse if reuse is None else reuse
        if form is not None:
            batch.form = {k: v for k, v in form.items() if k.startswith(("p_", "r_")) or k in ("cluster", "priority")}
        batch.busy, batch.updated_at = True, now()
        session.add(batch)
        await renew_items(session, batch_id)
        announce(session, Topic.BATCH, batch.id)
    return batch


async def change_item(
    context: Context,
    actor: Actor,
    batch_id: str,
    position: int,
    given: Mapping[str, Any],
    *,
    anyway: bool | None = None,
) -> None:
    """What one row has of its own; `anyway`: compute it although it was computed before."""
    async with context.database.write() as session:
        batch = await editable(session, actor, batch_id)
        item = await _item(session, batch, position)
        item.given = {key: value for key, value in given.items() if value not in ("", None)}
        item.anyway = anyway
        move_item(session, item, ItemState.NEW)
        batch.busy = True
        session.add(batch)
        announce(session, Topic.BATCH, batch.id)


async def remove_item(context: Context, actor: Actor, batch_id: str, position: int) -> None:
    async with context.database.write() as session:
        batch = await editable(session, actor, batch_id)
        await session.delete(await _item(session, batch, position))
        announce(session, Topic.BATCH, batch.id)


async def _item(session: ReadSession, batch: Batch, position: int) -> BatchItem:
    found = await batches.item(session, batch.id, position)
    if found is None:
        raise NotFound(f"The batch {batch.name} has no row {position}.", hint="Reload its page.")
    return found


async def submit(context: Context, actor: Actor, batch_id: str, expect: int | None = None) -> Batch:
    """Make the jobs of all rows that are right, in the background.

    Args:
        expect: how many rows there should be.

    Raises:
        InvalidInput: there are no rows. QuotaExceeded: the files of this user take more than one person's share.
        Conflict: there are not as many rows as expected.
    """
    require(actor, "job.create")
    await require_room(context, actor)
    async with context.database.write() as session:
        batch = await editable(session, actor, batch_id)
        refuse_unexpected(sum((await batches.counts(session, batch_id)).values()), expect, "row")
        await begin_making(session, batch)
    return batch


async def begin_making(session: WriteSession, batch: Batch) -> None:
    """Let the rows of a draft become jobs, in the caller's transaction.

    Raises:
        InvalidInput: there are no rows, or no cluster.
    """
    if not await batches.counts(session, batch.id):
        raise InvalidInput("The batch has no rows yet.", hint="Add structures, a table or a sweep.")
    cluster = await clusters.by_name(session, batch.form.get("cluster", ""))
    if cluster is None:
        raise InvalidInput(
            "No cluster was chosen.",
            hint="Choose one under the common settings.",
            fields=[FieldError("cluster", "must be chosen")],
        )
    batch.busy = True
    move_batch(session, batch, BatchState.MAKING)


async def discard(context: Context, actor: Actor, batch_id: str) -> None:
    """Forget a draft; nothing was submitted from it."""
    async with context.database.write() as session:
        batch = await editable(session, actor, batch_id)
        batch.busy = False
        move_batch(session, batch, BatchState.DISCARDED)


def combination(text: str) -> Combination:
    """Raises: InvalidInput: neither grid nor zip."""
    if text not in ("grid", "zip"):
        raise InvalidInput(f"Axes are combined as grid or zip, not {text[:20]!r}.", hint="Choose one.")
    return "zip" if text == "zip" else "grid"


def own_lines(item: BatchItem) -> str:
    """What a row has of its own, as lines `key = value`; tables as JSON."""
    return "\n".join(
        f"{key} = {json.dumps(value) if isinstance(value, list) else value}" for key, value in item.given.items()
    )


def read_lines(text: str) -> dict[str, Any]:
    """The inverse of `own_lines`.

    Raises:
        InvalidInput: a line without `=`.
    """
    given: dict[str, Any] = {}
    for line in filter(str.strip, text.splitlines()):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise InvalidInput(
                f"The line {line.strip()[:60]!r} has no '='.",
                hint="Write key = value.",
                fields=[FieldError("own", "must be lines key = value", line.strip()[:60])],
            )
        try:
            given[key] = json.loads(value) if value.startswith("[") else value
        except ValueError:
            given[key] = value
    return given
