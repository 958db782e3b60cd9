"""Jobs as people see them: lists, one job with its history, cancelling, holding, the composer's preview."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from app.crystal.decks.rendering import written_roles
from app.crystal.files import output_name
from app.db.repositories import batches, clusters, jobs, library, users, workflows
from app.db.repositories.jobs import JobFilter, JobRow
from app.db.tables import (
    Job,
    JobAttachment,
    JobEvent,
    JobFile,
    JobResult,
    RemoteJob,
    WorkflowRun,
    WorkflowStep,
    WorkflowTask,
)
from app.domain.names import safe_path
from app.domain.people.permissions import Actor, require
from app.domain.resources import Resources
from app.domain.states import PRIORITIES, TERMINAL, JobState, Priority
from app.errors import Conflict, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.library.kept import KeptFile, find
from app.services.context import Context
from app.services.jobs.effects import cancel_rows
from app.services.jobs.existing import existing_job, no_job

TAIL_BYTES = 16384


@dataclass(frozen=True)
class JobView:
    """All that is known of one job."""

    row: JobRow
    remote: RemoteJob | None
    events: list[JobEvent]
    files: list[JobFile]
    results: list[JobResult]
    cluster_problem: str
    attached: list[JobAttachment]
    tags: list[str] = field(default_factory=list)
    origin: tuple[WorkflowTask, WorkflowStep, WorkflowRun] | None = None
    """The task that it was made for, where a workflow made it."""

    @property
    def job(self) -> Job:
        return self.row.job

    @property
    def is_over(self) -> bool:
        return JobState(self.job.state) in TERMINAL

    @property
    def main_result(self) -> dict[str, Any]:
        """Results of the crystal step; the properties step's where that is all there is."""
        return self.results[0].results if self.results else {}


async def listing(context: Context, actor: Actor, wanted: JobFilter) -> list[JobRow]:
    require(actor, "job.read")
    async with context.database.read() as session:
        rows = await jobs.listing(session, wanted)
        tags = await batches.tags_of(session, [row.job.id for row in rows])
        heads = [row.job.batch_id for row in rows if wanted.grouped and row.job.batch_id]
        names, tallies = await batches.names(session, heads), await batches.tallies(session, heads)
    return [
        replace(
            row, tags=tuple(tags.get(row.job.id, ())), batch=names.get(row.job.batch_id or "", ""),
            tally=tallies.get(row.job.batch_id or "", {}),
        )
        for row in rows
    ]  # fmt: skip


async def counts(context: Context, actor: Actor) -> dict[str, int]:
    require(actor, "job.read")
    async with context.database.read() as session:
        return await jobs.counts(session)


async def choices(context: Context, actor: Actor) -> dict[str, list[str]]:
    """What the list can be filtered by."""
    require(actor, "job.read")
    async with context.database.read() as session:
        return {
            "owner": sorted((await users.names(session)).values()),
            "cluster": [cluster.name for cluster in await clusters.all_active(session)],
            "template": [template.spec.id for template in context.templates.all()],
        }


async def get(context: Context, actor: Actor, job_id: str) -> JobView:
    """One job.

    Raises:
        NotFound: no such job.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        row = await jobs.row(session, job_id)
        if row is None:
            raise no_job(job_id)
        cluster = await clusters.by_name(session, row.cluster)
        return JobView(
            row,
            await jobs.remote(session, job_id),
            await jobs.history(session, job_id),
            await jobs.files(session, job_id),
            await jobs.results(session, job_id),
            cluster.problem if cluster and JobState(row.job.state) not in TERMINAL else "",
            (await library.attachments_of(session, [job_id])).get(job_id, []),
            (await batches.tags_of(session, [job_id])).get(job_id, []),
            (await workflows.origins(session, [job_id])).get(job_id),
        )


async def cancel(context: Context, actor: Actor, job_id: str) -> Job:
    """Cancel a job: at once if it was not handed over, else by asking the batch system. The record stays.

    Raises:
        Conflict: the job has ended. NotAllowed: somebody else's job.
    """
    async with context.database.write() as session:
        job = await existing_job(session, job_id)
        require(actor, "job.change", job.owner_id)
        state = JobState(job.state)
        if state in TERMINAL or state is JobState.FINISHING:
            raise Conflict(f"Job {job.name} has already ended ({state}).", hint="Nothing needs to be cancelled.")
        if not job.cancel_requested:
            await cancel_rows(session, actor, [job])
        announce(session, Topic.JOB, job.id, state=job.state)
    context.broker.wake()
    return job


async def output_tail(context: Context, actor: Actor, job_id: str) -> tuple[str, str]:
    """Name and last lines of a job's output, as far as they are here."""
    view = await get(context, actor, job_id)
    name = output_name(next(iter(written_roles(view.job.decks))))
    folder = context.job_folder(job_id)
    kept = find(folder, name, ("files", "live"))
    return name, _tail(kept) if kept else ""


def _tail(kept: KeptFile) -> str:
    with kept.open() as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(text.split("\n")[-40:])


async def open_file(context: Context, actor: Actor, job_id: str, name: str) -> tuple[BinaryIO, JobFile]:
    """A file of a job that is here, opened for reading; the caller closes it.

    Raises:
        NotFound: no such job or file.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        row = await jobs.file(session, job_id, name) if safe_path(name) else None
    if row is not None and (kept := find(context.job_folder(job_id), row.name)) is not None:
        with suppress(OSError):
            return kept.open(), row
    raise NotFound(f"Job {job_id[:40]} has no file {name[:80]!r} here.", hint="See the job's list of files.")


def resources_of(job: Job) -> Resources:
    return Resources(**job.resources)


def priority_of(job: Job) -> Priority:
    return PRIORITIES[job.priority]
