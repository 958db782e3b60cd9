"""What users do to a run: pause, resume or cancel it, decide for a step that asks, rerun it from a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.crystal.language import LANGUAGE
from app.db.engine import insert_rows
from app.db.repositories import jobs, workflows
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Job, WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.people.permissions import Actor, require
from app.domain.states import TERMINAL, JobState
from app.domain.workflows.definition import dependencies, read_workflow, with_parameters
from app.domain.workflows.orchestration import descendants
from app.domain.workflows.states import RUN_ENDED, RunState, StepState, TaskState
from app.errors import Conflict, FieldError, InvalidInput, NotFound
from app.services.context import Context
from app.services.jobs.effects import cancel_jobs
from app.services.jobs.selections import refuse_unexpected
from app.services.transitions.runs import begin_task, move_run, move_step, move_task, wake_run
from app.services.workflows import library as workflow_library
from app.services.workflows.rehearsal import rehearse
from app.services.workflows.starts import RunRequest, write_run

CHOICES = {"retry": "Try again", "give_up": "Give up"}
"""What a person can decide for a step that asks."""
SAMPLE = 20


async def owned(session: ReadSession, actor: Actor, run_id: str) -> WorkflowRun:
    """A run for its owner to change.

    Raises:
        NotFound, NotAllowed
    """
    run = await workflows.run(session, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id[:40]!r}.", hint="See the list of runs.")
    require(actor, "job.change", run.owner_id)
    return run


async def pause(context: Context, actor: Actor, run_id: str) -> None:
    """Let no further step begin; existing jobs continue."""
    await _turn(context, actor, run_id, RunState.RUNNING, RunState.PAUSED, f"Paused by {actor.name}.")


async def resume(context: Context, actor: Actor, run_id: str) -> None:
    """Resume after a pause."""
    await _turn(context, actor, run_id, RunState.PAUSED, RunState.RUNNING, "")


async def _turn(context: Context, actor: Actor, run_id: str, before: RunState, after: RunState, remark: str) -> None:
    async with context.database.write() as session:
        run = await owned(session, actor, run_id)
        if run.state != before:
            raise Conflict(f"The run {run.name} is {run.state}, not {before}.", hint="Reload its page.")
        for affected in (run, *await _inner_runs(session, run)):
            if affected.state == before:
                affected.busy = True
                await move_run(session, affected, after, remark)


async def cancel(context: Context, actor: Actor, run_id: str, expect: int | None = None) -> None:
    """End a run: its jobs are cancelled, what has not begun never will.

    Args:
        expect: how many of its jobs there should be to end; where there are more or fewer, nothing is done.
    """
    async with context.database.write() as session:
        run = await owned(session, actor, run_id)
        _refuse_ended(run)
        runs = [run, *await _inner_runs(session, run)]
        if expect is not None:
            refuse_unexpected(sum([len(await _going(session, affected)) for affected in runs]), expect)
        for affected in runs:
            if affected.state not in RUN_ENDED:
                await _cancel_one(session, actor, affected)


async def would_cancel(context: Context, actor: Actor, run_id: str) -> tuple[int, list[str]]:
    """How many jobs `cancel` would end, with the names of the first of them; raises what it would raise."""
    async with context.database.read() as session:
        run = await owned(session, actor, run_id)
        _refuse_ended(run)
        going = [job for affected in (run, *await _inner_runs(session, run)) for job in await _going(session, affected)]
    return len(going), [job.name for job in going[:SAMPLE]]


async def _going(session: ReadSession, run: WorkflowRun) -> list[Job]:
    """Jobs of a run that are still to be ended."""
    listed = await workflows.tasks(session, run.id, [TaskState.ACTIVE])
    rows = await jobs.get_all(session, [task.job_id for task in listed if task.job_id])
    return [
        job
        for job in rows.values()
        if (state := JobState(job.state)) not in TERMINAL
        and state is not JobState.FINISHING
        and not job.cancel_requested
    ]


def _refuse_ended(run: WorkflowRun) -> None:
    if run.state in RUN_ENDED:
        raise Conflict(f"The run {run.name} has already ended ({run.state}).", hint="Nothing needs to be cancelled.")


async def _cancel_one(session: WriteSession, actor: Actor, run: WorkflowRun) -> None:
    for task in await workflows.tasks(session, run.id, [TaskState.READY, TaskState.LATER, TaskState.ASKING]):
        move_task(session, task, TaskState.CANCELLED, "The run was cancelled.")
    going = await _going(session, run)
    await cancel_jobs(session, actor, going, f"The run {run.name} was cancelled by {actor.name}.")
    run.busy = True
    await move_run(session, run, RunState.CANCELLED, f"Cancelled by {actor.name}.")


async def _inner_runs(session: ReadSession, run: WorkflowRun) -> list[WorkflowRun]:
    """Runs of inner workflows, and theirs."""
    inner_runs: list[WorkflowRun] = []
    for task in await workflows.tasks(session, run.id):
        if task.child_id is not None and (inner := await workflows.run(session, task.child_id)) is not None:
            inner_runs += [inner, *await _inner_runs(session, inner)]
    return inner_runs


async def decide(
    context: Context,
    actor: Actor,
    run_id: str,
    step_name: str,
    choice: str,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """What becomes of the tasks of a step that asks.

    Args:
        changes: `parameters` and `resources` that differ when it is tried again.

    Raises:
        Conflict: it does not ask. InvalidInput: no such choice or parameter.
    """
    if choice not in CHOICES:
        raise InvalidInput(
            f"There is no choice {choice[:40]!r}.",
            hint=f"Choices: {', '.join(CHOICES)}.",
            fields=[FieldError("choice", f"must be one of {', '.join(CHOICES)}", choice[:40])],
        )
    async with context.database.write() as session:
        run = await owned(session, actor, run_id)
        row = next((step for step in await workflows.steps(session, run_id) if step.name == step_name), None)
        if row is None:
            raise NotFound(f"The run {run.name} has no step {step_name[:40]!r}.", hint="See the page of the run.")
        asking = [task for task in await workflows.tasks(session, run_id, [TaskState.ASKING]) if task.step_id == row.id]
        if not asking or run.state in RUN_ENDED:
            raise Conflict(f"The step {step_name} is not waiting for a decision.", hint="Reload the page of the run.")
        overrides = changes or {}
        _refuse_unknown(
            context, read_workflow(run.definition).step(step_name).template, overrides.get("parameters", {})
        )
        for task in asking:
            if choice == "give_up":
                move_task(session, task, TaskState.FAILED, f"{task.message} Given up by {actor.name}.")
            else:
                await _once_more(session, actor, task, overrides)
        wake_run(session, run)


async def _once_more(
    session: WriteSession, actor: Actor, task: WorkflowTask, overrides: Mapping[str, Mapping[str, Any]]
) -> None:
    job = await jobs.get(session, task.job_id) if task.job_id else None
    entry = {
        "job": task.job_id,
        "run": task.child_id,
        "reason": job.reason if job else task.message,
        "why": f"Retried by {actor.name}.",
    }
    task.earlier = [*task.earlier, {key: value for key, value in entry.items() if value}]
    task.changes = {
        kind: {**task.changes.get(kind, {}), **overrides.get(kind, {})} for kind in ("parameters", "resources")
    }
    task.job_id, task.child_id = None, None
    move_task(session, task, TaskState.READY, "")


def _refuse_unknown(context: Context, template_id: str, parameters: Mapping[str, Any]) -> None:
    if not template_id:
        return
    fields = {field.key for field in context.templates.get(template_id).spec.fields}
    if unknown := sorted(set(parameters) - fields):
        raise InvalidInput(
            f"{template_id} has no parameter {unknown[0][:40]!r}.",
            hint="See the form of the template.",
            fields=[FieldError(key, "is not a parameter of this template") for key in unknown],
        )


async def rerun(
    context: Context,
    actor: Actor,
    run_id: str,
    *,
    step: str = "",
    parameters: Mapping[str, Any] | None = None,
    steps: Mapping[str, Mapping[str, Any]] | None = None,
    resources: Mapping[str, Any] | None = None,
) -> WorkflowRun:
    """A new run like an earlier one.

    Args:
        step: compute this step and its dependent steps again; the results of the others are reused. Empty: compute whatever is not
            the same as something computed before.
        parameters: of the whole run that differ; `steps`: of single steps; `resources`: that differ.

    Raises:
        Conflict: the run has not ended. InvalidInput: names what is wrong; nothing was submitted.
    """
    require(actor, "job.create")
    async with context.database.read() as session:
        run = await workflows.run(session, run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id[:40]!r}.", hint="See the list of runs.")
        old = {row.name: row for row in await workflows.steps(session, run_id)}
        tasks = await workflows.tasks(session, run_id)
    if run.state not in RUN_ENDED:
        raise Conflict(f"The run {run.name} has not ended.", hint="Wait until it has, or cancel it.")
    spec = read_workflow(with_parameters(run.definition, steps or {}))
    if step and step not in spec.names:
        raise NotFound(f"The run {run.name} has no step {step[:40]!r}.", hint="See the page of the run.")
    known = await workflow_library.known(context, actor)
    checked = await workflow_library.check_with(context, actor.user_id, spec, known)
    workflow_library.refuse(checked)
    request = RunRequest(
        spec,
        run.version if not steps else "",
        run.name,
        {**run.parameters, **(parameters or {})},
        run.inputs,
        run.cluster,
        {**run.resources, **(resources or {})},
        run.priority,
        reuse=True,
    )
    rehearsal = await rehearse(context, actor, checked, known, request.parameters, run.inputs)
    if rehearsal.errors:
        reasons = "; ".join(f"{error.field} {error.reason}" for error in rehearsal.errors[:5])
        raise InvalidInput(
            f"The run cannot be repeated with these changes: {reasons}.",
            hint="Correct the named fields; nothing was submitted.",
            fields=rehearsal.errors,
        )
    if not (step or parameters or steps):
        # The same again without a word of what for: compute all of it.
        request = replace(request, reuse=False)
    fresh = descendants(dependencies(LANGUAGE, spec), step) if step else set()
    kept = {name for name, row in old.items() if step and name not in fresh and row.state == StepState.COMPLETED}
    async with context.database.write() as session:
        new_run = await write_run(session, actor.user_id, request, run.inputs, origin_id=run.id)
        await _take_over(session, new_run, old, tasks, kept, fresh)
    return new_run


async def _take_over(
    session: WriteSession,
    run: WorkflowRun,
    old: Mapping[str, WorkflowStep],
    tasks: list[WorkflowTask],
    kept: set[str],
    fresh: set[str],
) -> None:
    """Kept steps get tasks with the same jobs; steps to be computed again are marked."""
    for row in await workflows.steps(session, run.id):
        if row.name in fresh:
            row.fresh = True
        if row.name in kept:
            before = old[row.name]
            move_step(session, row, StepState.COMPLETED, f"Taken over from run {before.run_id}.")
            row.started_at, row.ended_at = before.started_at, before.ended_at
            copies = [
                begin_task(
                    WorkflowTask(
                        run_id=run.id,
                        step_id=row.id,
                        number=task.number,
                        item=task.item,
                        job_id=task.job_id,
                        child_id=task.child_id,
                        outcome=task.outcome,
                        uses=task.uses,
                        reused=True,
                        message=task.message,
                    ),
                    TaskState(task.state),
                )
                for task in tasks
                if task.step_id == before.id
            ]
            await insert_rows(session, copies)
        session.add(row)
