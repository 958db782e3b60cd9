"""A run with its rows (`Scene`), and one of its tasks: which values it may name, and which job it asks for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from app.crystal.language import LANGUAGE
from app.db.repositories import jobs, workflows
from app.db.sessions import ReadSession
from app.db.tables import WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.names import MAX_NAME, suggest_name
from app.domain.templates.conditions import ConditionError
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.definition import StepSpec, WorkflowSpec, dependencies, in_order, named_steps, read_workflow
from app.domain.workflows.states import TaskState
from app.domain.workflows.wiring import BESIDE, STRUCTURE, Wired, inherited_parameters, wire
from app.errors import FieldError, InvalidInput
from app.library import evaluating
from app.services.context import Context
from app.services.jobs.creation import JobRequest


@dataclass(frozen=True)
class Plan:
    """The definition of a run, with its order and wiring."""

    spec: WorkflowSpec
    before: Mapping[str, list[str]]
    """Of each step the steps that it waits for."""
    order: list[str]
    """Names of the steps, each after those that it waits for."""
    wired: Mapping[str, Wired]
    templates: Mapping[str, TemplateSpec]


_PLANS: OrderedDict[tuple[str, tuple[int, int] | None], Plan] = OrderedDict()
_MOST_PLANS = 64


def plan_of(context: Context, run: WorkflowRun) -> Plan:
    """The plan of a run. Its definition never changes; it is worked out once, until the group saves another template."""
    key = (run.id, context.templates.stamp)
    if key not in _PLANS:
        _PLANS[key] = _make_plan(context, run)
        while len(_PLANS) > _MOST_PLANS:
            _PLANS.popitem(last=False)
    return _PLANS[key]


def _make_plan(context: Context, run: WorkflowRun) -> Plan:
    spec = read_workflow(run.definition)
    before = dependencies(LANGUAGE, spec)
    templates = {template.spec.id: template.spec for template in context.templates.all()}
    return Plan(spec, before, in_order(before), wire(spec, before, templates), templates)


Session = TypeVar("Session", bound=ReadSession)
AnySession = TypeVar("AnySession", bound=ReadSession, covariant=True)


@dataclass
class Scene(Generic[AnySession]):
    """A run as one session reads it; only in a scene of a session that writes may its rows be changed.

    They stay readable when that session has ended.
    """

    session: AnySession
    run: WorkflowRun
    plan: Plan
    steps: list[WorkflowStep]
    """In the order of the definition."""
    tasks: dict[int, list[WorkflowTask]]
    """Tasks by the id of their step."""
    names: Mapping[str, Any] = field(default_factory=dict)
    """What expressions may name (see `read_names`), where it was read."""

    @property
    def states(self) -> dict[str, str]:
        """State of each step, by name."""
        return {step.name: step.state for step in self.steps}

    @property
    def all_tasks(self) -> list[WorkflowTask]:
        """Tasks of all steps."""
        return [task for tasks in self.tasks.values() for task in tasks]

    def tasks_of(self, step: WorkflowStep) -> list[WorkflowTask]:
        """Tasks of one step."""
        return self.tasks.setdefault(step.id, [])

    def step_named(self, name: str) -> WorkflowStep:
        """The row of a step."""
        return next(step for step in self.steps if step.name == name)

    def step_of(self, task: WorkflowTask) -> WorkflowStep:
        """The row of the step that a task belongs to."""
        return next(step for step in self.steps if step.id == task.step_id)

    def spec_of(self, task: WorkflowTask) -> StepSpec:
        """The definition of the step that a task belongs to."""
        return self.plan.spec.step(self.step_of(task).name)

    async def read_names(self, wanted: Iterable[str]) -> dict[str, Any]:
        """What expressions may name: inputs, parameters, and of the `wanted` steps what is known of them."""
        wanted = set(wanted)
        steps = [step for step in self.steps if step.name in wanted]
        ids = [task.job_id for step in steps for task in self.tasks_of(step) if task.job_id]
        parameters = {job.id: job.parameters for job in (await jobs.get_all(self.session, ids)).values()}
        results: dict[str, dict[str, Any]] = {}
        rows = await jobs.results_of(self.session, ids)
        for (job_id, _), row in sorted(rows.items(), key=lambda entry: entry[1].id):
            # The crystal step's, where properties followed in the same job; what only the latter told is added.
            merged = results.setdefault(job_id, dict(row.results))
            merged |= {key: value for key, value in row.results.items() if merged.get(key) in (None, [], {})}
        facts: dict[str, Any] = {}
        for step in steps:
            spec = self.plan.spec.step(step.name)
            by_task = [_facts(spec, task, parameters, results) for task in self.tasks_of(step)]
            single = by_task[0] if by_task else {}
            facts[step.name] = by_task if spec.over else {**(single or {}), "state": step.state}
        return {"inputs": self.run.inputs, "parameters": self.run.parameters, "steps": facts}

    async def read_jobs(self) -> dict[str, list[str]]:
        """Jobs of each step; of one that computed values those that it took them from, of an inner run all of its jobs."""
        listed: dict[str, list[str]] = {}
        for step in self.steps:
            job_ids = listed.setdefault(step.name, [])
            for task in self.tasks_of(step):
                if task.job_id:
                    job_ids.append(task.job_id)
                elif task.child_id:
                    inner = await workflows.tasks(self.session, task.child_id)
                    job_ids += [inner_task.job_id for inner_task in inner if inner_task.job_id]
                else:
                    job_ids += [job_id for use in task.uses for job_id in use["jobs"]]
        return listed


async def read_scene(
    context: Context, session: Session, run: WorkflowRun, task_states: Sequence[str] = ()
) -> Scene[Session]:
    """A run with its steps and tasks: all of them, or those in the states `task_states`.

    Raises:
        CrystalDeckError, ValueError: this release cannot read the definition of the run.
    """
    plan = plan_of(context, run)
    grouped: dict[int, list[WorkflowTask]] = {}
    for task in await workflows.tasks(session, run.id, task_states):
        grouped.setdefault(task.step_id, []).append(task)
    return Scene(session, run, plan, await workflows.steps(session, run.id), grouped)


def _facts(
    step: StepSpec,
    task: WorkflowTask,
    parameters: Mapping[str, dict[str, Any]],
    results: Mapping[str, dict[str, Any]],
) -> dict[str, Any] | None:
    """What is known of one task, by the parameters and results of jobs; None where it did not complete."""
    if task.state != TaskState.COMPLETED:
        return None
    facts: dict[str, Any] = {"state": task.state, "item": task.item, "index": task.number}
    if step.kind == "values":
        return facts | {"values": task.outcome}
    if step.kind == "workflow":
        return facts | {"outputs": task.outcome, "parameters": task.item}
    job_id = task.job_id or ""
    return facts | {"job": task.job_id, "results": results.get(job_id, {}), "parameters": parameters.get(job_id, {})}


# -- the job that is asked for ---------------------------------------------------------------------------------------------


Fill = Callable[[Any, Mapping[str, Any]], Awaitable[Any]]
"""Replaces the expressions in a value, for a user: by a worker process where there are any."""


def filler(context: Context, user: int, *, patient: bool = False) -> Fill:
    """Evaluates expressions for a user; `patient`: in the background."""

    async def filled(value: Any, names: Mapping[str, Any]) -> Any:
        if not evaluating.has_expressions(value):
            return value
        return await context.workers.run(user, evaluating.fill, value, names, patient=patient)

    return filled


@dataclass(frozen=True)
class StepInput:
    """What the form of one step is filled from."""

    run_parameters: Mapping[str, Any]
    """Those of the whole run."""
    row: Mapping[str, Any]
    """Its row of a fan-out, evaluated."""
    files: Mapping[str, str]
    """References of files that steps before leave, by field."""
    names: Mapping[str, Any]
    """What its expressions may name."""


async def parameters_of(
    fill: Fill, plan: Plan, step: StepSpec, template: TemplateSpec, step_input: StepInput
) -> dict[str, Any]:
    """The answers of a step's form: what all steps share, what its structure and files come from, what is its own.

    Raises:
        ConditionError: an expression has no value.
    """
    wired = plan.wired[step.name]
    fields = {spec.key: spec for spec in template.fields}
    shared = {
        key: value for key, value in {**plan.spec.parameters, **step_input.run_parameters}.items() if key in fields
    }
    if "geometry_file" in wired.links:
        shared = {key: value for key, value in shared.items() if fields[key].group != STRUCTURE or key in BESIDE}
    shared |= inherited_parameters(plan.spec, plan.wired, step, template)
    filled = await fill({**shared, **step.parameters}, step_input.names)
    return {**filled, **step_input.row, **step_input.files, **wired.parameters}


async def request_for(context: Context, scene: Scene[ReadSession], task: WorkflowTask) -> JobRequest:
    """The job that a task asks for; its expressions name what `scene.names` holds.

    Raises:
        InvalidInput: an expression has no value, or a file comes from a step without a job. NotFound: the template is gone.
    """
    run, step = scene.run, scene.spec_of(task)
    template = context.templates.get(step.template).spec
    files = _file_references(scene, step)
    fill = filler(context, run.owner_id, patient=True)
    names = {**scene.names, "item": task.item, "index": task.number}
    try:
        step_input = StepInput(run.parameters, await fill(task.item, names), files, names)
        parameters = await parameters_of(fill, scene.plan, step, template, step_input)
        resources = {**run.resources, **await fill(step.resources, names)}
    except ConditionError as error:
        raise no_value(step.name, error) from error
    parameters |= task.changes.get("parameters", {})
    resources |= task.changes.get("resources", {})
    return JobRequest(
        template.id, parameters, step.cluster or run.cluster, resources, task_name(run, step, task.number), run.priority
    )


def _file_references(scene: Scene[ReadSession], step: StepSpec) -> dict[str, str]:
    """References of the files that steps before leave for this one, by field."""
    references = {}
    for key, link in scene.plan.wired[step.name].links.items():
        source = next(iter(scene.tasks_of(scene.step_named(link.step))), None)
        if source is None or source.job_id is None:
            raise InvalidInput(
                f"The step {step.name} needs the {link.role} of {link.step}, which has no job.",
                hint="Rerun that step.",
                fields=[FieldError(key, f"has no file from {link.step}")],
            )
        references[key] = f"job:{source.job_id}/{link.name}"
    return references


@dataclass(frozen=True)
class InnerRequest:
    """The run of an inner workflow that a task asks for: what it is given."""

    parameters: dict[str, Any]
    resources: dict[str, Any]


async def inner_request_for(context: Context, scene: Scene[ReadSession], task: WorkflowTask) -> InnerRequest:
    """The inner run that a task asks for; its expressions name what `scene.names` holds.

    Raises:
        InvalidInput: an expression has no value; names the step.
    """
    step = scene.spec_of(task)
    fill = filler(context, scene.run.owner_id, patient=True)
    names = {**scene.names, "item": task.item, "index": task.number}
    try:
        parameters = await fill({**step.parameters, **task.item}, names)
        resources = {**scene.run.resources, **await fill(step.resources, names)}
    except ConditionError as error:
        raise no_value(step.name, error) from error
    return InnerRequest(parameters | task.changes.get("parameters", {}), resources | task.changes.get("resources", {}))


def task_name(run: WorkflowRun, step: StepSpec, number: int) -> str:
    """The name of a task's job: that of the run and the step, with a number in a fan-out."""
    tail = f"-{step.name}{f'-{number + 1:03}' if step.over else ''}"
    return suggest_name(f"{run.name[: MAX_NAME - len(tail)]}{tail}")


def no_value(step: str, error: ConditionError) -> InvalidInput:
    """The error of an expression that cannot be evaluated."""
    return InvalidInput(
        f"The step {step} cannot begin: {error}.",
        hint="Check the results of the steps before it, and correct the expression.",
        fields=[FieldError(f"steps.{step}", str(error))],
    )


def needed(step: StepSpec) -> set[str]:
    """Steps whose results a step's expressions name."""
    return named_steps(LANGUAGE, step)
