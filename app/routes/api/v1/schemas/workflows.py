"""Shapes of REST requests and answers about workflows and their runs. Times are ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.db.tables import WorkflowRun
from app.domain.workflows.checks import Checked
from app.domain.workflows.definition import as_written
from app.services.provenance.lineage import Lineage
from app.services.workflows.library import Entry
from app.services.workflows.views import RunView, TaskView


class WorkflowEntry(BaseModel):
    """A workflow of the library."""

    name: str
    title: str
    description: str
    version: str
    author: str
    definition: dict[str, Any]


class SaveWorkflow(BaseModel):
    """A new version of a workflow. `definition`: see the guide, or what `GET /api/v1/workflows/{name}` answers."""

    model_config = ConfigDict(extra="forbid")

    definition: dict[str, Any]
    comment: str = ""
    expected: int | None = None


class CheckedStep(BaseModel):
    """One step: which it waits for, and which files it takes, by field as `step:role`."""

    name: str
    after: list[str]
    files: dict[str, str]
    structure: str


class CheckedWorkflow(BaseModel):
    """What a workflow means, and everything that is wrong with it."""

    steps: list[CheckedStep]
    problems: list[dict[str, str]]


class NewRun(BaseModel):
    """A workflow to start: its name in the library, or a definition of its own."""

    model_config = ConfigDict(extra="forbid")

    workflow: str = ""
    definition: dict[str, Any] | None = None
    name: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict, description="For every step whose template has the field.")
    steps: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Parameters of single steps, by name.")
    inputs: dict[str, Any] = Field(default_factory=dict)
    cluster: str
    resources: dict[str, Any] = Field(default_factory=dict)
    priority: str = "normal"
    reuse: bool = True


class RunSummary(BaseModel):
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


class OriginEntry(BaseModel):
    """One job: who computed it where, when, with what, and for which step of which run."""

    id: str
    name: str
    state: str
    person: str
    cluster: str
    hostname: str
    scheduler_id: str
    directory: str
    program: str
    template: str
    template_revision: str
    parameters: dict[str, Any]
    decks: dict[str, str]
    digest: str
    run: str | None
    step: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    files: list[dict[str, Any]]


class PassedEntry(BaseModel):
    """What passed from one job, or `upload:<sha256>`, to another: a `file` with its sha256, or a `value`."""

    source: str
    target: str
    kind: str
    name: str
    detail: str


class LineageAnswer(BaseModel):
    jobs: list[OriginEntry]
    passed: list[PassedEntry]
    uploads: dict[str, str]
    complete: bool


def lineage_answer(found: Lineage) -> LineageAnswer:
    listed = [
        OriginEntry(
            id=job_id, name=one.job.name, state=one.job.state, person=one.person, cluster=one.cluster, hostname=one.hostname,
            scheduler_id=one.remote.scheduler_id if one.remote else "", directory=one.remote.directory if one.remote else "",
            program=one.program, template=one.job.template_id, template_revision=one.job.template_revision,
            parameters=one.job.parameters, decks=one.job.decks, digest=one.job.digest, run=one.run.id if one.run else None,
            step=one.step.name if one.step else None, created_at=one.job.created_at, started_at=one.job.started_at,
            ended_at=one.job.ended_at,
            files=[{"name": file.name, "size": file.size, "sha256": file.sha256, "role": file.role} for file in one.files],
        )
        for job_id, one in found.jobs.items()
    ]  # fmt: skip
    passed = [PassedEntry(**vars(one)) for one in found.passed]
    return LineageAnswer(jobs=listed, passed=passed, uploads=found.uploads, complete=not found.cut)


def workflow_entry(entry: Entry) -> WorkflowEntry:
    spec = entry.spec
    return WorkflowEntry(
        name=spec.name, title=spec.heading, description=spec.description, version=entry.version, author=entry.author,
        definition=as_written(spec),
    )  # fmt: skip


def checked_workflow(checked: Checked) -> CheckedWorkflow:
    steps = []
    for name in checked.order:
        wired = checked.wired.get(name)
        files = {key: f"{link.step}:{link.role}" for key, link in wired.links.items()} if wired else {}
        source = f"{wired.structure.kind} {wired.structure.step}".strip() if wired else ""
        steps.append(CheckedStep(name=name, after=list(checked.before[name]), files=files, structure=source))
    problems = [{"step": one.step, "field": one.field, "reason": one.reason} for one in checked.problems]
    return CheckedWorkflow(steps=steps, problems=problems)


def run_summary(run: WorkflowRun, owner: str, states: list[tuple[str, str]]) -> RunSummary:
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
