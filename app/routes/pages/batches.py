"""Batches and sweeps: the draft with its rows, and the page that shows how its jobs get on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from app.crystal.structures.importers import MAX_BYTES
from app.domain.sweeps import points
from app.errors import CrystalDeckError, InvalidInput
from app.library.pasted_tables import MAX_TABLE
from app.routes.deps import ActorDep, ContextDep
from app.routes.rendering import page
from app.routes.strict import known_fields, number_of
from app.services.batches import drafts as batches
from app.services.batches import rows as batch_rows
from app.services.batches import sweeps as batch_sweeps
from app.services.batches import views as batch_views
from app.services.batches import work as batch_work
from app.services.context import Context
from app.services.jobs import setbacks
from app.services.people.streams import newest_event

router = APIRouter(include_in_schema=False)
PAGE = 100


AXES = ("how", "tolerance", "stop", *(f"{word}{number}" for number in range(1, 5) for word in ("axis", "values")))
"""Fields of a sweep's form."""


async def _texts(request: Request, names: tuple[str, ...] = ()) -> dict[str, str]:
    """Texts of a form; with `names` it has no other fields."""
    async with request.form(max_fields=2000) as form:
        if names:
            known_fields(form, names)
        return {key: value for key, value in form.items() if isinstance(value, str)}


def _axes(texts: dict[str, str]) -> list[tuple[str, str]]:
    """Axes of the sweep's form that name a parameter."""
    found = [(texts.get(f"axis{number}", ""), texts.get(f"values{number}", "")) for number in range(1, 5)]
    return [(key, text) for key, text in found if key]


def _number(texts: dict[str, str], key: str) -> float:
    try:
        return float(texts.get(key) or 0)
    except ValueError:
        raise InvalidInput(
            f"{texts[key][:40]!r} is not a number.", hint="Enter the tolerance in hartree, such as 1e-5."
        ) from None


