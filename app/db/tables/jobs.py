"""Tables of jobs: what was sent, what happened to each, and what came home."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.db.tables.clock import now
from app.db.tables.keys import stored_id
from app.domain.states import JobState


class Job(SQLModel, table=True):
    """One job. `id` is short, unique and part of its name on the cluster; `decks` is what was sent, byte for byte."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_queue", "cluster_id", "state", "priority", "place"),
        Index("ix_jobs_cluster_state", "cluster_id", "state"),
    )

    id: str = Field(primary_key=True)
    token: str = Field(unique=True)
    name: str
    owner_id: int = Field(foreign_key="users.id", index=True)
    cluster_id: int = Field(foreign_key="clusters.id")
    parent_id: str | None = Field(default=None, foreign_key="jobs.id")
    template_id: str
    template_revision: str
    parameters: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    decks: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    outputs: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Names of what its programs print, in the order in which they run: polls and pages need these, and not the decks."""
    scf_log: bool = False
    """Whether the SCF cycles of its later points stand in a file of their own: see `crystal.files.SCF_LOG`."""
    script: str = Field(default="", sa_column=Column(Text, nullable=False))
    resources: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    priority: int = 2
    place: float = Field(default_factory=lambda: now().timestamp())
    """Within its priority the smaller one is served first: the time of its making, unless somebody moved it."""
    not_before: datetime | None = None
    batch_id: str | None = Field(default=None, foreign_key="batches.id", index=True)
    batch_head: bool = False
    """The job that stands for its batch where lists show one line for all of them."""
    digest: str = Field(default="", index=True)
    """Of decks and files taken along, the title left out: two jobs with the same one compute the same."""
    atoms: int = 0
    """In the cell that is computed; 0: not known. What a job costs is told from jobs of its size."""
    archived: bool = False
    state: str = JobState.QUEUED.value
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    attention: str = Field(default="", sa_column=Column(Text, nullable=False))
    progress: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    cancel_requested: bool = False
    attempts: int = 0
    created_at: datetime = Field(default_factory=now, index=True)
    updated_at: datetime = Field(default_factory=now)
    started_at: datetime | None = None
    ended_at: datetime | None = Field(default=None, index=True)


class JobEvent(SQLModel, table=True):
    """The history of a job: append-only."""

    __tablename__ = "job_events"

    id: int = stored_id()
    job_id: str = Field(foreign_key="jobs.id", index=True)
    at: datetime = Field(default_factory=now)
    from_state: str = ""
    to_state: str = ""
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    actor: str = ""


class RemoteJob(SQLModel, table=True):
    """What the cluster knows of a job: directory, scheduler id, and the raw words of the three witnesses."""

    __tablename__ = "remote_jobs"

    job_id: str = Field(primary_key=True, foreign_key="jobs.id")
    directory: str
    credential_id: int | None = Field(default=None, foreign_key="credentials.id", index=True)
    """The member's key that it was submitted with; empty: the operator's key for the cluster, or this server itself."""
    account: str = ""
    """The account's name on the cluster."""
    scheduler_id: str = Field(default="", index=True)
    queue_state: str = ""
    queue_reason: str = ""
    accounting_state: str = ""
    marker: str = ""
    exit_code: int | None = None
    signal: int | None = None
    nodes: str = ""
    expected_start: datetime | None = None
    """When the scheduler expects to start it, while it waits there."""
    wall_s: int = 0
    cpu_s: int = 0
    memory_mb: int = 0
    """What it took, by the accounting: see `domain.verdict.Usage`."""
    last_seen: datetime | None = None
    read_offset: int = 0


class JobTag(SQLModel, table=True):
    """A word that people put on a job to find it again."""

    __tablename__ = "job_tags"

    job_id: str = Field(primary_key=True, foreign_key="jobs.id")
    tag: str = Field(primary_key=True, index=True)


class JobFile(SQLModel, table=True):
    """One file of a job that is here. Role: deck, script, output, wavefunction, geometry, data or other."""

    __tablename__ = "job_files"
    __table_args__ = (UniqueConstraint("job_id", "name"),)

    id: int = stored_id()
    job_id: str = Field(foreign_key="jobs.id", index=True)
    name: str
    size: int
    sha256: str
    role: str
    fetched_at: datetime = Field(default_factory=now)


class JobResult(SQLModel, table=True):
    """What was read from one output of a job; energies in hartree, gap in eV."""

    __tablename__ = "job_results"
    __table_args__ = (UniqueConstraint("job_id", "output"),)

    id: int = stored_id()
    job_id: str = Field(foreign_key="jobs.id", index=True)
    output: str
    verdict: str
    energy_total: float | None = None
    gap_ev: float | None = None
    preview: bool = False
    results: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class JobAttachment(SQLModel, table=True):
    """A file that a job takes along: the name under which the program finds it, its checksum, and where it is from."""

    __tablename__ = "job_attachments"
    __table_args__ = (UniqueConstraint("job_id", "name"),)

    id: int = stored_id()
    job_id: str = Field(foreign_key="jobs.id", index=True)
    field: str
    name: str
    sha256: str
    size: int
    source: str = Field(index=True)
    """`job:<id>/<name>` or `upload:<sha256>/<name>`."""
