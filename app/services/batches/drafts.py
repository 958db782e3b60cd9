"""New batches: one template, many structures, rows of parameters or points of a sweep.

A batch begins as a draft: what is common to all its jobs, and items that say what differs. Items are checked in the
background (`batch_work`) and become jobs when the batch is submitted; one that is wrong stops none of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.db.repositories import batches, clusters
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Batch, now
from app.domain.batches import BatchState
from app.domain.names import suggest_name
from app.domain.people.permissions import Actor, require
from app.errors import Conflict, FieldError, InvalidInput, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.library.template_files import Template
from app.library.templates import form_values
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs.creation import new_job_id
from app.services.jobs.selections import refuse_unexpected
from app.services.people.quotas import require_room
from app.services.transitions.batches import move_batch, renew_items


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
    unknown = sorted(parameters.keys() - {field.key for field in spec.fields})
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
            f"The batch {batch.name} is {batch.state}.", hint="Start a new batch; you can copy the rows of this one."
        )
    return batch


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
        raise InvalidInput("The batch has no rows yet.", hint="Add structures, a table or a sweep first.")
    cluster = await clusters.by_name(session, batch.form.get("cluster", ""))
    if cluster is None:
        raise InvalidInput(
            "No cluster was chosen.",
            hint="Choose a cluster under the common settings.",
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
