"""The template library: browse, search, read, write; versions with their differences; the group's basis sets."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.crystal.decks.internal_basis import INTERNAL_SETS, MORE_SETS, coverage
from app.domain.people.permissions import can, require
from app.errors import CrystalDeckError
from app.routes.deps import ActorDep, ContextDep
from app.routes.rendering import page
from app.routes.strict import known_fields
from app.services.catalogue import basis_sets, reviews, shelves
from app.services.catalogue import templates as library

router = APIRouter(include_in_schema=False)
_FILE = re.compile(r"text_([A-Za-z0-9_.]{1,80})$")


@router.get("/templates")
async def show_templates(
    request: Request, context: ContextDep, actor: ActorDep, q: str = "", category: str = "", tag: str = ""
) -> Response:
    """The list of templates."""
    found = await shelves.search(context, actor, q, category, tag)
    return page(request, "catalogue/templates.html", part="catalogue/shelves.html", found=found, q=q, category=category, tag=tag,
                may_create=can(actor, "template.create"))  # fmt: skip


@router.get("/templates/new")
async def new(request: Request, context: ContextDep, actor: ActorDep, like: str = "") -> Response:
    """The editor with a small template that works, or with a copy of another."""
    texts = await shelves.beginning(context, actor, like)
    return await _editor(request, context, actor, texts, "", 0)


@router.post("/templates/try")
async def attempt(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """Check the texts of the editor, and render the example."""
    texts, form = await _texts(request)
    return await _editor(request, context, actor, texts, form.get("id", ""), _number(form.get("version", "0")), form)


@router.post("/templates")
async def save_template(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """Keep a new version of a template."""
    texts, form = await _texts(request)
    version = _number(form.get("version", "0"))
    try:
        row = await library.save_template(context, actor, texts, form.get("comment", ""), expected=version)
    except CrystalDeckError as error:
        return await _editor(request, context, actor, texts, form.get("id", ""), version, form, error)
    return RedirectResponse(f"/templates/{row.template_id}", status_code=303)


@router.get("/templates/basis")
async def show_basis_sets(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """The group's basis sets, and those of CRYSTAL."""
    return await _basis(request, context, actor)


@router.post("/templates/basis")
async def save_basis(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """Keep a set that was pasted, or take one from the Basis Set Exchange, or remove one."""
    async with request.form(max_fields=20) as sent:
        known_fields(sent, ("action", "name", "text", "source", "elements"))
        form = {key: value for key, value in sent.items() if isinstance(value, str)}
    try:
        match form.get("action", ""):
            case "fetch":
                await basis_sets.fetch(context, actor, form.get("name", ""), form.get("elements", ""))
            case "remove":
                await basis_sets.remove(context, actor, form.get("name", ""))
            case _:
                arguments = form.get("name", ""), form.get("text", ""), form.get("source", "")
                await basis_sets.save(context, actor, *arguments)
    except CrystalDeckError as error:
        return await _basis(request, context, actor, form, error)
    return RedirectResponse("/templates/basis", status_code=303)


@router.get("/templates/{template_id}")
async def show_template(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """One template: its fields, its files, its reviews."""
    shelf = await shelves.one(context, actor, template_id)
    return page(request, "catalogue/template.html", shelf=shelf, template=shelf.template)


@router.get("/templates/{template_id}/edit")
async def edit_template(request: Request, context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """The editor of a template."""
    require(actor, "template.create")
    await library.refresh(context)
    texts, version = await library.texts_of(context, actor, template_id)
    return await _editor(request, context, actor, texts, template_id if version else "", version)


@router.post("/templates/{template_id}/remove")
async def remove_template(context: ContextDep, actor: ActorDep, template_id: str) -> Response:
    """Take a template out of the catalogue; jobs made from it stay."""
    await library.remove_template(context, actor, template_id)
    return RedirectResponse("/templates", status_code=303)


@router.post("/templates/{template_id}/review")
async def review(
    context: ContextDep, actor: ActorDep, template_id: str, revision: Annotated[str, Form()], reviewed: Annotated[bool, Form()]
) -> Response:  # fmt: skip
    """Mark the revision that was read as reviewed, or take the mark away."""
    await reviews.mark(context, actor, template_id, revision, reviewed=reviewed)
    return RedirectResponse(f"/templates/{template_id}", status_code=303)


async def _texts(request: Request) -> tuple[dict[str, str], dict[str, str]]:
    """The files of the editor by name, and its other fields. A file of a new name comes with `new_file`."""
    async with request.form(max_fields=40) as sent:
        form = {key: value.replace("\r\n", "\n") for key, value in sent.items() if isinstance(value, str)}
    texts = {match[1]: value for key, value in form.items() if (match := _FILE.match(key)) and value.strip()}
    added = form.get("new_file", "").strip()
    if added and re.fullmatch(r"[A-Za-z0-9_]+\.[A-Za-z0-9]+\.j2", added):
        texts.setdefault(added, "{{ title }}\n")
    return texts, form


def _number(text: str) -> int:
    return int(text) if text.isdigit() and len(text) < 9 else 0


async def _editor(
    request: Request, context: ContextDep, actor: ActorDep, texts: dict[str, str], template_id: str, version: int,
    form: dict[str, str] | None = None, error: CrystalDeckError | None = None,
) -> Response:  # fmt: skip
    require(actor, "template.create")
    await library.refresh(context)
    trial = await library.try_texts(context, actor, texts)
    return page(
        request, "catalogue/template_edit.html", part="catalogue/template_trial.html", texts=texts, trial=trial,
        id=template_id, version=version, form=form or {}, error=error, status=error.status if error else 200,
    )  # fmt: skip


async def _basis(
    request: Request, context: ContextDep, actor: ActorDep, form: dict[str, str] | None = None,
    error: CrystalDeckError | None = None,
) -> Response:  # fmt: skip
    entries = await basis_sets.entries(context, actor)
    internal = [(name, coverage(name)) for name in (*INTERNAL_SETS, *MORE_SETS)]
    return page(
        request, "catalogue/basis.html", entries=entries, internal=internal, form=form or {}, error=error,
        may_create=can(actor, "template.create"), status=error.status if error else 200,
        mine={entry.row.id for entry in entries if can(actor, "template.change", entry.row.author_id)},
    )  # fmt: skip
