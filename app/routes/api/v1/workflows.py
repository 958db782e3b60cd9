"""Workflows of the library over REST."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.domain.workflows.definition import read_workflow
from app.routes.api.v1.schemas.workflows import (
    CheckedWorkflow,
    SaveWorkflow,
    WorkflowEntry,
    checked_workflow,
    workflow_entry,
)
from app.routes.deps import ActorDep, ContextDep
from app.services.workflows import library as workflow_library

router = APIRouter(prefix="/api/v1", tags=["workflows"])


@router.get("/workflows")
async def list_workflows(context: ContextDep, actor: ActorDep) -> list[WorkflowEntry]:
    """Ready workflows and those of the group."""
    return [workflow_entry(entry) for entry in await workflow_library.entries(context, actor)]


@router.post("/workflows", status_code=201)
async def save_workflow(context: ContextDep, actor: ActorDep, body: SaveWorkflow) -> WorkflowEntry:
    """Keep a workflow as a new version; one that cannot run is refused."""
    spec = read_workflow(body.definition)
    await workflow_library.save(context, actor, spec, body.comment, expected=body.expected)
    return workflow_entry(await workflow_library.get(context, actor, spec.name))


@router.post("/workflows/check")
async def check_workflow(context: ContextDep, actor: ActorDep, body: dict[str, Any]) -> CheckedWorkflow:
    """What a definition means: the order of its steps, the files that pass, and everything that is wrong."""
    return checked_workflow(await workflow_library.check_for(context, actor, read_workflow(body)))


@router.get("/workflows/{name}")
async def get_workflow(context: ContextDep, actor: ActorDep, name: str) -> WorkflowEntry:
    """One workflow of the library, with its definition."""
    return workflow_entry(await workflow_library.get(context, actor, name))


@router.delete("/workflows/{name}", status_code=204)
async def remove_workflow(context: ContextDep, actor: ActorDep, name: str) -> None:
    """Take it out of the library; its versions and runs stay."""
    await workflow_library.remove(context, actor, name)
