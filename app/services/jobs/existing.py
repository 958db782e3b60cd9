"""The job of an id, or the one error that says that there is none."""

from __future__ import annotations

from app.db.repositories import jobs
from app.db.sessions import ReadSession
from app.db.tables import Job
from app.errors import NotFound


def no_job(job_id: str) -> NotFound:
    """The error for an id that no job has."""
    return NotFound(f"There is no job {job_id[:40]!r}.", hint="See the list of jobs.")


async def existing_job(session: ReadSession, job_id: str, *, whole: bool = True) -> Job:
    """The job of this id; without its decks, script and parameters unless `whole`.

    Raises:
        NotFound: there is none.
    """
    job = await jobs.get(session, job_id, whole=whole)
    if job is None:
        raise no_job(job_id)
    return job
