"""Jobs that have ended, without a cluster: rows and files as a fetch leaves them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from app.db.tables import JobFile
from app.domain.people.permissions import Actor
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.views import JobView, get
from tests.support.service import TERMINAL, mgo
from tests.support.waiting import until


async def ended_job(context: Context, actor: Actor, files: Mapping[str, bytes], state: str = "completed") -> str:
    """A job with these files in its folder; returns its id."""
    [job] = await create_jobs(context, actor, [JobRequest("scf", mgo(), "here", {}, "ended", draft=True)])
    folder = context.job_folder(job.id) / "files"
    async with context.database.write() as session:
        job.state = state
        await session.merge(job)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            session.add(JobFile(job_id=job.id, name=name, size=len(data), sha256=digest, role="other"))
    return job.id


async def job_in(context: Context, actor: Actor, job_id: str, *states: str, seconds: float = 120) -> JobView:
    """The job once it is in one of these states; without any: once it has ended."""

    async def there() -> JobView | None:
        view = await get(context, actor, job_id)
        return view if view.job.state in (states or TERMINAL) else None

    view = await until(there, f"job {job_id} in {states or 'its end'}", seconds)
    assert view is not None
    return view
