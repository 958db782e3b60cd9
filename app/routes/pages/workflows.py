"""Workflows: the library, the editor, and the form that starts one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from app.crystal.decks.remedies import REMEDIES
from app.crystal.structures.importers import MAX_BYTES
from app.domain.drawing.graphs import draw
from app.domain.people.permissions import can
from app.domain.workflows.definition import read_workflow
from app.domain.workflows.wiring import drawn
from app.errors import CrystalDeckError
from app.library.structures import textbook
from app.routes.deps import ActorDep, ContextDep, allowed
from app.routes.rendering import page
from app.services.catalogue import shelves
from app.services.composing import forms
from app.services.composing.forms import Draft, StructureSource
from app.services.people.streams import newest_event
from app.services.workflows import editor as workflow_editor
from app.services.workflows import forms as workflow_forms
from app.services.workflows import library as workflow_library
from app.services.workflows import starts as workflow_starts
from app.services.workflows import views as workflow_views
from app.services.workflows.editor import EditorForm

router = APIRouter(include_in_schema=False)


@router.get("/workflows")
async def show_library(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """The workflows of the library and the runs."""
    since = await newest_event(context)
    return page(
        request, "workflows/list.html", part="workflows/list_runs.html", since=since,
        entries=await workflow_library.entries(context, actor), runs=await workflow_views.listing(context, actor),
        may_create=can(actor, "template.create"),
    )  # fmt: skip


# -- the editor ------------------------------------------------------------------------------------------------------------


@router.get("/workflows/edit")
async def edit(request: Request, context: ContextDep, actor: ActorDep, start: str = "", own: bool = False) -> Response:
    """An empty editor, or one filled with a workflow: a copy of it, or its next version."""
    form = EditorForm()
    if start:
        entry = await workflow_library.get(context, actor, start)
        spec = (
            entry.spec if own and entry.own else entry.spec.model_copy(update={"name": f"{entry.spec.name}_copy"[:40]})
        )
        form = workflow_editor.form_of(spec, int(entry.version) if own and entry.own else 0)
    return await _editor(request, context, actor, form)


@router.post("/workflows/edit", dependencies=[Depends(allowed("template.create"))])
async def change(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """A button of the editor: add, remove or move a step, read a text, or only look."""
    texts = await _several(request)
    form = workflow_editor.form_from(texts)
    action = (texts.get("action") or [""])[0]
    if action == "add":
        action = f"add:{(texts.get('add_kind') or [''])[0]}"
    error = None
    if action == "text":
        try:
            read = await workflow_library.read_text(context, actor, (texts.get("text") or [""])[0])
            form = workflow_editor.form_of(read, form.version)
        except CrystalDeckError as wrong:
            error = wrong
    form = workflow_editor.act(form, action)
    options = {"error": error, "status": error.status if error else 200}
    return await _editor(request, context, actor, form, part="workflows/edit_sheet.html", **options)


@router.post("/workflows", dependencies=[Depends(allowed("template.create"))])
async def save_workflow(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """Keep a new version of a workflow."""
    texts = await _several(request)
    form = workflow_editor.form_from(texts)
    try:
        spec = read_workflow(await workflow_editor.defined(context, actor, form))
        comment = (texts.get("comment") or [""])[0]
        await workflow_library.save(context, actor, spec, comment, expected=form.version)
    except CrystalDeckError as error:
        return await _editor(request, context, actor, form, error=error, status=error.status)
    return RedirectResponse(f"/workflows/{spec.name}", status_code=303)


async def _several(request: Request) -> dict[str, list[str]]:
    async with request.form(max_fields=5000) as form:
        texts: dict[str, list[str]] = {}
        for key, value in form.multi_items():
            if isinstance(value, str):
                texts.setdefault(key, []).append(value)
    return texts


async def _editor(
    request: Request, context: ContextDep, actor: ActorDep, form: EditorForm, *, error: Any = None, **options: Any
) -> Response:
    sheet = await workflow_editor.sheet(context, actor, form)
    found = await shelves.search(context, actor)
    return page(
        request, "workflows/edit.html", form=form, sheet=sheet, shelves=found, error=error or sheet.error,
        entries=await workflow_library.entries(context, actor), remedies=REMEDIES, **options,
    )  # fmt: skip


# -- one workflow ----------------------------------------------------------------------------------------------------------


@router.get("/workflows/{name}")
async def show_workflow(request: Request, context: ContextDep, actor: ActorDep, name: str) -> Response:
    """One workflow: its graph, its steps, its runs."""
    entry = await workflow_library.get(context, actor, name)
    checked = await workflow_library.check_for(context, actor, entry.spec)
    return page(
        request, "workflows/page.html", entry=entry, spec=entry.spec, checked=checked,
        drawing=draw(drawn(checked.before, checked.wired)),
        history=await workflow_library.history(context, actor, name), text=workflow_library.write_text(entry.spec),
        runs=await workflow_views.listing(context, actor, name), may_change=workflow_library.may_change(actor, entry),
    )  # fmt: skip


@router.post("/workflows/{name}/remove")
async def remove_workflow(context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Take a workflow out of the library; its runs stay."""
    await workflow_library.remove(context, actor, name)
    return RedirectResponse("/workflows", status_code=303)


