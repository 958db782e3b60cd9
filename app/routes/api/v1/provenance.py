"""Where results come from, over REST, and exports of runs."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from app.routes.api.v1.schemas.provenance import LineageAnswer, lineage_answer
from app.routes.deps import ActorDep, ContextDep
from app.services.jobs import archives
from app.services.provenance import exports, lineage

router = APIRouter(prefix="/api/v1", tags=["workflows"])


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
