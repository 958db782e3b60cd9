"""The tables. They are dumb: values are validated in `domain` before they come here. Times are aware UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.db import limits as limits  # their tables are part of the same metadata
from app.db import member_keys as member_keys


def now() -> datetime:
    return datetime.now(UTC)


class User(SQLModel, table=True):
    __tablename__ = "users"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, index=True)
    password_hash: str = ""
    role: str = "member"
    active: bool = True
    created_at: datetime = Field(default_factory=now)


class Session(SQLModel, table=True):
    """A browser login. Only a digest of its token is kept."""

    __tablename__ = "sessions"

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True, index=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    created_at: datetime = Field(default_factory=now)
    last_seen_at: datetime = Field(default_factory=now)
    """When a person last opened a page with it, to the minute."""
    expires_at: datetime
    user_agent: str = ""


class ApiToken(SQLModel, table=True):
    """A bearer token of a notebook or script. Only a digest is kept."""

    __tablename__ = "api_tokens"

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True, index=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    scopes: str
    created_at: datetime = Field(default_factory=now)
    last_used_at: datetime | None = None


class OneTimeLink(SQLModel, table=True):
    """A link that makes one account: the set-up link of the first admin, or an invitation."""

    __tablename__ = "one_time_links"

    id: int | None = Field(default=None, primary_key=True)
    token_hash: str = Field(unique=True, index=True)
    role: str
    expires_at: datetime
    used_at: datetime | None = None


class Cluster(SQLModel, table=True):
    """A machine that runs jobs. `settings` holds the keys of a `[clusters.<name>]` table.

    One that was removed stays, since its jobs name it; a new one may have its name, and is another machine.
    """

    __tablename__ = "clusters"
    __table_args__ = (
        Index(
            "uq_clusters_name", "name", unique=True, sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    settings: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    host_key: str = Field(default="", sa_column=Column(Text, nullable=False))
    proxy_host_key: str = Field(default="", sa_column=Column(Text, nullable=False))
    offered_key: str = Field(default="", sa_column=Column(Text, nullable=False))
    report: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON))
    reported_at: datetime | None = None
    problem: str = ""
    polled_at: datetime | None = None
    partitions: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Its partitions with their limits, as the scheduler last told them; see `domain.resources.Partition`."""
    paused: str = ""
    """Who paused it, and why, in words; empty: it takes jobs."""
    removed_at: datetime | None = None
    removed_by: str = ""
    created_at: datetime = Field(default_factory=now)


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
    state: str = "queued"
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

    id: int | None = Field(default=None, primary_key=True)
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


