"""The group's catalogue over REST: templates, their reviews, and basis sets."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.domain.people.permissions import require
from app.domain.templates.metadata import refuse
from app.domain.templates.schemas import json_schema, metadata_schema
from app.library.template_files import Template
from app.routes.api.v1.schemas.catalogue import (
    BasisText,
    BasisVersion,
    Rendered,
    RenderRequest,
    Review,
    TemplateSummary,
    TemplateTexts,
    TemplateVersion,
)
from app.routes.deps import ActorDep, ContextDep
from app.services.catalogue import basis_sets, reviews
from app.services.catalogue import templates as library
from app.services.catalogue.templates import refresh
from app.services.jobs.attachments import gather

router = APIRouter(prefix="/api/v1")


@router.get("/templates", tags=["templates"])
async def list_templates(context: ContextDep, actor: ActorDep) -> list[TemplateSummary]:
    """All templates."""
    require(actor, "template.read")
    await refresh(context)
    every = context.templates.all()
    known = await reviews.standings(context, actor, every)
    return [_summary(template, known[template.spec.id]) for template in every]


def _summary(template: Template, standing: reviews.Standing) -> TemplateSummary:
    keys = {"id", "title", "description", "category", "tags", "version"}
    return TemplateSummary(
        **template.spec.model_dump(include=keys), revision=template.revision, author=standing.author,
        reviewed_by=standing.reviewer,
    )  # fmt: skip


@router.put("/templates/{template_id}/review", tags=["templates"])
async def review_template(context: ContextDep, actor: ActorDep, template_id: str, body: Review) -> TemplateSummary:
    """Mark a revision of a member's template as reviewed, or take the mark away. For maintainers."""
    template = await reviews.mark(context, actor, template_id, body.revision, reviewed=body.reviewed)
    return _summary(template, await reviews.standing(context, actor, template))


@router.get("/templates/schema", tags=["templates"])
async def metadata(actor: ActorDep) -> dict[str, Any]:
    """The JSON Schema of `template.toml`, for editors."""
    require(actor, "template.read")
    return metadata_schema()


@router.get("/templates/{template_id}/schema", tags=["templates"])
async def template_schema(context: ContextDep, actor: ActorDep, template_id: str) -> dict[str, Any]:
    """The template's parameters as JSON Schema; `examples` holds a complete, runnable set."""
    require(actor, "template.read")
    await refresh(context)
    return json_schema(context.templates.get(template_id).spec)


@router.post("/templates/{template_id}/render", tags=["templates"])
async def render_template(context: ContextDep, actor: ActorDep, template_id: str, body: RenderRequest) -> Rendered:
    """Decks for these parameters; nothing is submitted."""
    require(actor, "template.read")
    await refresh(context)
    found = await gather(context, actor, template_id, body.parameters)
    made = await context.renderer.render(actor.user_id, template_id, body.parameters, found.supplies)
    if wrong := await found.errors(context.workers, actor.user_id, made):
        raise refuse(template_id, wrong)
    return Rendered(template=template_id, revision=made.template.revision, parameters=made.values, decks=made.decks)


@router.post("/templates", tags=["library"], status_code=201)
async def save_template(context: ContextDep, actor: ActorDep, body: TemplateTexts) -> TemplateVersion:
    """Keep a new version of a template: `template.toml` and its Jinja files by name."""
    row = await library.save_template(context, actor, body.files, body.comment, expected=body.expected_version)
    return TemplateVersion(id=row.template_id, version=row.version)


@router.get("/basis-sets", tags=["library"])
async def list_basis_sets(context: ContextDep, actor: ActorDep) -> list[BasisVersion]:
    """The group's basis sets with their provenance."""
    return [
        BasisVersion(
            name=entry.row.name,
            version=entry.row.version,
            elements=entry.elements.split(),
            source=entry.row.source,
            author=entry.author,
            created_at=entry.row.created_at,
        )
        for entry in await basis_sets.entries(context, actor)
    ]


@router.post("/basis-sets", tags=["library"], status_code=201)
async def save_basis_set(context: ContextDep, actor: ActorDep, body: BasisText) -> TemplateVersion:
    """Keep a basis set in CRYSTAL format; occupations are filled in where they do not make a neutral atom."""
    row = await basis_sets.save(context, actor, body.name, body.text, body.source)
    return TemplateVersion(id=row.name, version=row.version)
