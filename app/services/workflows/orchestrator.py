"""Running workflows: a step that has ended starts the next.

The end of a job marks its run as busy in the same transaction (see `services.transitions.jobs`), and the orchestrator looks at busy
runs at once. Each look first settles what has ended and decides what begins, in one transaction; then it makes the jobs of
what has begun, and the transaction that queues a job also writes it to its task. So a service that is killed anywhere goes on
where the rows say, and no task gets two jobs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from app.db.engine import insert_rows
from app.db.repositories import workflows
from app.db.savepoints import NOT_THE_ITEM
from app.db.sessions import WriteSession
from app.db.tables import WorkflowRun, WorkflowStep, WorkflowTask, now
from app.domain.workflows import orchestration
from app.domain.workflows.states import RUN_ENDED, STEP_ENDED, RunState, StepState, TaskState
from app.errors import CrystalDeckError
from app.events.model import Topic
from app.events.outbox import announce
from app.library import evaluating
from app.library.evaluating import Begun
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs.faults import blame
from app.services.transitions.runs import begin_task, move_run, move_step, move_task
from app.services.workflows import endings as workflow_endings
from app.services.workflows import jobs as workflow_jobs
from app.services.workflows.tasks import Scene, needed, read_scene

OUTPUTS = ""
"""Asked for like a step; no step has an empty name."""
log = logging.getLogger(__name__)


@dataclass
class Evaluations:
    """What expressions of a run gave so far, and which are to be evaluated next: by worker processes, between two looks."""

    beginnings: dict[str, Begun] = field(default_factory=dict)
    """Of steps, by name."""
    outputs: dict[str, Any] | None = None
    """The results of the whole run, once they are known."""
    questions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Steps whose turn has come, with the arguments of `evaluating.begin`; under `OUTPUTS` those of `evaluating.outputs`."""


async def busy(context: Context) -> list[str]:
    """Runs with something to do."""
    async with context.database.read() as session:
        return await workflows.busy(session, now())


async def any_later(context: Context) -> bool:
    """Whether a task of a run waits for its time: nothing will be told when that has come."""
    async with context.database.read() as session:
        return await workflows.any_later(session)


async def work(context: Context, run_id: str) -> None:
    """Go on until nothing is left to do for now."""
    while await advance(context, run_id):
        pass


async def advance(context: Context, run_id: str) -> bool:
    """Advance a run as far as possible now. False: nothing is left to do until something happens.

    Expressions are evaluated by worker processes, and never within a transaction: a look that finds steps whose turn has come
    ends, their beginnings are worked out, and the next look takes them.
    """
    await refresh(context)
    evaluations = Evaluations()
    while True:
        evaluations.questions = {}
        async with context.database.write() as session:
            run = await workflows.run(session, run_id)
            if run is None:
                return False
            try:
                scene = await read_scene(context, session, run)
            except (CrystalDeckError, ValueError) as error:
                # Its definition was right when it began; a newer release may no longer read it.
                await _give_up(session, run, f"This workflow can no longer be read: {error}")
                return False
            before = run.state
            ready = await _decide(scene, evaluations)
            if run.state == before:
                announce(session, Topic.WORKFLOW, run.id, state=run.state)
            owner = run.owner_id
        if not evaluations.questions:
            break
        for name, question in evaluations.questions.items():
            if name == OUTPUTS:
                evaluations.outputs = await _outputs(context, owner, question)
            else:
                evaluations.beginnings[name] = await _begun(context, owner, question)
    if ready:
        await workflow_jobs.make(context, run_id)
    return ready


async def _begun(context: Context, owner: int, question: tuple[Any, ...]) -> Begun:
    """The beginning of a step, or why it cannot begin; the other steps continue."""
    try:
        return await context.workers.run(owner, evaluating.begin, *question, patient=True)
    except Exception as error:
        return Begun(StepState.FAILED, blame(log, f"step {question[0].name}", error))


async def _outputs(context: Context, owner: int, question: tuple[Any, ...]) -> dict[str, Any]:
    """The results of a run; where they cannot be worked out, each says why."""
    try:
        return await context.workers.run(owner, evaluating.outputs, *question, patient=True)
    except Exception as error:
        reason = blame(log, "the results of a run", error)
        return {output.name: {"value": None, "reason": reason} for output in question[0]}


async def _decide(scene: Scene[WriteSession], evaluations: Evaluations) -> bool:
    """Settle what has ended, begin what may begin. True: some tasks need their jobs created."""
    run = scene.run
    await workflow_endings.settle(scene)
    if run.state == RunState.RUNNING:
        _ready_again(scene)
    # In this order each step finds those before it settled, so that one pass is enough.
    for name in scene.plan.order:
        step = scene.step_named(name)
        if step.state in (StepState.RUNNING, StepState.ASKING):
            _update_state(scene, step)
        if step.state == StepState.WAITING and run.state != RunState.PAUSED:
            await _try_begin(scene, step, evaluations)
            if step.state == StepState.RUNNING:
                # Values are there at once; what has begun with nothing to do has ended.
                _update_state(scene, step)
    for row in (*scene.steps, *scene.all_tasks):
        scene.session.add(row)
    if run.state not in RUN_ENDED:
        await _decide_run(scene, evaluations)
    ready = run.state == RunState.RUNNING and any(task.state == TaskState.READY for task in scene.all_tasks)
    # Otherwise a service that is killed now would forget what it was about to work out.
    run.busy = ready or bool(evaluations.questions)
    run.updated_at = now()
    scene.session.add(run)
    return ready


