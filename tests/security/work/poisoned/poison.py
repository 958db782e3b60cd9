"""Jobs for tests of what fails alone: made, spoilt past every check, and looked at."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlmodel import col

from app.db.tables import Job
from app.domain.people.permissions import Actor
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from tests.support.service import mgo

PROGRAM = "#!/bin/sh\ncat > /dev/null\necho ' EEEEEEEEEE TERMINATION  DATE 01 01 2026 TIME 00:00:00.0'\n"
"""It says at once that it ended well."""


async def row_of(context: Context, job_id: str) -> Job:
    async with context.database.read() as session:
        found = await session.get(Job, job_id)
    assert found is not None
    return found


async def three_jobs(context: Context, actor: Actor) -> list[str]:
    requests = [JobRequest("scf", mgo(f"job {n}", a=4.2 + n / 100), "here", {}, f"n{n}") for n in range(3)]
    return [job.id for job in await create_jobs(context, actor, requests)]


async def change(context: Context, job_id: str, **values: Any) -> None:
    """What no route writes: an older release did, or somebody at the database."""
    async with context.database.write() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(**values))


async def are_in(context: Context, states: tuple[str, ...], *job_ids: str) -> bool:
    found = [(await row_of(context, job_id)).state for job_id in job_ids]
    return all(state in states for state in found)


async def are_over(context: Context, *job_ids: str) -> bool:
    return await are_in(context, ("completed", "failed"), *job_ids)
