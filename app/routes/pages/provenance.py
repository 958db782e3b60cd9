"""Where results come from: the jobs of a run, everything before and behind one job, and exports."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from app.routes.deps import ActorDep, ContextDep
from app.routes.rendering import page
from app.services.jobs import archives
from app.services.provenance import exports, lineage
from app.services.workflows import views as workflow_views

router = APIRouter(include_in_schema=False)


@router.get("/runs/{run_id}/provenance")
async def run_provenance(request: Request, context: ContextDep, actor: ActorDep, run_id: str) -> Response:
    """All jobs of a run, what they come from, and the exports."""
    view = await workflow_views.view(context, actor, run_id)
    found = await lineage.of_run(context, actor, run_id)
    return page(
        request, "jobs/provenance.html", found=found, drawing=found.drawing, run=view.run, job=None, kinds=exports.KINDS
    )


@router.get("/jobs/{job_id}/provenance")
async def job_provenance(request: Request, context: ContextDep, actor: ActorDep, job_id: str) -> Response:
    """Everything before and behind one job."""
    found = await lineage.of_job(context, actor, job_id)
    own = found.jobs[job_id]
    return page(
        request, "jobs/provenance.html", found=found, drawing=found.drawing, run=None, job=own.job, kinds=exports.KINDS
    )


@router.get("/runs/{run_id}/export/{kind}", response_class=StreamingResponse)
async def export_run(context: ContextDep, actor: ActorDep, run_id: str, kind: str) -> Response:
    """A run with its files as an archive of one kind, streamed."""
    name, files = await exports.members(context, actor, run_id, kind)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(archives.zipped(files.items()), media_type="application/zip", headers=headers)
