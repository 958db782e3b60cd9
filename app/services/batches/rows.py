"""The rows of a draft: structures, parameters of a table or of a form; each becomes a job when the batch is submitted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.db.engine import insert_rows
from app.db.repositories import batches
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Batch, BatchItem, now
from app.domain.batches import ItemState
from app.domain.people.permissions import Actor
from app.errors import FieldError, InvalidInput, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.library.pasted_tables import read_table
from app.library.template_files import Template
from app.services.batches.drafts import editable
from app.services.catalogue.templates import refresh
from app.services.composing import forms
from app.services.context import Context
from app.services.jobs.attachments import keep_upload
from app.services.transitions.batches import move_item
from app.workers.pauses import with_pauses

MAX_ITEMS = 1000


ROW_KEYS = ("name", "cluster", "priority")


NAMINGS = {"structure": "{source}-{template}", "row": "{name}", "sweep": "{template}-{point}"}


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
    known = {field.key for field in spec.fields} | set(ROW_KEYS) | {f"resources.{key}" for key in forms.RESOURCE_KEYS}
    unknown = sorted({key for row in rows for key in row} - known)
    if unknown:
        raise InvalidInput(
            f"The rows name {', '.join(unknown)[:200]}, which {spec.id} does not have.",
            hint="Use parameters of the template, name, cluster, priority, or resources.<key>.",
            fields=[FieldError(key, "is not a parameter of this template") for key in unknown],
        )
    filled = [{key: value for key, value in row.items() if value not in ("", None)} for row in rows]
    return [BatchItem(batch_id="", position=0, given=values) async for values in with_pauses(filled)]


async def add_table(context: Context, actor: Actor, batch_id: str, text: str) -> int:
    """Rows of a table: the first line names the columns, by key or by label.

    Raises:
        InvalidInput: no header, an unknown column, or a row of a different length.
    """
    async with context.database.read() as session:
        batch = await editable(session, actor, batch_id)
    await refresh(context)
    spec = context.templates.get(batch.template_id).spec
    rows = await context.workers.run(actor.user_id, read_table, spec, text, ROW_KEYS, forms.RESOURCE_KEYS)
    return await add_rows(context, actor, batch_id, rows)


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
        raise InvalidInput(f"A batch holds at most {MAX_ITEMS} jobs.", hint="Put the rest into another batch.")
    for position, item in enumerate(items, start=first):
        item.batch_id, item.position = batch.id, position
    await insert_rows(session, items)
    batch.naming = batch.naming or NAMINGS[kind]
    batch.busy, batch.updated_at = True, now()
    session.add(batch)
    announce(session, Topic.BATCH, batch.id)


async def change_item(
    context: Context,
    actor: Actor,
    batch_id: str,
    position: int,
    given: Mapping[str, Any],
    *,
    anyway: bool | None = None,
) -> None:
    """Set the overrides of one row; `anyway`: compute it although it was computed before."""
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
    """Remove one row of a draft."""
    async with context.database.write() as session:
        batch = await editable(session, actor, batch_id)
        await session.delete(await _item(session, batch, position))
        announce(session, Topic.BATCH, batch.id)


async def _item(session: ReadSession, batch: Batch, position: int) -> BatchItem:
    item = await batches.item(session, batch.id, position)
    if item is None:
        raise NotFound(f"The batch {batch.name} has no row {position}.", hint="Reload its page.")
    return item


def own_lines(item: BatchItem) -> str:
    """The overrides of a row, as lines `key = value`; tables as JSON."""
    return "\n".join(
        f"{key} = {json.dumps(value) if isinstance(value, list) else value}" for key, value in item.given.items()
    )


def read_lines(text: str) -> dict[str, Any]:
    """The inverse of `own_lines`.

    Raises:
        InvalidInput: a line without `=`.
    """
    values: dict[str, Any] = {}
    for line in filter(str.strip, text.splitlines()):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise InvalidInput(
                f"The line {line.strip()[:60]!r} has no '='.",
                hint="Write key = value.",
                fields=[FieldError("own", "must be lines of the form key = value", line.strip()[:60])],
            )
        try:
            values[key] = json.loads(value) if value.startswith("[") else value
        except ValueError:
            values[key] = value
    return values
