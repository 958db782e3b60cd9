"""Filters and cursors of job lists, the same in page and API, all in the query string; which jobs an action takes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from app.domain.jobs import JobFilter
from app.domain.states import JobState
from app.domain.studies import QuantityName
from app.errors import FieldError, InvalidInput
from app.services.jobs.views import JobRow

Tolerance = Annotated[
    float | None,
    Query(gt=0, le=1e6, allow_inf_nan=False, description="Of a convergence study, in the unit of its quantity."),
]
Studied = Annotated[QuantityName, Query(description="Quantity of a convergence study.")]


def selection_filter(
    state: Annotated[list[str] | None, Query(description="States; repeat for several.")] = None,
    owner: Annotated[str, Query(max_length=64)] = "",
    cluster: Annotated[str, Query(max_length=64)] = "",
    template: Annotated[str, Query(max_length=64)] = "",
    text: Annotated[str, Query(max_length=100, description="Part of a name, or an id.")] = "",
    batch: Annotated[str, Query(max_length=20, description="Id of a batch.")] = "",
    tag: Annotated[str, Query(max_length=40)] = "",
    archived: Annotated[bool, Query(description="Jobs in the archive instead of the others.")] = False,
) -> JobFilter:
    """What a filter lets through, whatever page it is on: for actions and downloads, which know no pages."""
    states = tuple(item for item in state or () if item)
    unknown = [item for item in states if item not in set(JobState)]
    if unknown:
        raise InvalidInput(
            f"There is no state {unknown[0][:40]!r}.", hint=f"States: {', '.join(JobState)}.",
            fields=[FieldError("state", f"must be one of {', '.join(JobState)}", unknown[0][:40])],
        )  # fmt: skip
    return JobFilter(
        states=states,
        owner=owner,
        cluster=cluster,
        template=template,
        text=text.strip(),
        batch=batch,
        tag=tag,
        archived=archived,
    )


def job_filter(
    wanted: Annotated[JobFilter, Depends(selection_filter)],
    cursor: Annotated[str, Query(max_length=200, description="From the previous answer.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobFilter:
    """One page of a filtered list."""
    return replace(wanted, before=_read_cursor(cursor), limit=limit)


SelectionDep = Annotated[JobFilter, Depends(selection_filter)]
FilterDep = Annotated[JobFilter, Depends(job_filter)]
Expect = Annotated[
    int | None, Query(ge=0, le=1_000_000, description="Expected number; if it differs, nothing is done.")
]
DryRun = Annotated[bool, Query(description="Only report how many it would be, with the first of them.")]


def filter_query(request: Request) -> str:
    """The query string of a list's filter, without the page that was looked at."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("cursor", "limit")]
    return urlencode([(name, value) for name, value in kept if value])


def next_cursor(rows: Sequence[JobRow], wanted: JobFilter) -> str:
    """Opaque mark after the last row, or nothing where the list has ended."""
    if len(rows) < wanted.limit:
        return ""
    last = rows[-1].job
    return base64.urlsafe_b64encode(f"{last.created_at.isoformat()} {last.id}".encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, str] | None:
    if not text:
        return None
    try:
        moment, _, job_id = base64.urlsafe_b64decode(text.encode()).decode().partition(" ")
        return datetime.fromisoformat(moment), job_id
    except ValueError:
        raise InvalidInput("The cursor is not valid.", hint="Take it from the previous answer.") from None