@router.get("/batches")
async def show_batches(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """The list of batches."""
    since = await newest_event(context)
    found = await batch_views.listing(context, actor)
    return page(request, "batches/list.html", part="batches/list_table.html", found=found, since=since)


@router.post("/new/{template_id}/batch")
async def begin(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """The form becomes what is common to the jobs of a new batch."""
    texts = await _texts(request)
    batch = await batches.begin(context, actor, template_id, texts, texts.get("name", ""))
    return RedirectResponse(f"/batches/{batch.id}", status_code=303)


@router.get("/batches/{batch_id}")
async def show_batch(
    request: Request, context: ContextDep, actor: ActorDep, batch_id: str, offset: int = 0
) -> Response:
    """One batch: its common settings, its rows, and how far it is."""
    return await _show(request, context, actor, batch_id, offset, part="batches/state.html")


async def _show(
    request: Request, context: Context, actor: ActorDep, batch_id: str, offset: int = 0, **more: Any
) -> Response:
    since = await newest_event(context)
    view = await batch_views.view(context, actor, batch_id, offset=max(0, offset), limit=PAGE)
    shown = {"error": None, "texts": {}} | more
    return page(
        request, "batches/page.html", view=view, batch=view.batch, since=since, offset=offset, size=PAGE, **shown
    )


async def _answer(
    request: Request, context: Context, actor: ActorDep, batch_id: str, doing: Any, texts: Any = None
) -> Response:
    """Back to the batch, or its page with the reason why not; what was typed stays."""
    try:
        await doing
    except CrystalDeckError as error:
        return await _show(request, context, actor, batch_id, error=error, texts=texts or {}, status=error.status)
    return RedirectResponse(f"/batches/{batch_id}", status_code=303)


@router.post("/batches/{batch_id}/structures")
async def add_structures(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Add a row for each uploaded structure."""
    async with request.form(max_files=1000, max_fields=50) as form:
        sent = [item for item in form.getlist("structures") if isinstance(item, UploadFile) and item.filename]
        files = [(item.filename or "", await item.read(MAX_BYTES + 1)) for item in sent]
    return await _answer(request, context, actor, batch_id, batch_rows.add_structures(context, actor, batch_id, files))


@router.post("/batches/{batch_id}/table")
async def add_table(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Add the rows of a pasted table."""
    async with request.form(max_fields=50, max_files=1) as form:
        known_fields(form, ("csv", "table"))
        sent = form.get("csv")
        data = await sent.read(MAX_TABLE + 1) if isinstance(sent, UploadFile) and sent.filename else b""
        text = data.decode("utf-8", "replace") or str(form.get("table", ""))
    doing = batch_rows.add_table(context, actor, batch_id, text)
    return await _answer(request, context, actor, batch_id, doing, {"table": text})


@router.post("/batches/{batch_id}/count")
async def count(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """How many points the axes make, while they are being typed."""
    texts = await _texts(request)
    view = await batch_views.view(context, actor, batch_id, limit=1)
    try:
        read, found = batch_sweeps.read_sweep(
            view.template, _axes(texts), batch_sweeps.combination(texts.get("how", ""))
        )
        words = f"{len(found)} points" + "".join(f" · {axis.key}: {len(points([axis], 'grid'))}" for axis in read)
    except CrystalDeckError as error:
        words = error.message if _axes(texts) else ""
    return page(request, "batches/count.html", words=words)


@router.post("/batches/{batch_id}/sweep")
async def add_sweep(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Add the points of a sweep."""
    texts = await _texts(request, AXES)

    async def make() -> None:
        await batch_sweeps.set_sweep(
            context, actor, batch_id, _axes(texts), batch_sweeps.combination(texts.get("how", "")), _number(texts, "tolerance"),
            stop=bool(texts.get("stop")),
        )  # fmt: skip

    return await _answer(request, context, actor, batch_id, make(), texts)


@router.post("/batches/{batch_id}/settings")
async def change_settings(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Change what is common to all rows."""
    texts = await _texts(request, ("name", "naming", "reuse"))
    doing = batches.change(
        context,
        actor,
        batch_id,
        name=texts.get("name"),
        naming=texts.get("naming"),
        reuse=texts.get("reuse") == "reuse",
    )
    return await _answer(request, context, actor, batch_id, doing)


@router.post("/batches/{batch_id}/common")
async def common(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """What the composer's form says is common to all jobs from now on."""
    texts = await _texts(request)
    return await _answer(request, context, actor, batch_id, batches.change(context, actor, batch_id, form=texts))


@router.post("/batches/{batch_id}/submit")
async def submit(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Of as many rows as the page showed."""
    async with request.form(max_fields=20) as form:
        known_fields(form, ["expect"])
        expect = number_of(form.get("expect"))
    return await _answer(request, context, actor, batch_id, batches.submit(context, actor, batch_id, expect))


@router.post("/batches/{batch_id}/retry")
async def retry(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Go on with what was set aside after several failures."""
    return await _answer(request, context, actor, batch_id, setbacks.take_up(context, actor, batch_id))


@router.post("/batches/{batch_id}/discard")
async def discard_batch(context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Forget a draft."""
    await batches.discard(context, actor, batch_id)
    return RedirectResponse("/batches", status_code=303)


@router.get("/batches/{batch_id}/rows/{position}")
async def row(request: Request, context: ContextDep, actor: ActorDep, batch_id: str, position: int) -> Response:
    """One row: what it has of its own, and the decks that it becomes."""
    view = await batch_views.view(context, actor, batch_id, limit=1)
    item, made = await batch_work.decks_of(context, actor, view.batch, position)
    return page(
        request, "batches/row.html", view=view, batch=view.batch, item=item, made=made, own=batch_rows.own_lines(item)
    )


@router.post("/batches/{batch_id}/rows/{position}")
async def change_row(request: Request, context: ContextDep, actor: ActorDep, batch_id: str, position: int) -> Response:
    """Change the overrides of one row."""
    texts = await _texts(request)
    anyway = {"reuse": False, "anyway": True}.get(texts.get("again", ""))

    async def change() -> None:
        given = batch_rows.read_lines(texts.get("own", ""))
        await batch_rows.change_item(context, actor, batch_id, position, given, anyway=anyway)

    return await _answer(request, context, actor, batch_id, change())


@router.post("/batches/{batch_id}/rows/{position}/remove")
async def remove_row(request: Request, context: ContextDep, actor: ActorDep, batch_id: str, position: int) -> Response:
    """Remove one row."""
    return await _answer(request, context, actor, batch_id, batch_rows.remove_item(context, actor, batch_id, position))
