"""The list of jobs, and the page of one job."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.domain.jobs import JobFilter
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import FilterDep, filter_query, next_cursor
from app.routes.rendering import is_fragment, page
from app.services.jobs import views as jobs
from app.services.people.streams import newest_event
from app.services.results import job_page
from app.services.results.job_page import JobPage

router = APIRouter(include_in_schema=False)


@router.get("/")
async def go_to_jobs() -> Response:
    """The start page is the list of jobs."""
    return RedirectResponse("/jobs", status_code=303)


@router.get("/jobs")
async def show_jobs(request: Request, context: ContextDep, actor: ActorDep, wanted: FilterDep) -> Response:
    """The list of jobs, or its table alone."""
    # Whoever looks for something wants the jobs themselves, everybody else one line for each batch.
    plain = wanted == JobFilter(before=wanted.before, limit=wanted.limit)
    wanted = replace(wanted, grouped=plain)
    since = None if is_fragment(request) else await newest_event(context)
    rows = await jobs.listing(context, actor, wanted)
    shown: dict[str, Any] = {
        "rows": rows, "wanted": wanted, "query": filter_query(request), "cursor": next_cursor(rows, wanted),
        "counts": await jobs.counts(context, actor),
    }  # fmt: skip
    if since is None:
        return page(request, "jobs/list_table.html", **shown)
    return page(request, "jobs/list.html", since=since, choices=await jobs.choices(context, actor), **shown)


@router.get("/jobs/{job_id}")
async def show_job(
    request: Request, context: ContextDep, actor: ActorDep, job_id: str,
    part: Annotated[Literal["", "change", "progress"], Query()] = "",
) -> Response:  # fmt: skip
    """The page of a job; as a part, all that a change of the job touches, or what shows how far it is."""
    if part:
        gather = job_page.changed_parts if part == "change" else job_page.progress_parts
        shown = await gather(context, actor, job_id)
        return page(request, f"jobs/live_{part}.html", **_values(shown))
    since = await newest_event(context)
    shown = await job_page.whole_page(context, actor, job_id)
    return page(request, "jobs/page.html", since=since, **_values(shown))


def _values(shown: JobPage) -> dict[str, Any]:
    return {
        "view": shown.view, "job": shown.job, "resources": shown.resources, "priority": shown.priority, "tail": shown.tail,
        "output": shown.output, "waiting": shown.waiting, "course": shown.course, "remedies": shown.remedies,
    }  # fmt: skip


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(context: ContextDep, actor: ActorDep, job_id: str) -> Response:
    """Cancel a job; its record and its files stay."""
    await jobs.cancel(context, actor, job_id)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)