@router.get("/workflows/{name}/start")
async def show_start_form(request: Request, context: ContextDep, actor: ActorDep, name: str) -> Response:
    """The form that starts a workflow."""
    return await _start(request, context, actor, name, await workflow_forms.start_form(context, actor, name))


@router.post("/workflows/{name}/preview")
async def show_preview(request: Request, context: ContextDep, actor: ActorDep, name: str) -> Response:
    """What a start would do, beside its form."""
    draft = await workflow_forms.from_texts(context, actor, name, await _texts(request))
    return await _start(request, context, actor, name, draft, part="workflows/start_answer.html")


@router.post("/workflows/{name}/structure")
async def structure(
    request: Request, context: ContextDep, actor: ActorDep, name: str, source: str = "file"
) -> Response:
    """Fill the structure's fields from a file or from the collection; everything else in the form stays."""
    async with request.form(max_fields=2000, max_files=5) as form:
        texts = {key: value for key, value in form.items() if isinstance(value, str)}
        sent = form.get("structure_file")
        file = (sent.filename or "", await sent.read(MAX_BYTES + 1)) if isinstance(sent, UploadFile) else None
    draft = await workflow_forms.from_texts(context, actor, name, texts)
    block = texts.get("structure_block", "") if source in ("block", "variant") else ""
    variant = texts.get("structure_variant", "") if source == "variant" else ""
    crystal = StructureSource(crystal=texts.get("crystal", ""))
    given = crystal if source == "crystal" else StructureSource(file=file, block=block, variant=variant)
    try:
        draft = await forms.with_structure(context, actor, draft, given)
    except CrystalDeckError as error:
        draft = draft.with_error(error)
    return await _start(request, context, actor, name, draft, part="workflows/start_imported.html")


@router.post("/workflows/{name}/start")
async def start_workflow(request: Request, context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Start a run; what is wrong is shown beside the form."""
    draft = await workflow_forms.from_texts(context, actor, name, await _texts(request))
    try:
        asked = await workflow_forms.request_of(context, actor, name, draft)
        run = await workflow_starts.start(context, actor, asked, draft.key)
    except CrystalDeckError as error:
        return await _start(request, context, actor, name, draft.with_error(error), status=error.status)
    return RedirectResponse(f"/runs/{run.id}", status_code=303)


@router.post("/workflows/{name}/each")
async def start_each(request: Request, context: ContextDep, actor: ActorDep, name: str) -> Response:
    """A run for each of several structure files; all of them, or none."""
    async with request.form(max_fields=2000, max_files=200) as form:
        texts = {key: value for key, value in form.items() if isinstance(value, str)}
        sent = [item for item in form.getlist("structures") if isinstance(item, UploadFile) and item.filename]
        files = [(item.filename or "", await item.read(MAX_BYTES + 1)) for item in sent]
    draft = await workflow_forms.from_texts(context, actor, name, texts)
    try:
        asked = await workflow_forms.requests_for_each(context, actor, name, draft, files)
        await workflow_starts.start_all(context, actor, asked, draft.key)
    except CrystalDeckError as error:
        return await _start(request, context, actor, name, draft.with_error(error), status=error.status)
    return RedirectResponse("/workflows", status_code=303)


async def _texts(request: Request) -> dict[str, str]:
    """Texts of a form; several ticks of one name become one text."""
    return {key: " ".join(values) for key, values in (await _several(request)).items()}


async def _start(
    request: Request, context: ContextDep, actor: ActorDep, name: str, draft: Draft, **options: Any
) -> Response:
    sheet = await workflow_forms.sheet(context, actor, name, draft)
    drawing = draw(drawn(sheet.checked.before, sheet.checked.wired))
    return page(
        request,
        "workflows/start.html",
        draft=draft,
        sheet=sheet,
        drawing=drawing,
        crystals=textbook().values(),
        **options,
    )
