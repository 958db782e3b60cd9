"""New job: choose a template, fill its form beside the live deck, submit. Clone-with-edit opens the same form filled."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from app.crystal.importers import MAX_BYTES
from app.errors import CrystalDeckError
from app.routes.deps import ActorDep, ContextDep
from app.routes.rendering import is_fragment, page
from app.services import composer
from app.services.composer import Draft
from app.services.creation import create_jobs
from app.services.structures import textbook

router = APIRouter(include_in_schema=False)


@router.get("/new")
async def choose(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    return page(request, "new.html", templates=composer.templates(context, actor))


@router.get("/new/{template_id}")
async def form(
    request: Request, context: ContextDep, actor: ActorDep, template_id: str, example: bool = False, clone: str = ""
) -> Response:
    context.structures.prepare()
    draft = await composer.start(context, actor, template_id, example=example, clone=clone)
    return await _show(request, context, actor, draft)


@router.post("/new/{template_id}/preview")
async def preview(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    draft = composer.from_form(context, template_id, await _form(request))
    return await _show(request, context, actor, draft, block="answer" if is_fragment(request) else None)


@router.post("/new/{template_id}")
async def submit(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    draft = composer.from_form(context, template_id, await _form(request))
    try:
        [job] = await create_jobs(context, actor, [draft.request()], draft.key)
    except CrystalDeckError as error:
        return await _show(request, context, actor, draft.with_error(error), status=error.status)
    return RedirectResponse(f"/jobs/{job.id}", status_code=303)


@router.post("/new/{template_id}/structure")
async def structure(
    request: Request, context: ContextDep, actor: ActorDep, template_id: str, source: str = "file"
) -> Response:
    """Fill the structure's fields from a file or from the collection; everything else in the form stays."""
    async with request.form(max_fields=2000, max_files=1) as form:
        texts = {key: value for key, value in form.items() if isinstance(value, str)}
        sent = form.get("structure_file")
        file = (sent.filename or "", await sent.read(MAX_BYTES + 1)) if isinstance(sent, UploadFile) else None
    draft = composer.from_form(context, template_id, texts)
    crystal = texts.get("crystal", "") if source == "crystal" else ""
    tolerance = texts.get("tolerance", "")
    try:
        draft = await composer.with_structure(
            context, actor, draft, crystal=crystal, file=None if source == "crystal" else file, tolerance=tolerance
        )
    except CrystalDeckError as error:
        draft = draft.with_error(error)
    status = draft.error.status if draft.error and not is_fragment(request) else 200
    return await _show(
        request, context, actor, draft, block="imported" if is_fragment(request) else None, status=status
    )


@router.post("/new/{template_id}/preset")
async def preset(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """Fill in the values of a preset; everything else in the form stays."""
    texts = await _form(request)
    draft = composer.with_preset(composer.from_form(context, template_id, texts), texts.get("preset", ""))
    return await _show(request, context, actor, draft, block="adjusted" if is_fragment(request) else None)


async def _form(request: Request) -> dict[str, str]:
    async with request.form(max_fields=2000) as form:
        return {key: value for key, value in form.items() if isinstance(value, str)}


async def _show(request: Request, context: ContextDep, actor: ActorDep, draft: Draft, **options: Any) -> Response:
    sheet = await composer.sheet(context, actor, draft)
    return page(request, "compose.html", draft=draft, sheet=sheet, crystals=textbook().values(), **options)
