"""Where the files of a job lie that people look into: the main output, also while it grows, and what programs wrote beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.db.repositories import jobs
from app.db.tables import Job, JobFile, JobResult
from app.domain.people.permissions import Actor, require
from app.domain.states import TERMINAL, JobState
from app.errors import NotFound
from app.library.kept import find, is_inside
from app.services.context import Context
from app.services.jobs.existing import existing_job, no_job


@dataclass(frozen=True)
class Output:
    """An output of a job: its name, where it lies here, and whether it still grows."""

    job: Job
    name: str
    path: Path
    growing: bool


async def job_of(context: Context, actor: Actor, job_id: str, *, whole: bool = False) -> Job:
    """A job; without its decks, script and parameters unless `whole`.

    Raises:
        NotFound: no such job.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        return await existing_job(session, job_id, whole=whole)


@dataclass(frozen=True)
class Record:
    """A job without its decks, and what is stored of its results: what figures are made of."""

    job: Job
    files: list[JobFile]
    results: list[JobResult]

    @property
    def names(self) -> list[str]:
        """Of the files that are here."""
        return [file.name for file in self.files]


async def record_of(context: Context, actor: Actor, job_id: str) -> Record:
    """What is stored of a job, read once.

    Raises:
        NotFound: no such job.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        stored = await jobs.with_results(session, job_id)
        if stored is None:
            raise no_job(job_id)
        job, results = stored
        return Record(job, await jobs.files(session, job_id), results)


async def main_output(context: Context, actor: Actor, job_id: str) -> Output:
    """The output of the first program that the job runs.

    Raises:
        NotFound: no such job, or nothing of its output is here yet.
    """
    job = await job_of(context, actor, job_id)
    output = output_of(context, job)
    if output is None:
        raise NotFound(f"There is no output of job {job_id} yet.", hint="It appears once the job has started.")
    return output


def output_of(context: Context, job: Job) -> Output | None:
    """The output of the first program that a job runs, where it lies here; None: there is nothing yet."""
    name = job.outputs[0]
    folder = context.job_folder(job.id)
    kept = find(folder, name, ("files", "live"))
    if kept is None:
        return None
    return Output(job, name, kept.folder / name, kept.folder.name == "live" and JobState(job.state) not in TERMINAL)


async def local_files(context: Context, job_id: str) -> list[JobFile]:
    """Files of a job that are here."""
    async with context.database.read() as session:
        return list(await jobs.files(session, job_id))


def first_of(context: Context, job_id: str, names: Sequence[str], patterns: Sequence[str]) -> Path | None:
    """The first of a job's files `names` that is one of the patterns; a pattern that begins with a dot is an ending."""
    for pattern in patterns:
        for name in names:
            if name == pattern or (pattern.startswith(".") and name.endswith(pattern)):
                folder = context.job_folder(job_id) / "files"
                if is_inside(folder, name):
                    return folder / name
    return None
