"""Tables of workflows: saved versions, runs, their steps and tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.db.tables.clock import now
from app.db.tables.keys import stored_id
from app.domain.workflows.states import RunState, StepState, TaskState


class WorkflowVersion(SQLModel, table=True):
    """One version of a workflow of the group's library. Rows are never changed; the last one of a name counts."""

    __tablename__ = "workflow_versions"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: int = stored_id()
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
    state: str = RunState.RUNNING.value
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
    """One step of a run."""

    __tablename__ = "workflow_steps"
    __table_args__ = (UniqueConstraint("run_id", "name"),)

    id: int = stored_id()
    run_id: str = Field(foreign_key="workflow_runs.id", index=True)
    name: str
    position: int
    state: str = StepState.WAITING.value
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

    id: int = stored_id()
    run_id: str = Field(foreign_key="workflow_runs.id")
    step_id: int = Field(foreign_key="workflow_steps.id")
    number: int = 0
    item: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Its row of a fan-out."""
    state: str = TaskState.READY.value
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
