"""Runs of workflows over REST: started, looked at, and what people do to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from app.domain.workflows.definition import as_written, read_workflow, with_parameters
from app.errors import InvalidInput
from app.routes.api.v1.schemas.runs import (
    CancelPreview,
    Decision,
    NewRun,
    Rerun,
    RunDetail,
    RunSummary,
    run_detail,
    run_summary,
)
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import DryRun, Expect
from app.services.workflows import actions as workflow_actions
from app.services.workflows import library as workflow_library
from app.services.workflows import starts as workflow_starts
from app.services.workflows import views as workflow_views
from app.services.workflows.starts import RunRequest

router = APIRouter(prefix="/api/v1", tags=["workflows"])
Key = Annotated[
    str, Header(alias="Idempotency-Key", description="A repeated request with the same key returns the same run.")
]


@router.get("/runs")
async def list_runs(context: ContextDep, actor: ActorDep, workflow: str = "") -> list[RunSummary]:
    """Runs, newest first, with the states of their steps."""
    return [run_summary(*entry) for entry in await workflow_views.listing(context, actor, workflow)]


@router.post("/runs", status_code=201)
async def start_run(
    context: ContextDep, actor: ActorDep, response: Response, body: NewRun, idempotency_key: Key = ""
) -> RunDetail:
    """Start a workflow. Everything is checked and rendered as far as it can be; what is wrong is answered, nothing submitted."""
    if bool(body.workflow) == (body.definition is not None):
        raise InvalidInput("A run needs either workflow or definition.", hint="Send exactly one of them.")
    version = ""
    if body.definition is not None:
        spec = read_workflow(body.definition)
    else:
        entry = await workflow_library.get(context, actor, body.workflow)
        spec, version = entry.spec, entry.version
    if body.steps:
        spec = read_workflow(with_parameters(as_written(spec), body.steps))
    request = RunRequest(spec, version, **body.model_dump(exclude={"workflow", "definition", "steps"}))
    run = await workflow_starts.start(context, actor, request, idempotency_key)
    response.headers["Location"] = f"/api/v1/runs/{run.id}"
    return run_detail(await workflow_views.view(context, actor, run.id))


@router.get("/runs/{run_id}")
async def get_run(context: ContextDep, actor: ActorDep, run_id: str) -> RunDetail:
    """One run with its steps, jobs and results."""
    return run_detail(await workflow_views.view(context, actor, run_id))


@router.post("/runs/{run_id}/pause")
async def pause_run(context: ContextDep, actor: ActorDep, run_id: str) -> RunDetail:
    """Let no further step begin."""
    await workflow_actions.pause(context, actor, run_id)
    return run_detail(await workflow_views.view(context, actor, run_id))


@router.post("/runs/{run_id}/resume")
async def resume_run(context: ContextDep, actor: ActorDep, run_id: str) -> RunDetail:
    """Go on after a pause."""
    await workflow_actions.resume(context, actor, run_id)
    return run_detail(await workflow_views.view(context, actor, run_id))


@router.post("/runs/{run_id}/cancel")
async def cancel_run(
    context: ContextDep, actor: ActorDep, run_id: str, expect: Expect = None, dry_run: DryRun = False
) -> RunDetail | CancelPreview:
    """Cancel its jobs, and let nothing more begin."""
    if dry_run:
        count, names = await workflow_actions.would_cancel(context, actor, run_id)
        return CancelPreview(count=count, sample=names)
    await workflow_actions.cancel(context, actor, run_id, expect)
    return run_detail(await workflow_views.view(context, actor, run_id))


@router.post("/runs/{run_id}/rerun", status_code=201)
async def rerun(context: ContextDep, actor: ActorDep, run_id: str, body: Rerun) -> RunDetail:
    """A new run like this one: from a step on, or with other parameters; what is the same is not computed again."""
    made = await workflow_actions.rerun(
        context, actor, run_id, step=body.step, parameters=body.parameters, steps=body.steps, resources=body.resources
    )
    return run_detail(await workflow_views.view(context, actor, made.id))


@router.post("/runs/{run_id}/steps/{step}/decision")
async def decide(context: ContextDep, actor: ActorDep, run_id: str, step: str, body: Decision) -> RunDetail:
    """Decide for a step that asks."""
    changes = {"parameters": body.parameters, "resources": body.resources}
    await workflow_actions.decide(context, actor, run_id, step, body.choice, changes)
    return run_detail(await workflow_views.view(context, actor, run_id))
