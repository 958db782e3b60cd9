"""New job: choose a template, fill its form beside the live deck, submit. Clone-with-edit opens the same form filled."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile

from app.crystal.structures.importers import MAX_BYTES
from app.errors import CrystalDeckError
from app.library.structures import textbook
from app.routes.deps import ActorDep, ContextDep, allowed
from app.routes.rendering import is_fragment, page
from app.services.catalogue import shelves
from app.services.composing import forms
from app.services.composing import sheet as composer
from app.services.composing.forms import Draft, StructureSource
from app.services.jobs.attachments import MAX_UPLOAD
from app.services.jobs.creation import create_jobs

router = APIRouter(include_in_schema=False)
maker = APIRouter(dependencies=[Depends(allowed("job.create"))], include_in_schema=False)
"""Refuses before anything is kept of the form that was sent."""
_OF_A_FILE = ("file", "block", "variant")
"""What a person may have chosen: a file, or what to read of it."""


@router.get("/new")
async def choose_template(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """The templates, to begin a new job with."""
    found = await shelves.search(context, actor)
    return page(request, "composing/choose.html", found=found, drafts=await forms.drafts(context, actor))


@maker.get("/new/{template_id}")
async def show_form(
    request: Request,
    context: ContextDep,
    actor: ActorDep,
    template_id: str,
    example: bool = False,
    clone: str = "",
    fresh: bool = False,
    batch: str = "",
    remedy: str = "",
    take: str = "",
) -> Response:
    """The form of a new job: empty, from an example, or from another job."""
    draft = await forms.start(
        context, actor, template_id, example=example, clone=clone, fresh=fresh, batch=batch, remedy=remedy, take=take
    )
    return await _show(request, context, actor, draft)


@maker.post("/new/{template_id}/preview")
async def show_preview(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """The decks that the form's answers make, and what the checker says of them."""
    texts = await _texts(request)
    draft = forms.from_form(context, template_id, texts)
    if not draft.batch:
        await forms.keep(context, actor, draft, texts)
    return await _show(request, context, actor, draft, part="composing/form_answer.html")


@maker.post("/new/{template_id}")
async def submit_form(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """Queue the job of the form, or keep it as a draft; what is wrong is shown beside the fields."""
    texts = await _texts(request)
    draft = forms.from_form(context, template_id, texts)
    try:
        [job] = await create_jobs(context, actor, [draft.request()], draft.key)
    except CrystalDeckError as error:
        await forms.keep(context, actor, draft, texts)
        return await _show(request, context, actor, draft.with_error(error), status=error.status)
    await forms.forget(context, actor, template_id)
    return RedirectResponse(f"/jobs/{job.id}", status_code=303)


@maker.post("/new/{template_id}/structure")
async def structure(
    request: Request, context: ContextDep, actor: ActorDep, template_id: str, source: str = "file"
) -> Response:
    """Fill the structure's fields from a file, an earlier job or the collection; everything else in the form stays."""
    async with request.form(max_fields=2000, max_files=20) as form:
        texts = _plain(form)
        file = await _file(form, "structure_file", MAX_BYTES) if source in _OF_A_FILE else None
    draft = forms.from_form(context, template_id, texts)
    given = StructureSource(
        crystal=texts.get("crystal", "") if source == "crystal" else "",
        job=texts.get("structure_job", "") if source == "job" else "",
        file=file,
        tolerance=texts.get("tolerance", ""),
        kind=texts.get("structure_kind", ""),
        symmetry=not texts.get("no_symmetry"),
        block=texts.get("structure_block", "") if source in ("block", "variant") else "",
        variant=texts.get("structure_variant", "") if source == "variant" else "",
    )
    return await _filled(request, context, actor, draft, forms.with_structure(context, actor, draft, given))


@maker.post("/new/{template_id}/attach/{key}")
async def attach(request: Request, context: ContextDep, actor: ActorDep, template_id: str, key: str) -> Response:
    """Keep an uploaded file, and name it in its field."""
    async with request.form(max_fields=2000, max_files=20) as form:
        draft = forms.from_form(context, template_id, _plain(form))
        name, data = await _file(form, f"upload_{key}", MAX_UPLOAD) or ("", b"")
    return await _filled(
        request,
        context,
        actor,
        draft,
        forms.with_upload(context, actor, draft, key, name, data),
        part="composing/form_answer.html",
    )


@maker.post("/new/{template_id}/preset")
async def preset(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """Fill in the values of a preset; everything else in the form stays."""
    texts = await _texts(request)
    draft = forms.with_preset(forms.from_form(context, template_id, texts), texts.get("preset", ""))
    return await _show(request, context, actor, draft, part="composing/form_adjusted.html")


@maker.post("/new/{template_id}/resources")
async def resources(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """Fill in a preset of the cluster, or what similar jobs took."""
    texts = await _texts(request)
    draft = await composer.with_advice(
        context, actor, forms.from_form(context, template_id, texts), texts.get("use", "")
    )
    return await _show(request, context, actor, draft)


@maker.post("/new/{template_id}/detach")
async def detach(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """Go on by hand: the decks become texts, and what the form wrote is kept to compare with."""
    draft = forms.from_form(context, template_id, await _texts(request))
    shown = await composer.sheet(context, actor, draft)
    try:
        draft = await forms.detached(context, actor, draft, shown.rendering)
    except CrystalDeckError as error:
        return await _show(request, context, actor, draft.with_error(error), status=error.status)
    return await _show(request, context, actor, draft)


def _plain(form: FormData) -> dict[str, str]:
    """Texts of a form; several ticks of one name become one text."""
    texts: dict[str, str] = {}
    for key, value in form.multi_items():
        if isinstance(value, str):
            texts[key] = f"{texts[key]} {value}" if key in texts else value
    return texts


async def _texts(request: Request) -> dict[str, str]:
    async with request.form(max_fields=2000) as form:
        return _plain(form)


async def _file(form: FormData, name: str, limit: int) -> tuple[str, bytes] | None:
    sent = form.get(name)
    return (sent.filename or "", await sent.read(limit + 1)) if isinstance(sent, UploadFile) else None


async def _filled(
    request: Request,
    context: ContextDep,
    actor: ActorDep,
    draft: Draft,
    filling: Any,
    part: str = "composing/form_imported.html",
) -> Response:
    """The form with something put into it, or with the reason why not."""
    try:
        draft = await filling
    except CrystalDeckError as error:
        draft = draft.with_error(error)
    status = draft.error.status if draft.error and not is_fragment(request) else 200
    return await _show(request, context, actor, draft, part=part, status=status)


async def _show(request: Request, context: ContextDep, actor: ActorDep, draft: Draft, **options: Any) -> Response:
    sheet = await composer.sheet(context, actor, draft)
    return page(request, "composing/form.html", draft=draft, sheet=sheet, crystals=textbook().values(), **options)


router.include_router(maker)
