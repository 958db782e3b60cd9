"""Actions on many jobs over REST, pauses, and why a job waits."""

from __future__ import annotations

from fastapi import APIRouter

from app.routes.api.v1.schemas.actions import ActionPreview, ActionResult, PauseRequest, QueueAction
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import SelectionDep
from app.services.jobs import actions, queue
from app.services.jobs import views as jobs
from app.services.jobs.selections import chosen

router = APIRouter(prefix="/api/v1", tags=["queue"])


@router.post("/queue/actions")
async def act(
    context: ContextDep, actor: ActorDep, wanted: SelectionDep, body: QueueAction
) -> list[ActionResult] | ActionPreview:
    """Submit, hold, release, reorder, move, cancel, run again, tag or archive many jobs; each answers for itself."""
    selection = chosen(tuple(body.ids), body.all, wanted, body.expect)
    if body.dry_run:
        found = await actions.preview(context, actor, body.action, selection, body.value)
        return ActionPreview(
            action=found.action, count=found.count, sample=[ActionResult(**vars(one)) for one in found.sample]
        )
    done = await actions.act(context, actor, body.action, selection, body.value)
    return [ActionResult(**vars(entry)) for entry in done]


@router.post("/queue/pause", status_code=204)
async def pause(context: ContextDep, actor: ActorDep, body: PauseRequest) -> None:
    """Pause submission to one cluster, or to all; running jobs continue."""
    await queue.pause(context, actor, body.cluster, body.reason)


@router.post("/queue/resume", status_code=204)
async def resume(context: ContextDep, actor: ActorDep, body: PauseRequest) -> None:
    """Resume submission."""
    await queue.resume(context, actor, body.cluster)


@router.get("/jobs/{job_id}/waiting")
async def waiting(context: ContextDep, actor: ActorDep, job_id: str) -> list[str]:
    """Why a job has not been submitted yet, in plain words."""
    view = await jobs.get_progress(context, actor, job_id)
    return await queue.explain(context, actor, view.job, view.remote)
