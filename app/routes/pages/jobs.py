"""The list of jobs, and the page of one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from starlette.datastructures import FormData

from app.domain.drawing.spectra import Shape
from app.domain.drawing.tabular import as_csv
from app.domain.jobs import JobFilter
from app.domain.studies import QUANTITIES
from app.routes.deps import ActorDep, ContextDep
from app.routes.downloads import OpenedFileResponse
from app.routes.filters import Expect, FilterDep, SelectionDep, Studied, Tolerance, filter_query, next_cursor
from app.routes.rendering import is_fragment, page
from app.routes.strict import known_fields, number_of
from app.services.composing import forms
from app.services.jobs import actions, archives, setbacks
from app.services.jobs import files as file_views
from app.services.jobs import views as jobs
from app.services.jobs.selections import Selection, chosen
from app.services.people.streams import newest_event
from app.services.results import figures, job_page, vibrations
from app.services.results.comparison import compare as compare_jobs
from app.services.results.job_page import JobPage

router = APIRouter(include_in_schema=False)
Number = Annotated[float | None, Query(allow_inf_nan=False)]
Ids = Annotated[Sequence[str], Query()]


@router.get("/")
async def home() -> Response:
    return RedirectResponse("/jobs", status_code=303)


@router.get("/jobs")
async def job_list(request: Request, context: ContextDep, actor: ActorDep, wanted: FilterDep) -> Response:
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


@router.post("/jobs/actions")
async def act(request: Request, context: ContextDep, actor: ActorDep, wanted: SelectionDep) -> Response:
    """One action on the ticked jobs, or on all that match; asks first where it cannot be undone, or takes many."""
    asked, query = await _asked(request, wanted), filter_query(request)
    if asked.action in VIEWS:
        return RedirectResponse(VIEWS[asked.action] + asked.query(query), status_code=303)
    if not asked.confirmed:
        found = await actions.to_confirm(context, actor, asked.action, asked.selection, asked.value)
        if found is not None:
            return page(
                request, "confirm.html", found=found, asked=asked, query=query, words=actions.ACTIONS[asked.action]
            )
    batch = await actions.begin(context, actor, asked.action, asked.selection, asked.value)
    await actions.advance(context, batch.id)
    return RedirectResponse(f"/actions/{batch.id}?{query}", status_code=303)


VALUES = {"priority": "priority", "start": "start", "move": "move", "tag": "tag", "untag": "tag"}
"""The control whose value an action takes."""
VIEWS = {"compare": "/jobs/compare?", "download": "/jobs/download.zip?"}
"""What is not done to the ticked jobs, but looked at."""
FIELDS = ("id", "action", "all", "confirmed", "expect", *VALUES.values())


@dataclass(frozen=True)
class Asked:
    """What the form above the list of jobs asks for."""

    action: str
    selection: Selection
    value: str
    confirmed: bool

    @property
    def control(self) -> str:
        return VALUES.get(self.action, "")

    def query(self, filtered: str) -> str:
        """The selection as a query string."""
        if self.selection.matching is None:
            return urlencode([("id", one) for one in self.selection.ids])
        return f"{filtered}{'&' if filtered else ''}all=true"


async def _asked(request: Request, wanted: JobFilter) -> Asked:
    async with request.form(max_fields=11_000) as form:
        ids = tuple(str(value) for value in form.getlist("id"))
        rest = FormData([(key, value) for key, value in form.multi_items() if key != "id"])
    known_fields(rest, FIELDS)
    texts = {key: value for key, value in rest.items() if isinstance(value, str)}
    action, everything, expect = texts.get("action", ""), bool(texts.get("all")), number_of(texts.get("expect"))
    # What is ticked counts, whatever list it was ticked in: the filter is only where to go back to.
    selection = chosen(() if everything else ids, everything, wanted if everything else JobFilter())
    selection = replace(selection, expect=expect)
    return Asked(
        action, selection, texts.get(VALUES.get(action, ""), ""), bool(texts.get("confirmed")) and expect is not None
    )


@router.get("/actions/{batch_id}")
async def action_page(
    request: Request, context: ContextDep, actor: ActorDep, batch_id: str, _back_to: SelectionDep
) -> Response:
    """What an action did to each job, and how far it has come."""
    since = await newest_event(context)
    batch = await actions.get(context, actor, batch_id)
    return page(
        request, "jobs/outcomes.html", part="jobs/outcomes_progress.html", batch=batch, since=since,
        aside=setbacks.is_set_aside(batch),
        counts=await actions.progress(context, actor, batch_id), query=filter_query(request),
        results=await actions.outcomes(context, actor, batch_id) if not batch.busy else [],
    )  # fmt: skip


@router.post("/actions/{batch_id}/retry")
async def retry_action(context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Go on with an action that was set aside after several failures."""
    await setbacks.take_up(context, actor, batch_id)
    return RedirectResponse(f"/actions/{batch_id}", status_code=303)


