"""Runs as people see them: lists, one run with its steps and jobs, its graph and its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.db.repositories import jobs, workflows
from app.db.tables import Job, JobEvent, WorkflowStep, WorkflowTask, now
from app.db.tables import WorkflowRun as WorkflowRun
from app.domain.drawing.graphs import Drawing, draw
from app.domain.drawing.timelines import Timeline, timeline
from app.domain.people.permissions import Actor, can, require
from app.domain.workflows.definition import StepSpec, WorkflowSpec
from app.domain.workflows.states import StepState, TaskState
from app.domain.workflows.wiring import Wired, drawn
from app.errors import NotFound
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.workflows.tasks import plan_of

BARS = 60
"""Most rows of a timeline."""


@dataclass(frozen=True)
class TaskView:
    """One task with its job or inner run."""

    task: WorkflowTask
    job: Job | None = None
    child: WorkflowRun | None = None
    energy: float | None = None
    preview: bool = False

    @property
    def state(self) -> str:
        """That of its job while it is under way."""
        return self.job.state if self.job is not None and self.task.state == TaskState.ACTIVE else self.task.state

    @property
    def row(self) -> str:
        """Its row of a fan-out in a few words."""
        return ", ".join(f"{key} {str(value)[:24]}" for key, value in self.task.item.items() if key != "atoms")


@dataclass(frozen=True)
class StepView:
    """One step with its tasks."""

    spec: StepSpec
    step: WorkflowStep
    tasks: list[TaskView] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)

    @property
    def single(self) -> TaskView | None:
        """The only task, where there is one."""
        return self.tasks[0] if len(self.tasks) == 1 else None

    @property
    def state(self) -> str:
        """Of a step with one task under way, what its job does."""
        if self.step.state == StepState.RUNNING and self.single is not None:
            return {TaskState.READY.value: "queued", TaskState.LATER.value: "waiting"}.get(
                self.single.state, self.single.state
            )
        return self.step.state

    @property
    def tally(self) -> dict[str, int]:
        """Number of tasks in each state."""
        counts: dict[str, int] = {}
        for task in self.tasks:
            counts[task.state] = counts.get(task.state, 0) + 1
        return counts

    @property
    def counted(self) -> str:
        """How far a step with several tasks is."""
        done = sum(task.task.state == TaskState.COMPLETED for task in self.tasks)
        return f"{done} of {len(self.tasks)}" if len(self.tasks) > 1 else ""


@dataclass(frozen=True)
class RunView:
    """All that is known of one run."""

    run: WorkflowRun
    owner: str
    spec: WorkflowSpec
    steps: list[StepView]
    wired: Mapping[str, Wired]
    drawing: Drawing
    timeline: Timeline | None
    repeats: list[str]
    above: str
    may_change: bool

    def step(self, name: str) -> StepView:
        """One of its steps.

        Raises:
            NotFound
        """
        step = next((view for view in self.steps if view.spec.name == name), None)
        if step is None:
            raise NotFound(f"The run {self.run.name} has no step {name[:40]!r}.", hint="See the page of the run.")
        return step

    @property
    def is_preview(self) -> bool:
        """Something of it was computed by the preview engine, not by CRYSTAL."""
        return any(task.preview for step in self.steps for task in step.tasks)

    @property
    def asking(self) -> list[StepView]:
        """Steps that wait for a decision."""
        return [step for step in self.steps if any(task.task.state == TaskState.ASKING for task in step.tasks)]

    def passing(self, source: str, target: str) -> str:
        """What passes along an edge, in words."""
        return passing(self.wired, source, target)

    @property
    def outputs(self) -> list[tuple[str, Any, str, str]]:
        """Label, value, unit and, where there is no value, the reason."""
        listed = []
        for output in self.spec.outputs:
            entry = self.run.outputs.get(output.name, {})
            listed.append((output.label or output.name, entry.get("value"), output.unit, entry.get("reason", "")))
        return listed


def passing(wired: Mapping[str, Wired], source: str, target: str) -> str:
    """Roles of the files that pass from one step to another."""
    links = wired[target].links if target in wired else {}
    return ", ".join(dict.fromkeys(link.role for link in links.values() if link.step == source))


async def listing(
    context: Context, actor: Actor, workflow: str = ""
) -> list[tuple[WorkflowRun, str, list[tuple[str, str]]]]:
    """Runs with their owners and the states of their steps, the newest first."""
    require(actor, "job.read")
    async with context.database.read() as session:
        rows = await workflows.runs(session, workflow=workflow)
        states = await workflows.step_states(session, [run.id for run, _ in rows])
    return [(run, owner, states.get(run.id, [])) for run, owner in rows]


async def view(context: Context, actor: Actor, run_id: str) -> RunView:
    """One run.

    Raises:
        NotFound
    """
    require(actor, "job.read")
    await refresh(context)
    async with context.database.read() as session:
        known = await workflows.run_with_owner(session, run_id)
        if known is None:
            raise NotFound(f"There is no run {run_id[:40]!r}.", hint="See the list of runs.")
        run, owner, above = known
        steps = await workflows.steps(session, run_id)
        tasks = await workflows.tasks(session, run_id)
        ids = [task.job_id for task in tasks if task.job_id]
        made = await jobs.rows_of(session, ids) if ids else {}
        inner = [task.child_id for task in tasks if task.child_id]
        children = await workflows.runs_by_id(session, inner) if inner else {}
        events = await jobs.histories(session, ids[:BARS]) if ids else {}
        repeats = await workflows.repeats(session, run_id)
    plan = plan_of(context, run)
    views = []
    for step in steps:
        own = [
            TaskView(
                task,
                job,
                children.get(task.child_id or ""),
                energy,
                preview,
            )
            for task in tasks
            if task.step_id == step.id
            for job, energy, preview in [made.get(task.job_id or "", (None, None, False))]
        ]
        views.append(StepView(plan.spec.step(step.name), step, own, list(plan.before[step.name])))
    drawing = draw(drawn(plan.before, plan.wired))
    return RunView(
        run,
        owner,
        plan.spec,
        views,
        plan.wired,
        drawing,
        _timeline(views, events, run),
        repeats,
        above,
        can(actor, "job.change", run.owner_id),
    )


def _timeline(views: Sequence[StepView], events: Mapping[str, Sequence[JobEvent]], run: WorkflowRun) -> Timeline | None:
    """When the jobs of each step waited and ran."""
    rows: list[tuple[str, list[tuple[str, datetime, datetime]]]] = []
    for step in views:
        for task in step.tasks:
            if task.job is None or task.task.reused:
                continue
            name = step.spec.name if len(step.tasks) == 1 else f"{step.spec.name} {task.task.number + 1}"
            rows.append((name, _spans(events.get(task.job.id, ()), task.job)))
    return timeline(rows[:BARS], run.created_at, run.ended_at or now())


def _spans(events: Sequence[JobEvent], job: Job) -> list[tuple[str, datetime, datetime]]:
    """States of a job with their beginnings and ends."""
    changes = [event for event in events if event.to_state]
    ends = [event.at for event in changes[1:]] + [job.ended_at or now()]
    return [
        (event.to_state, event.at, max(end, event.at))
        for event, end in zip(changes, ends, strict=True)
        if event.to_state in ("queued", "held", "staging", "submitted", "running", "finishing")
    ]
