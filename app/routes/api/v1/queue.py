"""The queue over REST: one action on many jobs, pauses, and why a job waits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from app.db.repositories.jobs import JobFilter
from app.routes.api.v1.schemas import ActionResult, PauseRequest, QueueAction
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import job_filter
from app.services import actions, jobs, queue
from app.services.actions import Selection

router = APIRouter(prefix="/api/v1", tags=["queue"])
FilterDep = Annotated[JobFilter, Depends(job_filter)]


@router.post("/queue/actions")
async def act(context: ContextDep, actor: ActorDep, wanted: FilterDep, body: QueueAction) -> list[ActionResult]:
    """Submit, hold, release, reorder, move, cancel, run again, tag or archive many jobs; each answers for itself."""
    selection = Selection(tuple(body.ids), wanted if body.all else None)
    return [
        ActionResult(**vars(entry)) for entry in await actions.act(context, actor, body.action, selection, body.value)
    ]


@router.post("/queue/pause", status_code=204)
async def pause(context: ContextDep, actor: ActorDep, body: PauseRequest) -> None:
    """Hand over nothing more to a cluster, or to any; what runs goes on."""
    await queue.pause(context, actor, body.cluster, body.reason)


@router.post("/queue/resume", status_code=204)
async def resume(context: ContextDep, actor: ActorDep, body: PauseRequest) -> None:
    """Hand over again."""
    await queue.resume(context, actor, body.cluster)


@router.get("/jobs/{job_id}/waiting")
async def waiting(context: ContextDep, actor: ActorDep, job_id: str) -> list[str]:
    """Why a job has not been handed over yet, in plain words."""
    return await queue.explain(context, actor, (await jobs.get(context, actor, job_id)).job)
