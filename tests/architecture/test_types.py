"""What only types forbid: mypy refuses it, and the right use beside it passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SNIPPET = """
from sqlalchemy import update
from sqlmodel import select

from app.db.engine import Database
from app.db.repositories import jobs
from app.db.tables import Job
from app.domain.people.permissions import Actor, can, require
from app.domain.states import JobState
from app.services.transitions.jobs import Move, transition_jobs


async def read(database: Database, job: Job, actor: Actor) -> None:
    async with database.read() as session:
        await jobs.get(session, "a")
        await session.exec(select(Job.id))
        session.add(job)  # refused
        await session.exec(update(Job))  # refused
        await jobs.set_attention(session, {})  # refused
        await transition_jobs(session, [Move(job, JobState.HELD, "")])  # refused
        await transition_jobs(session, [Move(job, "held", "")])  # refused
    async with database.write() as writing:
        await jobs.get(writing, "a")
        await jobs.set_attention(writing, {})
        await transition_jobs(writing, [Move(job, JobState.HELD, "")])
    require(actor, "job.create")
    require(actor, "job.craete")  # refused
    can(actor, "job.delete")  # refused
"""


def test_mypy_refuses_what_must_not_be(tmp_path: Path) -> None:
    file = tmp_path / "snippet.py"
    lines = SNIPPET.split("\n")
    file.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", str(file)], capture_output=True, text=True, check=False
    )
    refused = {int(number) for number in re.findall(r"snippet\.py:(\d+): error", done.stdout)}
    assert refused == {number for number, line in enumerate(lines, start=1) if "# refused" in line}, done.stdout
