"""The list of jobs, and the page of one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from app.db.repositories.jobs import JobFilter
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import job_filter, next_cursor
from app.routes.rendering import is_fragment, page
from app.services import actions, archives, jobs, queue
from app.services.actions import Selection
from app.services.comparison import compare as compare_jobs
from app.services.live import newest_event

router = APIRouter(include_in_schema=False)
FilterDep = Annotated[JobFilter, Depends(job_filter)]
Ids = Annotated[Sequence[str], Query()]


@router.get("/")
async def home() -> Response:
    return RedirectResponse("/jobs", status_code=303)


@router.get("/jobs")
async def job_list(request: Request, context: ContextDep, actor: ActorDep, wanted: FilterDep) -> Response:
    since = await newest_event(context)
    # Whoever looks for something wants the jobs themselves, everybody else one line for each batch.
    plain = wanted == JobFilter(before=wanted.before, limit=wanted.limit)
    wanted = replace(wanted, grouped=plain)
    rows = await jobs.listing(context, actor, wanted)
    return page(
        request, "jobs.html", block="table" if is_fragment(request) else None, rows=rows, since=since, wanted=wanted,
        cursor=next_cursor(rows, wanted), counts=await jobs.counts(context, actor),
        choices=await jobs.choices(context, actor), query=str(request.url.query),
    )  # fmt: skip


@router.post("/jobs/actions")
async def act(request: Request, context: ContextDep, actor: ActorDep, wanted: FilterDep) -> Response:
    """One action on the ticked jobs, or on all that match; asks first where it cannot be undone."""
    async with request.form(max_fields=11_000) as form:
        ids = tuple(str(value) for value in form.getlist("id"))
        texts = {key: value for key, value in form.items() if isinstance(value, str)}
    action, everything = texts.get("action", ""), bool(texts.get("all"))
    value = texts.get(VALUES.get(action, ""), "")
    selection = Selection(() if everything else ids, wanted if everything else None)
    query = str(request.url.query)
    if action in ("cancel", "rerun") and not texts.get("confirmed"):
        count = await actions.count(context, actor, selection)
        return page(request, "confirm.html", ids=ids, everything=everything, count=count, query=query, action=action)
    batch = await actions.begin(context, actor, action, selection, value)
    await actions.advance(context, batch.id)
    return RedirectResponse(f"/actions/{batch.id}?{query}", status_code=303)


VALUES = {"priority": "priority", "start": "start", "move": "move", "tag": "tag", "untag": "tag"}
"""The control whose value an action takes."""


@router.get("/actions/{batch_id}")
async def action_page(request: Request, context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """What an action did to each job, and how far it has come."""
    since = await newest_event(context)
    batch = await actions.get(context, actor, batch_id)
    return page(
        request, "outcomes.html", block="progress" if is_fragment(request) else None, batch=batch, since=since,
        counts=await actions.progress(context, actor, batch_id), query=str(request.url.query),
        results=await actions.outcomes(context, actor, batch_id) if not batch.busy else [],
    )  # fmt: skip


@router.get("/jobs/download.zip")
async def download(
    context: ContextDep, actor: ActorDep, wanted: FilterDep, id: Ids = (), all: bool = False
) -> Response:
    files = await archives.members(context, actor, Selection(() if all else tuple(id), wanted if all else None))
    headers = {"content-disposition": 'attachment; filename="crystaldeck-jobs.zip"'}
    return StreamingResponse(archives.zipped(files), media_type="application/zip", headers=headers)


@router.get("/jobs/compare")
async def compare(request: Request, context: ContextDep, actor: ActorDep, id: Ids = ()) -> Response:
    return page(request, "compare.html", found=await compare_jobs(context, actor, id))


@router.get("/jobs/{job_id}")
async def job_page(
    request: Request, context: ContextDep, actor: ActorDep, job_id: str,
    part: Annotated[str, Query(pattern="^(status|progress|)$")] = "",
) -> Response:  # fmt: skip
    since = await newest_event(context)
    view = await jobs.get(context, actor, job_id)
    output, tail = await jobs.output_tail(context, actor, job_id)
    return page(
        request, "job.html", block=part or None, view=view, job=view.job, resources=jobs.resources_of(view.job),
        priority=jobs.priority_of(view.job), output=output, tail=tail, since=since,
        waiting=await queue.explain(context, actor, view.job),
    )  # fmt: skip


@router.post("/jobs/{job_id}/cancel")
async def cancel(context: ContextDep, actor: ActorDep, job_id: str) -> Response:
    await jobs.cancel(context, actor, job_id)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)


@router.get("/jobs/{job_id}/files/{name:path}")
async def job_file(context: ContextDep, actor: ActorDep, job_id: str, name: str, view: bool = False) -> Response:
    path, row = await jobs.open_file(context, actor, job_id, name)
    return FileResponse(
        path,
        media_type="text/plain; charset=utf-8" if view else "application/octet-stream",
        filename=None if view else row.name.rpartition("/")[2],
        headers={"content-security-policy": "sandbox; default-src 'none'"},
    )
