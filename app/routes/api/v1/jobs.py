"""Jobs over REST: the same services as the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response
from pydantic import Field

from app.routes.api.v1.schemas.jobs import JobDetail, JobPage, JobSummary, NewJob, detail, summary
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import FilterDep, next_cursor
from app.services.jobs import views as jobs
from app.services.jobs.creation import MAX_JOBS_PER_REQUEST, create_jobs
from app.services.jobs.views import JobRow
from app.workers.pauses import with_pauses

router = APIRouter(prefix="/api/v1", tags=["jobs"])
Several = Annotated[list[NewJob], Field(max_length=MAX_JOBS_PER_REQUEST)]
Key = Annotated[
    str, Header(alias="Idempotency-Key", description="A repeated request with the same key returns the same jobs.")
]


@router.post("/jobs", status_code=201)
async def make_jobs(
    context: ContextDep,
    actor: ActorDep,
    response: Response,
    body: NewJob | Several,
    idempotency_key: Key = "",
) -> JobSummary | list[JobSummary]:
    """Queue one job, or a list of jobs: all of them or none."""
    several = body if isinstance(body, list) else [body]
    requests = [item.request() async for item in with_pauses(several)]
    made = await create_jobs(context, actor, requests, idempotency_key)
    rows = [
        summary(JobRow(job, actor.name, item.cluster, None, False)) for job, item in zip(made, several, strict=True)
    ]
    if not isinstance(body, list):
        response.headers["Location"] = f"/api/v1/jobs/{rows[0].id}"
        return rows[0]
    return rows


@router.get("/jobs")
async def list_jobs(context: ContextDep, actor: ActorDep, wanted: FilterDep) -> JobPage:
    """Jobs, newest first, with a cursor for the next page."""
    rows = await jobs.listing(context, actor, wanted)
    return JobPage(jobs=[summary(row) for row in rows], cursor=next_cursor(rows, wanted))


@router.get("/jobs/{job_id}")
async def get_job(context: ContextDep, actor: ActorDep, job_id: str) -> JobDetail:
    """All that is known of one job: state, the scheduler's raw words, results, history, files."""
    return detail(await jobs.get(context, actor, job_id))


@router.post("/jobs/{job_id}/cancel", status_code=202)
async def cancel_job(context: ContextDep, actor: ActorDep, job_id: str) -> JobSummary:
    """Cancel a job; its record and its files stay."""
    await jobs.cancel(context, actor, job_id)
    return summary((await jobs.get(context, actor, job_id)).row)
