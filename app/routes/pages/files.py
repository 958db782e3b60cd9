"""Files of jobs: downloaded, looked into, and those that lie on the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from app.routes.deps import ActorDep, ContextDep
from app.routes.downloads import OpenedFileResponse
from app.routes.filters import Expect, SelectionDep
from app.routes.rendering import page
from app.services.composing import forms
from app.services.jobs import archives
from app.services.jobs import files as file_views
from app.services.jobs import views as jobs
from app.services.jobs.selections import chosen

router = APIRouter(include_in_schema=False)
Ids = Annotated[Sequence[str], Query()]


@router.get("/jobs/download.zip")
async def download_files(
    context: ContextDep, actor: ActorDep, wanted: SelectionDep, id: Ids = (), all: bool = False, expect: Expect = None
) -> Response:
    """The files of the selected jobs in one archive, streamed."""
    files = await archives.members(context, actor, chosen(tuple(id), all, wanted, expect))
    headers = {"content-disposition": 'attachment; filename="crystaldeck-jobs.zip"'}
    return StreamingResponse(archives.zipped(files), media_type="application/zip", headers=headers)


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
async def download_file(context: ContextDep, actor: ActorDep, job_id: str, name: str, view: bool = False) -> Response:
    """One file, byte for byte; with `view` as a text or picture in the browser."""
    file, row = await jobs.open_file(context, actor, job_id, name)
    picture = file_views.PICTURES.get(Path(name).suffix.lower().lstrip("."))
    return OpenedFileResponse(
        file,
        media_type=(picture or "text/plain; charset=utf-8") if view else "application/octet-stream",
        filename=None if view else row.name.rpartition("/")[2],
        headers={"content-security-policy": "sandbox; default-src 'none'"},
    )