@router.get("/jobs/download.zip")
async def download(
    context: ContextDep, actor: ActorDep, wanted: SelectionDep, id: Ids = (), all: bool = False, expect: Expect = None
) -> Response:
    files = await archives.members(context, actor, chosen(tuple(id), all, wanted, expect))
    headers = {"content-disposition": 'attachment; filename="crystaldeck-jobs.zip"'}
    return StreamingResponse(archives.zipped(files), media_type="application/zip", headers=headers)


@router.get("/jobs/compare")
async def compare(
    request: Request,
    context: ContextDep,
    actor: ActorDep,
    id: Ids = (),
    of: Studied = "energy",
    tolerance: Tolerance = None,
    format: str = "",
) -> Response:
    found = await compare_jobs(context, actor, id, of=of, tolerance=tolerance)
    if format == "csv":
        headers = {"content-disposition": 'attachment; filename="comparison.csv"'}
        return Response(as_csv(found.columns()), media_type="text/csv; charset=utf-8", headers=headers)
    return page(
        request, "jobs/compare.html", found=found, query=urlencode([("id", one) for one in id]), quantities=QUANTITIES,
        base_url=str(request.base_url).rstrip("/"),
    )  # fmt: skip


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


@router.get("/jobs/{job_id}/figures")
async def show_figures(
    request: Request, context: ContextDep, actor: ActorDep, job_id: str, e_low: Number = None, e_high: Number = None,
    width: float = vibrations.WIDTH, shape: Shape = "lorentzian",
) -> Response:  # fmt: skip
    """Bands, spectra and structure: a part of the job's page, and a page of its own."""
    found = await figures.figures(context, actor, job_id, figures.Wanted(e_low, e_high, width, shape))
    return page(
        request, "jobs/figures_page.html", part="jobs/figures.html", job=found.job, figures=found,
        base_url=str(request.base_url).rstrip("/"),
    )  # fmt: skip


@router.post("/jobs/{job_id}/cancel")
async def cancel(context: ContextDep, actor: ActorDep, job_id: str) -> Response:
    await jobs.cancel(context, actor, job_id)
    return RedirectResponse(f"/jobs/{job_id}", status_code=303)


@router.get("/jobs/{job_id}/files.zip")
async def job_files_zip(context: ContextDep, actor: ActorDep, job_id: str, name: Ids = ()) -> Response:
    """The named files of a job, or all that are here, streamed."""
    files = await file_views.chosen(context, actor, job_id, list(name))
    headers = {"content-disposition": f'attachment; filename="{job_id}.zip"'}
    return StreamingResponse(archives.zipped(files), media_type="application/zip", headers=headers)


@router.get("/jobs/{job_id}/cluster-files")
async def cluster_files(request: Request, context: ContextDep, actor: ActorDep, job_id: str) -> Response:
    """What lies in the job's directory on its cluster now."""
    view = await jobs.get_changing(context, actor, job_id)
    entries = await file_views.listing(context, actor, job_id)
    return page(
        request, "jobs/cluster_files.html", part="jobs/cluster_files_table.html", job=view.job, entries=entries,
        here={file.name for file in view.files},
    )  # fmt: skip


@router.get("/jobs/{job_id}/look/{name:path}")
async def look(
    request: Request, context: ContextDep, actor: ActorDep, job_id: str, name: str, at: int = 0, find: str = "",
    where: Annotated[str, Query(pattern="^(here|cluster)$")] = "here",
) -> Response:  # fmt: skip
    """A piece of a file: its beginning, its end, or where a text stands."""
    view = await jobs.get_progress(context, actor, job_id)
    picture = Path(name).suffix.lower().lstrip(".") in file_views.PICTURES and where == "here"
    remote = where == "cluster"
    found = await file_views.piece(context, actor, job_id, name, at=at, find=find[:200], remote=remote)
    return page(
        request, "jobs/file.html", job=view.job, piece=found, find=find, where=where, picture=picture,
        takers=await forms.takers(context, actor, name),
    )  # fmt: skip


@router.get("/jobs/{job_id}/files/{name:path}")
async def job_file(context: ContextDep, actor: ActorDep, job_id: str, name: str, view: bool = False) -> Response:
    file, row = await jobs.open_file(context, actor, job_id, name)
    picture = file_views.PICTURES.get(Path(name).suffix.lower().lstrip("."))
    return OpenedFileResponse(
        file,
        media_type=(picture or "text/plain; charset=utf-8") if view else "application/octet-stream",
        filename=None if view else row.name.rpartition("/")[2],
        headers={"content-security-policy": "sandbox; default-src 'none'"},
    )
