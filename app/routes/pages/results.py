"""What jobs computed, drawn: the figures of one job, and several jobs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.domain.drawing.spectra import Shape
from app.domain.drawing.tabular import as_csv
from app.domain.studies import QUANTITIES
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import Studied, Tolerance
from app.routes.rendering import page
from app.services.results import figures, vibrations
from app.services.results.comparison import compare as compare_jobs

router = APIRouter(include_in_schema=False)
Number = Annotated[float | None, Query(allow_inf_nan=False)]
Ids = Annotated[Sequence[str], Query()]


@router.get("/jobs/compare")
async def show_comparison(
    request: Request,
    context: ContextDep,
    actor: ActorDep,
    id: Ids = (),
    of: Studied = "energy",
    tolerance: Tolerance = None,
    format: str = "",
) -> Response:
    """Several jobs beside each other, as a page or as CSV."""
    found = await compare_jobs(context, actor, id, of=of, tolerance=tolerance)
    if format == "csv":
        headers = {"content-disposition": 'attachment; filename="comparison.csv"'}
        return Response(as_csv(found.columns()), media_type="text/csv; charset=utf-8", headers=headers)
    return page(
        request, "jobs/compare.html", found=found, query=urlencode([("id", one) for one in id]), quantities=QUANTITIES,
        base_url=str(request.base_url).rstrip("/"),
    )  # fmt: skip


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
