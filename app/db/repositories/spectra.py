"""What bands and densities of states of jobs are made of: their decks, their results and the names of their files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from app.db.sessions import ReadSession
from app.db.tables import Job, JobAttachment, JobFile, JobResult

_BETWEEN = "\n"
"""File names have no line feed: see `domain.names`."""


@dataclass(frozen=True)
class JobSpectra:
    """A job by what its spectra are read from."""

    id: str
    name: str
    decks: dict[str, str]
    files: list[str]
    """Names of the files that are here, in the order of the alphabet."""
    results: list[dict[str, Any]] = field(default_factory=list)
    """Of each output, in the order in which they were written."""


async def of_jobs(session: ReadSession, job_ids: Collection[str]) -> dict[str, JobSpectra]:
    """By job id, in one statement."""
    return await _read(session, col(Job.id).in_(list(job_ids)))


async def of_sibling(session: ReadSession, job_id: str, name: str, left: Sequence[str]) -> JobSpectra | None:
    """The newest other job that took along the same file under this name and left one of the files `left`, in one statement."""
    own = select(JobAttachment.source).where(JobAttachment.job_id == job_id, JobAttachment.name == name)
    sibling = (
        select(JobAttachment.job_id)
        .join(JobFile, col(JobFile.job_id) == col(JobAttachment.job_id))
        .where(
            JobAttachment.name == name,
            JobAttachment.job_id != job_id,
            col(JobAttachment.source).in_(own),
            col(JobFile.name).in_(left),
        )
        .order_by(col(JobAttachment.id).desc())
        .limit(1)
    )
    return next(iter((await _read(session, col(Job.id) == sibling.scalar_subquery())).values()), None)


async def _read(session: ReadSession, condition: Any) -> dict[str, JobSpectra]:
    files = select(func.aggregate_strings(col(JobFile.name), _BETWEEN)).where(col(JobFile.job_id) == col(Job.id))
    query = (
        select(Job.id, Job.name, Job.decks, files.scalar_subquery(), JobResult.results)  # type: ignore[call-overload]
        .join(JobResult, col(JobResult.job_id) == col(Job.id), isouter=True)
        .where(condition)
        .order_by(col(JobResult.id))
    )
    jobs: dict[str, JobSpectra] = {}
    for job_id, name, decks, names, results in (await session.exec(query)).all():
        job = jobs.setdefault(
            job_id, JobSpectra(job_id, name, dict(decks), sorted(names.split(_BETWEEN)) if names else [])
        )
        if results is not None:
            job.results.append(dict(results))
    return jobs
