"""Files over REST: those of jobs, here and on the cluster, and uploads to send with jobs."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, UploadFile
from fastapi.responses import FileResponse

from app.routes.api.v1.schemas.catalogue import StoredReference
from app.routes.api.v1.schemas.jobs import FileEntry, detail
from app.routes.deps import ActorDep, ContextDep
from app.routes.downloads import OpenedFileResponse
from app.services.jobs import files as file_views
from app.services.jobs import views as jobs
from app.services.jobs.attachments import MAX_UPLOAD, keep_upload

router = APIRouter(prefix="/api/v1")


@router.post("/files", tags=["library"], status_code=201)
async def upload_file(context: ContextDep, actor: ActorDep, file: UploadFile) -> StoredReference:
    """Keep a file; the reference in the answer is what a file parameter takes."""
    reference = await keep_upload(context, actor, file.filename or "", await file.read(MAX_UPLOAD + 1))
    return StoredReference(reference=reference)


@router.get("/jobs/{job_id}/files", tags=["jobs"])
async def list_files(context: ContextDep, actor: ActorDep, job_id: str) -> list[FileEntry]:
    """Files of a job that are here."""
    return detail(await jobs.get(context, actor, job_id)).files


@router.get("/jobs/{job_id}/files/{name:path}", tags=["jobs"], response_class=FileResponse)
async def get_file(context: ContextDep, actor: ActorDep, job_id: str, name: str) -> FileResponse:
    """One file, byte for byte."""
    file, row = await jobs.open_file(context, actor, job_id, name)
    return OpenedFileResponse(file, media_type="application/octet-stream", filename=row.name.rpartition("/")[2])


@router.get("/jobs/{job_id}/cluster-files", tags=["results"])
async def get_cluster_files(context: ContextDep, actor: ActorDep, job_id: str) -> list[dict[str, Any]]:
    """What lies in the job's directory on its cluster now: name, size in bytes, time of its last change, file or link."""
    return [vars(entry) for entry in await file_views.listing(context, actor, job_id)]


@router.get("/jobs/{job_id}/pieces/{name:path}", tags=["results"])
async def get_piece(
    context: ContextDep, actor: ActorDep, job_id: str, name: str, at: int = 0, find: str = "",
    where: Literal["here", "cluster"] = "here",
) -> dict[str, Any]:  # fmt: skip
    """At most 64 KiB of a file from byte `at` on (negative: from its end), or from where a text stands."""
    return vars(await file_views.piece(context, actor, job_id, name, at=at, find=find[:200], remote=where == "cluster"))
