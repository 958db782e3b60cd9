"""Shapes of REST requests and answers about runs of workflows. Times are ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.services.workflows.views import RunView, TaskView, WorkflowRun


class NewRun(BaseModel):
    """A workflow to start: its name in the library, or a definition of its own."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = ""
    definition: dict[str, Any] | None = None
    name: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict, description="For every step whose template has the field.")
    steps: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Parameters of individual steps, by name."
    )
    inputs: dict[str, Any] = Field(default_factory=dict)
    cluster: str
    resources: dict[str, Any] = Field(default_factory=dict)
    priority: str = "normal"
    reuse: bool = True


class RunSummary(BaseModel):
    """One run in a list."""

    id: str
    name: str
    workflow: str
    version: str
    owner: str
    state: str
    remark: str
    steps: dict[str, str]
    created_at: datetime
    ended_at: datetime | None


class TaskEntry(BaseModel):
    """One job, inner run or set of values of a step."""

    number: int
    item: dict[str, Any]
    state: str
    message: str
    job: str | None
    run: str | None
    reused: bool
    values: dict[str, Any]
    uses: list[dict[str, Any]]
    earlier: list[dict[str, Any]]
    changes: dict[str, Any]
    energy_total: float | None


class StepEntry(BaseModel):
    """One step of a run with its tasks."""

    name: str
    title: str
    state: str
    message: str
    after: list[str]
    files: dict[str, str]
    tasks: list[TaskEntry]


class RunDetail(BaseModel):
    """One run with its steps, tasks and results."""

    id: str
    name: str
    workflow: str
    version: str
    owner: str
    state: str
    remark: str
    cluster: str
    parameters: dict[str, Any]
    inputs: dict[str, Any]
    resources: dict[str, Any]
    definition: dict[str, Any]
    outputs: dict[str, Any]
    steps: list[StepEntry]
    origin: str | None
    repeats: list[str]
    created_at: datetime
    ended_at: datetime | None


class Decision(BaseModel):
    """What becomes of a step that asks: `retry`, perhaps with other parameters or resources, or `give_up`."""

    model_config = ConfigDict(extra="forbid")

    choice: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    resources: dict[str, Any] = Field(default_factory=dict)


class CancelPreview(BaseModel):
    """Of a dry run: how many jobs would be cancelled, and the names of the first of them."""

    dry_run: Literal[True] = True
    count: int
    sample: list[str]


class Rerun(BaseModel):
    """A run once more: from `step` on, or with other parameters of the run, of single steps, or other resources."""

    model_config = ConfigDict(extra="forbid")

    step: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    steps: dict[str, dict[str, Any]] = Field(default_factory=dict)
    resources: dict[str, Any] = Field(default_factory=dict)


def run_summary(run: WorkflowRun, owner: str, states: list[tuple[str, str]]) -> RunSummary:
    """A run as lists answer."""
    return RunSummary(
        id=run.id, name=run.name, workflow=run.workflow, version=run.version, owner=owner, state=run.state,
        remark=run.remark, steps=dict(states), created_at=run.created_at, ended_at=run.ended_at,
    )  # fmt: skip


def _task(one: TaskView) -> TaskEntry:
    task = one.task
    return TaskEntry(
        number=task.number, item=task.item, state=one.state, message=task.message, job=task.job_id, run=task.child_id,
        reused=task.reused, values=task.outcome, uses=task.uses, earlier=task.earlier, changes=task.changes,
        energy_total=one.energy,
    )  # fmt: skip


def run_detail(view: RunView) -> RunDetail:
    """A run as its route answers."""
    run = view.run
    steps = [
        StepEntry(
            name=one.spec.name, title=one.spec.heading, state=one.step.state, message=one.step.message, after=one.parents,
            files={key: f"{link.step}:{link.role}" for key, link in view.wired[one.spec.name].links.items()},
            tasks=[_task(task) for task in one.tasks],
        )
        for one in view.steps
    ]  # fmt: skip
    return RunDetail(
        id=run.id, name=run.name, workflow=run.workflow, version=run.version, owner=view.owner, state=run.state,
        remark=run.remark, cluster=run.cluster, parameters=run.parameters, inputs=run.inputs, resources=run.resources,
        definition=run.definition, outputs=run.outputs, steps=steps, origin=run.origin_id, repeats=view.repeats,
        created_at=run.created_at, ended_at=run.ended_at,
    )  # fmt: skip
