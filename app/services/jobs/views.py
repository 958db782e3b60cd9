"""Jobs as people see them: lists, one job with its history, cancelling, holding, the composer's preview."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from app.db.repositories import batches, clusters, jobs, library, users
from app.db.repositories.jobs import JobRow as JobRow
from app.db.repositories.jobs import Origin
from app.db.sessions import ReadSession
from app.db.tables import Job, JobAttachment, JobEvent, JobFile, JobResult, RemoteJob
from app.domain.jobs import JobFilter
from app.domain.names import safe_path
from app.domain.people.permissions import Actor, require
from app.domain.resources import Resources
from app.domain.states import PRIORITIES, TERMINAL, JobState, Priority
from app.errors import Conflict, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.library.kept import find
from app.services.context import Context
from app.services.jobs.effects import cancel_jobs
from app.services.jobs.existing import existing_job, no_job

TAIL_BYTES = 16384


@dataclass(frozen=True)
class JobView:
    """What is known of one job, as far as it was asked for."""

    row: JobRow
    remote: RemoteJob | None
    cluster_problem: str
    """Why its cluster cannot be reached, while that matters to the job."""
    origin: Origin | None
    """The task that it was made for, where a workflow made it."""
    events: list[JobEvent] = field(default_factory=list)
    files: list[JobFile] = field(default_factory=list)
    results: list[JobResult] = field(default_factory=list)
    attached: list[JobAttachment] = field(default_factory=list)

    @property
    def job(self) -> Job:
        """The row itself."""
        return self.row.job

    @property
    def tags(self) -> list[str]:
        """Its tags, in the order of the alphabet."""
        return list(self.row.tags)

    @property
    def is_over(self) -> bool:
        """Whether its state is terminal."""
        return JobState(self.job.state) in TERMINAL

    @property
    def main_result(self) -> dict[str, Any]:
        """Results of the crystal step; the properties step's where that is all there is."""
        return self.results[0].results if self.results else {}


async def listing(context: Context, actor: Actor, wanted: JobFilter) -> list[JobRow]:
    """Jobs that a filter lets through, newest first, without their decks."""
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
    """Jobs by state, archived ones left out."""
    require(actor, "job.read")
    async with context.database.read() as session:
        return await jobs.count_by_state(session)


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
    """All that is known of one job.

    Raises:
        NotFound: no such job.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        view = await _standing(session, job_id, whole=True)
        attached = (await library.attachments_of(session, [job_id])).get(job_id, [])
        return replace(await _with_record(session, view), attached=attached)


async def get_changing(context: Context, actor: Actor, job_id: str) -> JobView:
    """One job without what never changes: its decks, its script, and the files that it takes along.

    Its parameters are there where it failed, since a remedy changes them.

    Raises:
        NotFound: no such job.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        view = await _standing(session, job_id)
        if view.job.state == JobState.FAILED:
            await jobs.load_parameters(session, view.job)
        return await _with_record(session, view)


async def get_progress(context: Context, actor: Actor, job_id: str) -> JobView:
    """One job without its history, files and results, and without what `get_changing` leaves out.

    Raises:
        NotFound: no such job.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        return await _standing(session, job_id)


async def _standing(session: ReadSession, job_id: str, *, whole: bool = False) -> JobView:
    known = await jobs.standing(session, job_id, whole=whole)
    if known is None:
        raise no_job(job_id)
    view = JobView(known.row, known.remote, known.cluster_problem, known.origin)
    return replace(view, cluster_problem="") if view.is_over else view


async def _with_record(session: ReadSession, view: JobView) -> JobView:
    job_id = view.job.id
    return replace(
        view,
        events=await jobs.history(session, job_id),
        files=await jobs.files(session, job_id),
        results=await jobs.results(session, job_id),
    )


async def cancel(context: Context, actor: Actor, job_id: str) -> Job:
    """Cancel a job: at once if it was not submitted, else by asking the batch system. The record stays.

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
            await cancel_jobs(session, actor, [job])
        announce(session, Topic.JOB, job.id, state=job.state)
    return job


def output_tail(context: Context, job: Job) -> str:
    """The last lines of a job's main output, as far as they are here. Reads a file."""
    kept = find(context.job_folder(job.id), job.outputs[0], ("files", "live"))
    if kept is None:
        return ""
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
    """What a job asked for."""
    return Resources(**job.resources)


def priority_of(job: Job) -> Priority:
    """Its priority as a word."""
    return PRIORITIES[job.priority]
