"""Workflows over REST: the library, runs, what people do to them, and where a result comes from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import Response, StreamingResponse

from app.domain.workflows.definition import as_written, read_workflow, with_parameters
from app.errors import InvalidInput
from app.routes.api.v1.schemas.workflows import (
    CancelPreview,
    CheckedWorkflow,
    Decision,
    LineageAnswer,
    NewRun,
    Rerun,
    RunDetail,
    RunSummary,
    SaveWorkflow,
    WorkflowEntry,
    checked_workflow,
    lineage_answer,
    run_detail,
    run_summary,
    workflow_entry,
)
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import DryRun, Expect
from app.services.jobs import archives
from app.services.provenance import exports, lineage
from app.services.workflows import actions as workflow_actions
from app.services.workflows import library as workflow_library
from app.services.workflows import starts as workflow_starts
from app.services.workflows import views as workflow_views
from app.services.workflows.starts import RunRequest

router = APIRouter(prefix="/api/v1", tags=["workflows"])
Key = Annotated[str, Header(alias="Idempotency-Key", description="Sent again, the same run is answered.")]


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
    return workflow_entry(await workflow_library.get(context, actor, name))


@router.delete("/workflows/{name}", status_code=204)
async def remove_workflow(context: ContextDep, actor: ActorDep, name: str) -> None:
    """Take it out of the library; its versions and runs stay."""
    await workflow_library.remove(context, actor, name)


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
        raise InvalidInput("A run needs either workflow or definition.", hint="Give one of them.")
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


@router.get("/runs/{run_id}/export", response_class=StreamingResponse)
async def export_run(context: ContextDep, actor: ActorDep, run_id: str, kind: str = "zip") -> Response:
    """The run with its files: `zip` with a README, `rocrate` (Provenance Run Crate) or `aiida` (archive main_0001)."""
    name, files = await exports.members(context, actor, run_id, kind)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(archives.zipped(files.items()), media_type="application/zip", headers=headers)


@router.get("/runs/{run_id}/provenance")
async def run_provenance(context: ContextDep, actor: ActorDep, run_id: str) -> LineageAnswer:
    """All jobs of a run with their origins, and what passed between them."""
    return lineage_answer(await lineage.of_run(context, actor, run_id))


@router.get("/jobs/{job_id}/provenance")
async def job_provenance(context: ContextDep, actor: ActorDep, job_id: str) -> LineageAnswer:
    """Everything that a job comes from, and everything that came of it."""
    return lineage_answer(await lineage.of_job(context, actor, job_id))
