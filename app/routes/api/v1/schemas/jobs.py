"""Shapes of REST requests and answers about jobs. Times are ISO 8601 in UTC, energies hartree."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.services.jobs.creation import JobRequest
from app.services.jobs.views import JobRow, JobView, priority_of


class NewJob(BaseModel):
    """One job to be made. `resources` keys: nodes, ntasks, cpus_per_task, memory_mb, walltime, partition, account, qos."""

    model_config = ConfigDict(extra="forbid")

    template: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    cluster: str
    resources: dict[str, Any] = Field(default_factory=dict)
    name: str = ""
    priority: str = "normal"
    parent: str | None = None
    draft: bool = False

    def request(self) -> JobRequest:
        """The job that the services are asked for."""
        return JobRequest(**vars(self))


class JobSummary(BaseModel):
    """One job in a list; energies in hartree."""

    id: str
    name: str
    owner: str
    cluster: str
    template: str
    state: str
    reason: str
    attention: str
    priority: str
    progress: dict[str, Any]
    energy_total: float | None
    preview: bool
    batch: str | None
    tags: list[str]
    archived: bool
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class SchedulerFacts(BaseModel):
    """The raw words of the cluster."""

    id: str
    directory: str
    queue_state: str
    queue_reason: str
    accounting_state: str
    marker: str
    exit_code: int | None
    signal: int | None
    nodes: str
    last_seen: datetime | None
    expected_start: datetime | None
    wall_s: int
    cpu_s: int
    memory_mb: int


class EventEntry(BaseModel):
    """One entry of a job's history."""

    at: datetime
    from_state: str
    to_state: str
    message: str
    actor: str


class FileEntry(BaseModel):
    """One kept file of a job; sizes in bytes."""

    name: str
    size: int
    sha256: str
    role: str


class AttachmentEntry(BaseModel):
    """A file that the job took along: its name there, and the reference by which it was named."""

    field: str
    name: str
    sha256: str
    size: int
    source: str


class JobDetail(JobSummary):
    """One job with its history, files and results."""

    parent: str | None
    parameters: dict[str, Any]
    template_revision: str
    resources: dict[str, Any]
    decks: dict[str, str]
    script: str
    scheduler: SchedulerFacts | None
    results: dict[str, Any] | None
    outputs: dict[str, dict[str, Any]]
    events: list[EventEntry]
    files: list[FileEntry]
    attached: list[AttachmentEntry]
    place: float
    not_before: datetime | None


class JobPage(BaseModel):
    """One page of the list of jobs, with the cursor of the next."""

    jobs: list[JobSummary]
    cursor: str


def summary(row: JobRow) -> JobSummary:
    """A job as lists answer."""
    job = row.job
    return JobSummary(
        **job.model_dump(include=_SAME), owner=row.owner, cluster=row.cluster, template=job.template_id,
        priority=str(priority_of(job)), energy_total=row.energy_total, preview=row.preview,
        batch=job.batch_id, tags=list(row.tags),
    )  # fmt: skip


_SAME = {
    "archived",
    "id",
    "name",
    "state",
    "reason",
    "attention",
    "progress",
    "created_at",
    "updated_at",
    "started_at",
    "ended_at",
}


def detail(view: JobView) -> JobDetail:
    """A job as its route answers."""
    job, remote = view.job, view.remote
    return JobDetail(
        **summary(view.row).model_dump() | {"tags": view.tags},
        parent=job.parent_id,
        parameters=job.parameters,
        template_revision=job.template_revision,
        resources=job.resources,
        decks=job.decks,
        script=job.script,
        scheduler=SchedulerFacts(id=remote.scheduler_id, **remote.model_dump(exclude={"scheduler_id"}))
        if remote
        else None,
        results=view.main_result or None,
        outputs={result.output: result.results for result in view.results},
        events=[EventEntry(**event.model_dump()) for event in view.events],
        files=[FileEntry(**file.model_dump()) for file in view.files],
        place=job.place,
        not_before=job.not_before,
        attached=[AttachmentEntry(**row.model_dump()) for row in view.attached],
    )
