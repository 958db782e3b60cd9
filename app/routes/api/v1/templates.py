"""Templates over REST."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.domain.people.permissions import require
from app.domain.templates.metadata import refuse
from app.domain.templates.schemas import json_schema, metadata_schema
from app.library.template_files import Template
from app.routes.api.v1.schemas.jobs import Rendered, RenderRequest, Review, TemplateSummary
from app.routes.deps import ActorDep, ContextDep
from app.services.catalogue import reviews
from app.services.catalogue.templates import refresh
from app.services.jobs.attachments import gather

router = APIRouter(prefix="/api/v1/templates", tags=["templates"])


@router.get("")
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


@router.put("/{template_id}/review")
async def review_template(context: ContextDep, actor: ActorDep, template_id: str, body: Review) -> TemplateSummary:
    """Mark a revision of a member's template as reviewed, or take the mark away. For maintainers."""
    template = await reviews.mark(context, actor, template_id, body.revision, reviewed=body.reviewed)
    return _summary(template, await reviews.standing(context, actor, template))


@router.get("/schema")
async def metadata(actor: ActorDep) -> dict[str, Any]:
    """The JSON Schema of `template.toml`, for editors."""
    require(actor, "template.read")
    return metadata_schema()


@router.get("/{template_id}/schema")
async def template_schema(context: ContextDep, actor: ActorDep, template_id: str) -> dict[str, Any]:
    """The template's parameters as JSON Schema; `examples` holds a complete, runnable set."""
    require(actor, "template.read")
    await refresh(context)
    return json_schema(context.templates.get(template_id).spec)


@router.post("/{template_id}/render")
async def render_template(context: ContextDep, actor: ActorDep, template_id: str, body: RenderRequest) -> Rendered:
    """Decks for these parameters; nothing is submitted."""
    require(actor, "template.read")
    await refresh(context)
    found = await gather(context, actor, template_id, body.parameters)
    made = await context.renderer.render(actor.user_id, template_id, body.parameters, found.supplies)
    if wrong := await found.errors(context.workers, actor.user_id, made):
        raise refuse(template_id, wrong)
    return Rendered(template=template_id, revision=made.template.revision, parameters=made.values, decks=made.decks)
