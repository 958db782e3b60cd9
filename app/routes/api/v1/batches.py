"""Batches over REST, estimates, comparisons, and the files of many jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, UploadFile
from fastapi.responses import Response, StreamingResponse

from app.crystal.structures.importers import MAX_BYTES
from app.routes.api.v1.schemas.batches import (
    BatchDetail,
    BatchEntry,
    BatchPreviewAnswer,
    EstimateAnswer,
    NewBatch,
    batch_detail,
)
from app.routes.api.v1.schemas.results import ComparisonTable, comparison_table
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import DryRun, Expect, SelectionDep, Studied, Tolerance
from app.services.batches import creation as batch_creation
from app.services.batches import drafts as batches
from app.services.batches import rows as batch_rows
from app.services.batches import views as batch_views
from app.services.jobs import archives, setbacks
from app.services.jobs.estimates import advise
from app.services.jobs.selections import chosen
from app.services.results.comparison import compare

router = APIRouter(prefix="/api/v1", tags=["batches"])
Ids = Annotated[Sequence[str], Query(description="Repeat for several jobs.")]
LIMIT = 1000


@router.get("/batches")
async def list_batches(context: ContextDep, actor: ActorDep) -> list[BatchEntry]:
    """Batches, newest first, with their jobs by state."""
    return [
        BatchEntry(id=batch.id, name=batch.name, owner=owner, template=batch.template_id, state=batch.state, jobs=tally,
                   created_at=batch.created_at)
        for batch, owner, tally in await batch_views.listing(context, actor)
    ]  # fmt: skip


@router.post("/batches", status_code=201)
async def make_batch(
    context: ContextDep, actor: ActorDep, response: Response, body: NewBatch
) -> BatchDetail | BatchPreviewAnswer:
    """Rows of parameters, or a sweep, over what is common; its jobs are made in the background once it is submitted.

    Everything is checked first: where something is wrong, nothing is kept.
    """
    if body.dry_run:
        response.status_code = 200
        return BatchPreviewAnswer(**vars(await batch_creation.preview(context, actor, body.request())))
    batch = await batch_creation.create(context, actor, body.request())
    return await batch_detail(await batch_views.view(context, actor, batch.id, limit=LIMIT))


@router.get("/batches/{batch_id}")
async def get_batch(context: ContextDep, actor: ActorDep, batch_id: str) -> BatchDetail:
    """A batch with all its rows: what each has of its own, what was found, and its job with state and energy."""
    return await batch_detail(await batch_views.view(context, actor, batch_id, limit=LIMIT))


@router.post("/batches/{batch_id}/structures", status_code=201)
async def add_structures(context: ContextDep, actor: ActorDep, batch_id: str, files: list[UploadFile]) -> BatchDetail:
    """One row for each structure file."""
    read = [(file.filename or "", await file.read(MAX_BYTES + 1)) for file in files]
    await batch_rows.add_structures(context, actor, batch_id, read)
    return await batch_detail(await batch_views.view(context, actor, batch_id, limit=LIMIT))


@router.post("/batches/{batch_id}/submit", status_code=202)
async def submit_batch(
    context: ContextDep,
    actor: ActorDep,
    response: Response,
    batch_id: str,
    expect: Expect = None,
    dry_run: DryRun = False,
) -> BatchDetail | BatchPreviewAnswer:
    """Make the jobs of all rows that are right."""
    if dry_run:
        response.status_code = 200
        return BatchPreviewAnswer(**vars(await batch_views.would_make(context, actor, batch_id)))
    await batches.submit(context, actor, batch_id, expect)
    return await batch_detail(await batch_views.view(context, actor, batch_id, limit=LIMIT))


@router.post("/batches/{batch_id}/retry")
async def retry_batch(context: ContextDep, actor: ActorDep, batch_id: str) -> BatchDetail:
    """Go on with a batch that was set aside after several failures of the service; its `remark` says which."""
    await setbacks.take_up(context, actor, batch_id)
    return await batch_detail(await batch_views.view(context, actor, batch_id, limit=LIMIT))


@router.delete("/batches/{batch_id}", status_code=204)
async def discard_batch(context: ContextDep, actor: ActorDep, batch_id: str) -> None:
    """Forget a draft; what was submitted stays for ever."""
    await batches.discard(context, actor, batch_id)


@router.get("/estimates")
async def estimate(
    context: ContextDep, actor: ActorDep, template: str, cluster: str, atoms: int = 0, cores: int = 1
) -> EstimateAnswer | None:
    """What similar finished jobs took; null where there is none."""
    found = await advise(context, actor, template, cluster, atoms, cores)
    if found is None:
        return None
    own = found.estimate
    return EstimateAnswer(
        jobs=own.jobs, core_hours=own.core_hours, wall_s=own.wall_s, longest_s=own.longest_s, memory_mb=own.memory_mb,
        suggested_walltime=found.walltime, suggested_memory_mb=found.memory_mb,
    )  # fmt: skip


@router.get("/comparison")
async def compare_jobs(
    context: ContextDep, actor: ActorDep, id: Ids = (), of: Studied = "energy", tolerance: Tolerance = None
) -> ComparisonTable:
    """What differs between jobs, and their energies."""
    return comparison_table(await compare(context, actor, id, of=of, tolerance=tolerance))


@router.get("/download", response_class=StreamingResponse)
async def download(
    context: ContextDep, actor: ActorDep, wanted: SelectionDep, id: Ids = (), all: bool = False, expect: Expect = None
) -> Response:
    """All files of several jobs as one zip, streamed: those of `id`, or with `all` every job that the filter lets through."""
    files = await archives.members(context, actor, chosen(tuple(id), all, wanted, expect))
    return StreamingResponse(archives.zipped(files), media_type="application/zip")