class Batch(SQLModel, table=True):
    """Many things done at once, item by item: jobs to be made from one template, or an action on jobs that are there.

    `busy` while items wait to be worked off; a restart takes up where the items say.
    """

    __tablename__ = "batches"

    id: str = Field(primary_key=True)
    kind: str
    """`jobs` or `action`."""
    name: str
    owner_id: int = Field(foreign_key="users.id", index=True)
    state: str
    """Of jobs: `draft`, `making`, `made`, `discarded`. Of an action: `doing`, `done`."""
    busy: bool = Field(default=False, index=True)
    template_id: str = ""
    form: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """What is the same for all its jobs, as the composer's form has it."""
    naming: str = ""
    reuse: bool = True
    sweep: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    action: str = ""
    value: str = ""
    remark: str = Field(default="", sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class BatchItem(SQLModel, table=True):
    """One of them. States of a job to be made: new, ready, known, wrong, made, reused; of an action: open, done, left."""

    __tablename__ = "batch_items"
    __table_args__ = (Index("ix_batch_items_work", "batch_id", "state", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    batch_id: str = Field(foreign_key="batches.id")
    position: int
    name: str = ""
    given: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Parameters that differ from the common ones; `resources.<key>` is a resource."""
    point: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Values on the axes of a sweep."""
    source: str = ""
    """An uploaded structure, as `upload:<sha256>/<name>`."""
    state: str = "new"
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    digest: str = ""
    atoms: int = 0
    anyway: bool | None = None
    """Computed before: compute it again all the same? Empty: as the batch says."""
    job_id: str | None = Field(default=None, foreign_key="jobs.id", index=True)


class JobFile(SQLModel, table=True):
    """One file of a job that is here. Role: deck, script, output, wavefunction, geometry, data or other."""

    __tablename__ = "job_files"
    __table_args__ = (UniqueConstraint("job_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
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

    id: int | None = Field(default=None, primary_key=True)
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

    id: int | None = Field(default=None, primary_key=True)
    job_id: str = Field(foreign_key="jobs.id", index=True)
    field: str
    name: str
    sha256: str
    size: int
    source: str = Field(index=True)
    """`job:<id>/<name>` or `upload:<sha256>/<name>`."""


class StoredFile(SQLModel, table=True):
    """A file that somebody uploaded; its bytes lie under its checksum."""

    __tablename__ = "stored_files"

    sha256: str = Field(primary_key=True)
    name: str
    size: int
    owner_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=now)


class LibraryTemplate(SQLModel, table=True):
    """One version of a template that was made in the browser. Rows are never changed; the last one of an id counts."""

    __tablename__ = "library_templates"
    __table_args__ = (UniqueConstraint("template_id", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    template_id: str = Field(index=True)
    version: int
    texts: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    comment: str = ""
    removed: bool = False
    author_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=now)


class LibraryBasis(SQLModel, table=True):
    """One version of a basis set of the group's library, with its provenance. The last row of a name counts."""

    __tablename__ = "library_basis_sets"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    version: int
    text: str = Field(sa_column=Column(Text, nullable=False))
    source: str = Field(default="", sa_column=Column(Text, nullable=False))
    removed: bool = False
    author_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=now)


class ServiceState(SQLModel, table=True):
    """Facts about the whole service that must survive a restart, such as a pause of all clusters."""

    __tablename__ = "service_state"

    key: str = Field(primary_key=True)
    value: str = Field(default="", sa_column=Column(Text, nullable=False))


class FormDraft(SQLModel, table=True):
    """A form as somebody left it: one per user and template."""

    __tablename__ = "form_drafts"
    __table_args__ = (UniqueConstraint("user_id", "template_id"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="users.id")
    template_id: str
    form: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    updated_at: datetime = Field(default_factory=now)


class OutboxEvent(SQLModel, table=True):
    """What open pages and other processes are told; ids increase, so that a stream can be resumed."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(default_factory=now, index=True)
    topic: str
    subject: str = ""
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class IdempotencyKey(SQLModel, table=True):
    """A key that a client sent with POST, with the digest of the request and the jobs that it made."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("user_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    user_id: int = Field(foreign_key="users.id")
    key: str
    digest: str
    job_ids: list[str] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(default_factory=now)


class WorkflowVersion(SQLModel, table=True):
    """One version of a workflow of the group's library. Rows are never changed; the last one of a name counts."""

    __tablename__ = "workflow_versions"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True)
    version: int
    definition: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    comment: str = ""
    removed: bool = False
    author_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=now)


class WorkflowRun(SQLModel, table=True):
    """A workflow that was started, with everything that it was started with. `busy` while the orchestrator should look at it."""

    __tablename__ = "workflow_runs"

    id: str = Field(primary_key=True)
    name: str
    owner_id: int = Field(foreign_key="users.id", index=True)
    workflow: str = Field(index=True)
    version: str
    """`built-in`, the number of the library's version, or empty: it came with the request."""
    definition: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    parameters: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    inputs: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    cluster: str
    resources: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    priority: str = "normal"
    reuse: bool = True
    """Take what was computed before, by its content, instead of computing it again."""
    state: str = "running"
    """running, paused, completed, failed, cancelled."""
    busy: bool = Field(default=True, index=True)
    remark: str = Field(default="", sa_column=Column(Text, nullable=False))
    outputs: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    origin_id: str | None = Field(default=None, foreign_key="workflow_runs.id")
    """The run that this one repeats."""
    task_id: int | None = Field(default=None, index=True)
    """The task of the run above that this one is."""
    created_at: datetime = Field(default_factory=now, index=True)
    updated_at: datetime = Field(default_factory=now)
    ended_at: datetime | None = None


class WorkflowStep(SQLModel, table=True):
    """One step of a run. States: see `domain.orchestration`."""

    __tablename__ = "workflow_steps"
    __table_args__ = (UniqueConstraint("run_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="workflow_runs.id", index=True)
    name: str
    position: int
    state: str = "waiting"
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    fresh: bool = False
    """Compute it, whatever was computed before."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class WorkflowTask(SQLModel, table=True):
    """One job, one inner run or one set of values of a step."""

    __tablename__ = "workflow_tasks"
    __table_args__ = (
        UniqueConstraint("step_id", "number"),
        Index("ix_workflow_tasks_run", "run_id", "state"),
        Index("ix_workflow_tasks_due", "state", "not_before"),
    )

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="workflow_runs.id")
    step_id: int = Field(foreign_key="workflow_steps.id")
    number: int = 0
    item: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Its row of a fan-out."""
    state: str = "ready"
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    job_id: str | None = Field(default=None, foreign_key="jobs.id", index=True)
    child_id: str | None = Field(default=None, foreign_key="workflow_runs.id", index=True)
    outcome: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Computed values, or the outputs of an inner run."""
    uses: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Values that came from other steps: parameter, expression, value, jobs."""
    changes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Parameters and resources that a remedy or a person changed."""
    earlier: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Jobs that it had before, and why it got another one."""
    retries: int = 0
    reused: bool = False
    """The job was computed before, for something else."""
    not_before: datetime | None = None
