"""Jobs and inner runs for tasks that are ready. What takes long is done before the transaction that writes them down."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.repositories import batches, clusters, users, workflows
from app.db.savepoints import NOT_THE_ITEM, savepoint
from app.db.tables import WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.people.permissions import Actor
from app.domain.states import JobState
from app.domain.templates.conditions import ConditionError
from app.domain.workflows.definition import StepSpec
from app.errors import CrystalDeckError, InvalidInput
from app.services.context import Context
from app.services.jobs.attachments import gather
from app.services.jobs.creation import Prepared, prepare, queue_prepared
from app.services.jobs.faults import blame
from app.services.workflows import starts as workflow_starts
from app.services.workflows.tasks import (
    Plan,
    file_references,
    filler,
    names_for,
    needed,
    no_value,
    plan_of,
    request_for,
)

CHUNK = 50
"""Tasks whose jobs are written in one transaction."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inner:
    """What a run of an inner workflow is given."""

    parameters: dict[str, Any]
    resources: dict[str, Any]


async def make(context: Context, run_id: str) -> None:
    """Jobs for the first ready tasks of a run."""
    async with context.database.read() as session:
        run = await workflows.run(session, run_id)
        assert run is not None
        actor = await users.actor(session, run.owner_id)
        plan = plan_of(context, run)
        steps = await workflows.steps(session, run_id)
        ready = await workflows.tasks(session, run_id, ["ready"], limit=CHUNK)
        grouped: dict[int, list[WorkflowTask]] = {}
        for task in await workflows.tasks(session, run_id):
            grouped.setdefault(task.step_id, []).append(task)
        by_id = {step.id: plan.spec.step(step.name) for step in steps}
        wanted = {name for task in ready for name in needed(by_id[task.step_id])}
        names = await names_for(session, run, plan.spec, steps, grouped, wanted)
    made: dict[int, Prepared | Inner | str] = {}
    for task in ready:
        step = by_id[task.step_id]
        if actor is None:
            made[task.id or 0] = (
                "The account of the one who started the run was closed; somebody else can run it again."
            )
        elif step.kind == "job":
            made[task.id or 0] = await _prepared(context, actor, plan, run, step, task, steps, grouped, names)
        else:
            made[task.id or 0] = await _given(context, actor, run, step, task, names)
    async with context.database.write() as session:
        await _write(context, session, actor, run_id, plan, ready, made)
    context.broker.wake()


async def _prepared(
    context: Context,
    actor: Actor,
    plan: Plan,
    run: WorkflowRun,
    step: StepSpec,
    task: WorkflowTask,
    steps: Sequence[WorkflowStep],
    tasks: Mapping[int, Sequence[WorkflowTask]],
    names: Mapping[str, Any],
) -> Prepared | str:
    """The job of a task, or why there can be none."""
    try:
        template = context.templates.get(step.template).spec
        files = file_references(plan, step, steps, tasks)
        fill = filler(context, actor.user_id, patient=True)
        request = await request_for(fill, plan, run, step, template, task, files, names)
        found = await gather(context, actor, request.template, request.parameters)
        return await prepare(context, actor.user_id, request, found, patient=True)
    except CrystalDeckError as error:
        return error.sentence
    except Exception as error:
        return f"Its job could not be prepared. {blame(log, f'step {step.name} of run {run.id}', error)}"


async def _given(
    context: Context, actor: Actor, run: WorkflowRun, step: StepSpec, task: WorkflowTask, names: Mapping[str, Any]
) -> Inner | str:
    """Parameters and resources of an inner run, or why there can be none."""
    named = {**names, "item": task.item, "index": task.number}
    fill = filler(context, actor.user_id, patient=True)
    try:
        parameters = await fill({**step.parameters, **task.item}, named)
        return Inner(parameters, {**run.resources, **await fill(step.resources, named)})
    except ConditionError as error:
        return no_value(step.name, error).sentence
    except CrystalDeckError as error:
        return error.sentence
    except Exception as error:
        return f"Its run could not be prepared. {blame(log, f'step {step.name} of run {run.id}', error)}"


async def _write(
    context: Context,
    session: AsyncSession,
    actor: Actor | None,
    run_id: str,
    plan: Plan,
    ready: Sequence[WorkflowTask],
    made: Mapping[int, Prepared | Inner | str],
) -> None:
    """Queue what was prepared, each job with its task; a run that was paused or cancelled meanwhile gets none."""
    run = await workflows.run(session, run_id)
    if run is None or run.state != "running":
        return
    run.busy = True
    session.add(run)
    steps = {step.id: step for step in await workflows.steps(session, run_id)}
    current = {task.id: task for task in await workflows.tasks(session, run_id, ["ready"])}
    for before in ready:
        task = current.get(before.id)
        if task is None or task.changes != before.changes:
            continue
        step = steps[task.step_id]
        own = plan.spec.step(step.name)
        one = made.get(task.id or 0)
        try:
            async with savepoint(session):
                if isinstance(one, Inner) and actor is not None:
                    await _inner(context, session, actor, run, own, task, one)
                elif isinstance(one, Prepared) and actor is not None:
                    await _queue(session, actor, run, step, task, one)
                else:
                    raise InvalidInput(str(one), hint="")
        except NOT_THE_ITEM:
            raise
        except Exception as error:
            task.state = "asking" if own.on_failure == "ask" else "failed"
            if isinstance(error, CrystalDeckError):
                task.message = error.sentence.strip()
            else:
                task.message = blame(log, f"a task of step {step.name} of run {run_id}", error)
        session.add(task)


async def _queue(
    session: AsyncSession, actor: Actor, run: WorkflowRun, step: WorkflowStep, task: WorkflowTask, one: Prepared
) -> None:
    """One job in the queue, or the one that computed the same before."""
    if run.reuse and not step.fresh and not task.earlier:
        cluster = await clusters.by_name(session, one.request.cluster)
        twin = (await batches.twins(session, [one.digest], cluster.id or 0 if cluster else 0)).get(one.digest)
        if twin is not None and twin.job.state == JobState.COMPLETED:
            task.job_id, task.state, task.reused = twin.job.id, "completed", True
            task.message = f"Computed before by {twin.owner} on {twin.cluster}."
            return
    [job] = await queue_prepared(session, actor, [one])
    task.job_id, task.state, task.message = job.id, "active", task.message if task.earlier else ""


async def _inner(
    context: Context,
    session: AsyncSession,
    actor: Actor,
    run: WorkflowRun,
    step: StepSpec,
    task: WorkflowTask,
    given: Inner,
) -> None:
    """A run of the inner workflow, with what its steps can be given of the outer one."""
    own = given.parameters | task.changes.get("parameters", {})
    resources = given.resources | task.changes.get("resources", {})
    child = await workflow_starts.begin_inner(context, session, actor, run, step, task, own, resources)
    task.child_id, task.state, task.message = child.id, "active", ""