def _ready_again(scene: Scene[WriteSession]) -> None:
    """Tasks whose wait before the next try is over."""
    moment = now()
    for task in scene.all_tasks:
        if task.state == TaskState.LATER and (task.not_before is None or task.not_before <= moment):
            task.not_before = None
            move_task(scene.session, task, TaskState.READY)


async def _decide_run(scene: Scene[WriteSession], evaluations: Evaluations) -> None:
    """The end of the whole run, once all steps have ended and its outputs are known; until then what it waits for."""
    run, spec = scene.run, scene.plan.spec
    verdict = orchestration.run_verdict(spec, scene.states, {step.name: step.message for step in scene.steps})
    if verdict is not None and (evaluations.outputs is not None or not spec.outputs):
        run.outputs = evaluations.outputs or {}
        await move_run(scene.session, run, verdict.state, verdict.message)
    elif verdict is not None:
        evaluations.questions[OUTPUTS] = (spec.outputs, await scene.read_names(spec.names))
    elif asking := [step.name for step in scene.steps if step.state == StepState.ASKING]:
        run.remark = f"Waiting for a decision on {', '.join(asking)}."
    elif run.state == RunState.RUNNING:
        run.remark = ""


def _update_state(scene: Scene[WriteSession], step: WorkflowStep) -> None:
    """The state of a step, by the states of its tasks."""
    tasks = scene.tasks_of(step)
    verdict = orchestration.step_verdict([task.state for task in tasks], scene.plan.spec.step(step.name).on_failure)
    if verdict is None:
        move_step(scene.session, step, StepState.RUNNING)
        return
    telling = (TaskState.FAILED, TaskState.ASKING, TaskState.CANCELLED)
    reasons = [task.message for task in tasks if task.state in telling and task.message]
    message = " ".join(part for part in (verdict.message, reasons[0] if reasons else "") if part)
    move_step(scene.session, step, verdict.state, message)


async def _try_begin(scene: Scene[WriteSession], step: WorkflowStep, evaluations: Evaluations) -> None:
    """A step whose turn may have come: it begins, never will, or keeps waiting."""
    spec = scene.plan.spec
    parents = scene.plan.before[step.name]
    if scene.run.state != RunState.RUNNING:
        move_step(scene.session, step, StepState.CANCELLED, "The run was cancelled.")
        return
    if reason := orchestration.blocked_by(spec, parents, scene.states):
        move_step(scene.session, step, StepState.SKIPPED, reason)
        return
    if not orchestration.may_begin(spec, parents, scene.states):
        return
    begun = evaluations.beginnings.get(step.name)
    if begun is None:
        await _ask(scene, step, evaluations)
        return
    if begun.state in STEP_ENDED:
        move_step(scene.session, step, begun.state, begun.message)
        return
    move_step(scene.session, step, StepState.RUNNING, "")
    await insert_rows(scene.session, _new_tasks(scene, step, begun))
    tasks = await workflows.tasks(scene.session, scene.run.id)
    scene.tasks[step.id] = [task for task in tasks if task.step_id == step.id]


async def _ask(scene: Scene[WriteSession], step: WorkflowStep, evaluations: Evaluations) -> None:
    """Let the beginning of a step be worked out; if even that is impossible, the step fails and the others continue."""
    spec = scene.plan.spec.step(step.name)
    template = scene.plan.templates.get(spec.template)
    try:
        names = await scene.read_names(needed(spec))
        fields = template.fields if template is not None else ()
        evaluations.questions[step.name] = (spec, fields, names, await scene.read_jobs())
    except NOT_THE_ITEM:
        raise
    except Exception as error:
        move_step(scene.session, step, StepState.FAILED, blame(log, f"step {step.name} of run {scene.run.id}", error))


def _new_tasks(scene: Scene[WriteSession], step: WorkflowStep, begun: Begun) -> list[WorkflowTask]:
    """The tasks of a step that begins: one, or one for each row of its fan-out; values are there at once."""
    common: dict[str, Any] = {"run_id": scene.run.id, "step_id": step.id}
    if scene.plan.spec.step(step.name).kind == "values":
        return [begin_task(WorkflowTask(**common, outcome=begun.outcome, uses=begun.uses[0]), TaskState.COMPLETED)]
    return [
        WorkflowTask(**common, number=number, item=dict(row), uses=uses)
        for number, (row, uses) in enumerate(zip(begun.rows, begun.uses, strict=True))
    ]


async def _give_up(session: WriteSession, run: WorkflowRun, reason: str) -> None:
    """A run of which nothing can be decided any more has failed; one that had ended before stays what it is."""
    run.busy = False
    session.add(run)
    if run.state not in RUN_ENDED:
        await move_run(session, run, RunState.FAILED, reason)
