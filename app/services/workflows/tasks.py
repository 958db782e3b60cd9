"""One task of a run: which values it may name, and which job it asks for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.crystal.language import LANGUAGE
from app.db.repositories import jobs
from app.db.tables import WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.names import MAX_NAME, suggest_name
from app.domain.templates.conditions import ConditionError
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.definition import StepSpec, WorkflowSpec, dependencies, in_order, named_steps, read_workflow
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
    order: list[str]
    wired: Mapping[str, Wired]
    templates: Mapping[str, TemplateSpec]


_PLANS: OrderedDict[tuple[str, tuple[int, int] | None], Plan] = OrderedDict()
_MOST_PLANS = 64


def plan_of(context: Context, run: WorkflowRun) -> Plan:
    """The plan of a run. Its definition never changes; it is worked out once, until the group saves another template."""
    key = (run.id, context.templates.stamp)
    if key not in _PLANS:
        _PLANS[key] = _planned(context, run)
        while len(_PLANS) > _MOST_PLANS:
            _PLANS.popitem(last=False)
    return _PLANS[key]


def _planned(context: Context, run: WorkflowRun) -> Plan:
    spec = read_workflow(run.definition)
    before = dependencies(LANGUAGE, spec)
    templates = {template.spec.id: template.spec for template in context.templates.all()}
    return Plan(spec, before, in_order(before), wire(spec, before, templates), templates)


# -- names -----------------------------------------------------------------------------------------------------------------


async def names_for(
    session: AsyncSession,
    run: WorkflowRun,
    spec: WorkflowSpec,
    steps: Sequence[WorkflowStep],
    tasks: Mapping[int, Sequence[WorkflowTask]],
    wanted: Iterable[str],
) -> dict[str, Any]:
    """What expressions may name: inputs, parameters, and of the `wanted` steps what is known of them."""
    listed = set(wanted)
    rows = {step.name: step for step in steps if step.name in listed}
    ids = [task.job_id for step in rows.values() for task in tasks.get(step.id or 0, ()) if task.job_id]
    found = await jobs.get_all(session, ids)
    results: dict[str, dict[str, Any]] = {}
    for (job_id, _), row in sorted((await jobs.results_of(session, ids)).items(), key=lambda entry: entry[1].id or 0):
        # The crystal step's, where properties followed in the same job; what only the latter told is added.
        known = results.setdefault(job_id, dict(row.results))
        known |= {key: value for key, value in row.results.items() if known.get(key) in (None, [], {})}
    facts: dict[str, Any] = {}
    for name, step in rows.items():
        own = spec.step(name)
        told = [_facts(own, task, found, results) for task in tasks.get(step.id or 0, ())]
        single = told[0] if told else {}
        facts[name] = told if own.over else {**(single or {}), "state": step.state}
    return {"inputs": run.inputs, "parameters": run.parameters, "steps": facts}


def _facts(
    step: StepSpec, task: WorkflowTask, found: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What one task is known for; None where it did not complete."""
    if task.state != "completed":
        return None
    facts: dict[str, Any] = {"state": task.state, "item": task.item, "index": task.number}
    if step.kind == "values":
        return facts | {"values": task.outcome}
    if step.kind == "workflow":
        return facts | {"outputs": task.outcome, "parameters": task.item}
    job = found.get(task.job_id or "")
    return facts | {
        "job": task.job_id,
        "results": results.get(task.job_id or "", {}),
        "parameters": job.parameters if job else {},
    }


# -- the job that is asked for ---------------------------------------------------------------------------------------------


def file_references(
    plan: Plan, step: StepSpec, steps: Sequence[WorkflowStep], tasks: Mapping[int, Sequence[WorkflowTask]]
) -> dict[str, str]:
    """References of the files that steps before leave for this one, by field."""
    rows = {row.name: row for row in steps}
    found = {}
    for key, link in plan.wired[step.name].links.items():
        giver = next(iter(tasks.get(rows[link.step].id or 0, ())), None)
        if giver is None or giver.job_id is None:
            raise InvalidInput(
                f"The step {step.name} needs the {link.role} of {link.step}, which has no job.",
                hint="Run that step again.",
                fields=[FieldError(key, f"has no file of {link.step}")],
            )
        found[key] = f"job:{giver.job_id}/{link.name}"
    return found


Fill = Callable[[Any, Mapping[str, Any]], Awaitable[Any]]
"""Replaces the expressions in a value, for somebody: by a worker process where there are any."""


def filler(context: Context, user: int, *, patient: bool = False) -> Fill:
    """Evaluates expressions for a user; `patient`: in the background."""

    async def filled(value: Any, names: Mapping[str, Any]) -> Any:
        if not evaluating.has_expressions(value):
            return value
        return await context.workers.run(user, evaluating.fill, value, names, patient=patient)

    return filled


async def parameters_of(
    fill: Fill,
    plan: Plan,
    run_parameters: Mapping[str, Any],
    step: StepSpec,
    template: TemplateSpec,
    item: Mapping[str, Any],
    files: Mapping[str, str],
    names: Mapping[str, Any],
) -> dict[str, Any]:
    """The answers of a step's form: what all steps share, what its structure and files come from, what is its own.

    Raises:
        ConditionError: an expression has no value.
    """
    wired = plan.wired[step.name]
    fields = {one.key: one for one in template.fields}
    given = {key: value for key, value in {**plan.spec.parameters, **run_parameters}.items() if key in fields}
    if "geometry_file" in wired.links:
        given = {key: value for key, value in given.items() if fields[key].group != STRUCTURE or key in BESIDE}
    given |= inherited_parameters(plan.spec, plan.wired, step, template)
    own = await fill({**given, **step.parameters}, names)
    return {**own, **item, **files, **wired.parameters}


async def request_for(
    fill: Fill,
    plan: Plan,
    run: WorkflowRun,
    step: StepSpec,
    template: TemplateSpec,
    task: WorkflowTask,
    files: Mapping[str, str],
    names: Mapping[str, Any],
) -> JobRequest:
    """The job that a task asks for.

    Raises:
        InvalidInput: an expression has no value; names the parameter.
    """
    named = {**names, "item": task.item, "index": task.number}
    try:
        item = await fill(task.item, named)
        parameters = await parameters_of(fill, plan, run.parameters, step, template, item, files, named)
        resources = {**run.resources, **await fill(step.resources, named)}
    except ConditionError as error:
        raise no_value(step.name, error) from error
    parameters |= task.changes.get("parameters", {})
    resources |= task.changes.get("resources", {})
    return JobRequest(
        template.id, parameters, step.cluster or run.cluster, resources, task_name(run, step, task.number), run.priority
    )


def task_name(run: WorkflowRun, step: StepSpec, number: int) -> str:
    """What the job of a task is called."""
    tail = f"-{step.name}{f'-{number + 1:03}' if step.over else ''}"
    return suggest_name(f"{run.name[: MAX_NAME - len(tail)]}{tail}")


def no_value(step: str, error: ConditionError) -> InvalidInput:
    """The error of an expression that cannot be evaluated."""
    return InvalidInput(
        f"The step {step} cannot begin: {error}.",
        hint="See what the steps before gave, and correct the expression.",
        fields=[FieldError(f"steps.{step}", str(error))],
    )


def needed(step: StepSpec) -> set[str]:
    """Steps whose results a step's expressions name."""
    return named_steps(LANGUAGE, step)
