"""Templates over REST."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.domain.permissions import require
from app.domain.schemas import json_schema
from app.routes.api.v1.schemas import Rendered, RenderRequest, TemplateSummary
from app.routes.deps import ActorDep, ContextDep

router = APIRouter(prefix="/api/v1/templates", tags=["templates"])


@router.get("")
async def list_templates(context: ContextDep, actor: ActorDep) -> list[TemplateSummary]:
    """All templates."""
    require(actor, "template.read")
    keys = {"id", "title", "description", "category", "tags", "version"}
    return [
        TemplateSummary(**template.spec.model_dump(include=keys), revision=template.revision)
        for template in context.templates.all()
    ]


@router.get("/{template_id}/schema")
async def template_schema(context: ContextDep, actor: ActorDep, template_id: str) -> dict[str, Any]:
    """The template's parameters as JSON Schema; `examples` holds a complete, runnable set."""
    require(actor, "template.read")
    return json_schema(context.templates.get(template_id).spec)


@router.post("/{template_id}/render")
async def render_template(context: ContextDep, actor: ActorDep, template_id: str, body: RenderRequest) -> Rendered:
    """Decks for these parameters; nothing is submitted."""
    require(actor, "template.read")
    made = context.templates.render(template_id, body.parameters)
    return Rendered(template=template_id, revision=made.template.revision, parameters=made.values, decks=made.decks)
