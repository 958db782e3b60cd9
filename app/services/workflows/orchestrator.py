"""Running workflows: a step that has ended starts the next.

The end of a job marks its run as busy in the same transaction (see `jobs.transition_all`), and the orchestrator looks at busy
runs at once. Each look first settles what has ended and decides what begins, in one transaction; then it makes the jobs of
what has begun, and the transaction that queues a job also writes it to its task. So a service that is killed anywhere goes on
where the rows say, and no task gets two jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.crystal.language import LANGUAGE
from app.db.engine import insert_rows
from app.db.repositories import workflows
from app.db.savepoints import NOT_THE_ITEM
from app.db.tables import WorkflowRun, WorkflowStep, WorkflowTask, now
from app.domain.workflows import orchestration
from app.domain.workflows.definition import StepSpec, named_steps
from app.domain.workflows.orchestration import ENDED, RUN_ENDED, Verdict
from app.errors import CrystalDeckError
from app.events.model import Topic
from app.events.outbox import announce
from app.library import evaluating
from app.library.evaluating import Begun
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs.faults import blame
from app.services.workflows import endings as workflow_endings
from app.services.workflows import jobs as workflow_jobs
from app.services.workflows.tasks import Plan, names_for, plan_of

OUTPUTS = ""
"""Asked for like a step; no step has an empty name."""
log = logging.getLogger(__name__)


@dataclass
class Scene:
    """A run as one look at it finds it, with the rows that the look may change."""

    session: AsyncSession
    run: WorkflowRun
    plan: Plan
    steps: list[WorkflowStep]
    tasks: dict[int, list[WorkflowTask]]
    begun: Mapping[str, Begun] = field(default_factory=dict)
    """Beginnings of steps that were worked out before this look."""
    asked: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Steps whose turn has come, with what their beginning is to be worked out from."""
    outputs: dict[str, Any] | None = None
    """The results of the whole run, once they were worked out."""

    @property
    def states(self) -> dict[str, str]:
        return {step.name: step.state for step in self.steps}

    def tasks_of(self, step: WorkflowStep) -> list[WorkflowTask]:
        return self.tasks.setdefault(step.id or 0, [])

    async def names(self, wanted: Any) -> dict[str, Any]:
        """What expressions may name of the wanted steps."""
        return await names_for(self.session, self.run, self.plan.spec, self.steps, self.tasks, wanted)

    async def jobs_of(self) -> dict[str, list[str]]:
        """Jobs of each step; of one that computed values those that it took them from, of an inner run all of its jobs."""
        found: dict[str, list[str]] = {}
        for step in self.steps:
            own: list[str] = found.setdefault(step.name, [])
            for task in self.tasks.get(step.id or 0, ()):
                if task.job_id:
                    own.append(task.job_id)
                elif task.child_id:
                    inner = await workflows.tasks(self.session, task.child_id)
                    own += [one.job_id for one in inner if one.job_id]
                else:
                    own += [job for use in task.uses for job in use["jobs"]]
        return found


async def busy(context: Context) -> list[str]:
    """Runs with something to do."""
    async with context.database.read() as session:
        return await workflows.busy(session, now())


async def work(context: Context, run_id: str) -> None:
    """Go on until nothing is left to do for now."""
    while await advance(context, run_id):
        pass


async def advance(context: Context, run_id: str) -> bool:
    """One look at a run. False: nothing is left to do until something happens.

    Expressions are evaluated by worker processes, and never within a transaction: a look that finds steps whose turn has come
    ends, their beginnings are worked out, and the next look takes them.
    """
    await refresh(context)
    begun: dict[str, Begun] = {}
    outputs: dict[str, Any] | None = None
    while True:
        async with context.database.write() as session:
            run = await workflows.run(session, run_id)
            if run is None:
                return False
            try:
                scene = await _scene(context, session, run)
            except (CrystalDeckError, ValueError) as error:
                # Its definition was right when it began; a newer release may no longer read it.
                await _end(session, run, Verdict("failed", f"It cannot be read any more: {error}"))
                return False
            scene.begun, scene.outputs = begun, outputs
            ready = await _decide(context, scene)
            announce(session, Topic.WORKFLOW, run.id, state=run.state)
            owner = run.owner_id
        if not scene.asked:
            break
        for name, question in scene.asked.items():
            if name == OUTPUTS:
                outputs = await _outputs(context, owner, question)
            else:
                begun[name] = await _begun(context, owner, question)
    context.broker.wake()
    if ready:
        await workflow_jobs.make(context, run_id)
        context.nudge.set()
    return ready


async def _begun(context: Context, owner: int, question: tuple[Any, ...]) -> Begun:
    """The beginning of a step, or why it cannot begin: the others go on."""
    try:
        return await context.workers.run(owner, evaluating.begin, *question, patient=True)
    except Exception as error:
        return Begun("failed", blame(log, f"step {question[0].name}", error))


async def _outputs(context: Context, owner: int, question: tuple[Any, ...]) -> dict[str, Any]:
    """The results of a run; where they cannot be worked out, each says why."""
    try:
        return await context.workers.run(owner, evaluating.outputs, *question, patient=True)
    except Exception as error:
        reason = blame(log, "the results of a run", error)
        return {one.name: {"value": None, "reason": reason} for one in question[0]}


async def _scene(context: Context, session: AsyncSession, run: WorkflowRun) -> Scene:
    grouped: dict[int, list[WorkflowTask]] = {}
    for task in await workflows.tasks(session, run.id):
        grouped.setdefault(task.step_id, []).append(task)
    return Scene(session, run, plan_of(context, run), await workflows.steps(session, run.id), grouped)


async def _decide(context: Context, scene: Scene) -> bool:
    """Settle what has ended, begin what may begin. True: there are tasks whose jobs are to be made."""
    run = scene.run
    await workflow_endings.settle(context, scene.session, run, scene.plan, scene.steps, scene.tasks)
    going = run.state == "running"
    if going:
        moment = now()
        for task in (task for listed in scene.tasks.values() for task in listed):
            if task.state == "later" and (task.not_before is None or task.not_before <= moment):
                task.state, task.not_before = "ready", None
    by_name = {step.name: step for step in scene.steps}
    # In this order each step finds those before it settled, so that one pass is enough.
    for name in scene.plan.order:
        step = by_name[name]
        if step.state in ("running", "asking"):
            _stand(scene, step)
        if step.state == "waiting" and run.state != "paused":
            await _waiting(scene, step, going=going)
            if step.state == "running":
                # Values are there at once; what has begun with nothing to do has ended.
                _stand(scene, step)
    for row in (*scene.steps, *(task for listed in scene.tasks.values() for task in listed)):
        scene.session.add(row)
    if run.state not in RUN_ENDED:
        verdict = orchestration.run_verdict(
            scene.plan.spec, scene.states, {step.name: step.message for step in scene.steps}
        )
        if verdict is not None and (scene.outputs is not None or not scene.plan.spec.outputs):
            run.outputs = scene.outputs or {}
            await _end(scene.session, run, verdict)
        elif verdict is not None:
            scene.asked[OUTPUTS] = (scene.plan.spec.outputs, await scene.names(scene.plan.spec.names))
        elif any(step.state == "asking" for step in scene.steps):
            asking = ", ".join(step.name for step in scene.steps if step.state == "asking")
            run.remark = f"Somebody is to decide about {asking}."
        elif run.state == "running":
            run.remark = ""
    ready = run.state == "running" and any(task.state == "ready" for listed in scene.tasks.values() for task in listed)
    # What is worked out after this look would be forgotten by whoever is killed meanwhile.
    run.busy = ready or bool(scene.asked)
    run.updated_at = now()
    scene.session.add(run)
    return ready


def _stand(scene: Scene, step: WorkflowStep) -> None:
    """How a step stands by its tasks."""
    spec = scene.plan.spec.step(step.name)
    tasks = scene.tasks_of(step)
    verdict = orchestration.step_verdict([task.state for task in tasks], spec.on_failure)
    if verdict is None:
        step.state = "running"
        return
    step.state = verdict.state
    reasons = [task.message for task in tasks if task.state in ("failed", "asking", "cancelled") and task.message]
    step.message = " ".join(part for part in (verdict.message, reasons[0] if reasons else "") if part)
    if step.state in ENDED:
        step.ended_at = now()


async def _waiting(scene: Scene, step: WorkflowStep, *, going: bool) -> None:
    """A step whose turn may have come."""
    spec = scene.plan.spec
    parents = scene.plan.before[step.name]
    if not going:
        _ended(step, "cancelled", "The run was cancelled.")
        return
    if reason := orchestration.blocked_by(spec, parents, scene.states):
        _ended(step, "skipped", reason)
        return
    if not orchestration.may_begin(spec, parents, scene.states):
        return
    begun = scene.begun.get(step.name)
    if begun is None:
        await _ask(scene, step, spec.step(step.name))
        return
    if begun.state in ENDED:
        _ended(step, begun.state, begun.message)
        return
    step.state, step.started_at, step.message = "running", now(), ""
    await insert_rows(scene.session, _tasks(scene, step, begun))
    known = await workflows.tasks(scene.session, scene.run.id)
    scene.tasks[step.id or 0] = [task for task in known if task.step_id == step.id]


async def _ask(scene: Scene, step: WorkflowStep, own: StepSpec) -> None:
    """Let the beginning of a step be worked out; where not even that can be asked, it fails and the others go on."""
    template = scene.plan.templates.get(own.template)
    try:
        names = await scene.names(named_steps(LANGUAGE, own))
        scene.asked[step.name] = (own, template.fields if template is not None else (), names, await scene.jobs_of())
    except NOT_THE_ITEM:
        raise
    except Exception as error:
        _ended(step, "failed", blame(log, f"step {step.name} of run {scene.run.id}", error))


def _ended(step: WorkflowStep, state: str, message: str) -> None:
    step.state, step.message, step.ended_at = state, message, now()


def _tasks(scene: Scene, step: WorkflowStep, begun: Begun) -> list[WorkflowTask]:
    """The tasks of a step that begins: one, or one for each row of its fan-out; values are there at once."""
    common: dict[str, Any] = {"run_id": scene.run.id, "step_id": step.id or 0}
    if scene.plan.spec.step(step.name).kind == "values":
        return [WorkflowTask(**common, state="completed", outcome=begun.outcome, uses=begun.uses[0])]
    return [
        WorkflowTask(**common, number=number, item=dict(row), uses=uses)
        for number, (row, uses) in enumerate(zip(begun.rows, begun.uses, strict=True))
    ]


async def _end(session: AsyncSession, run: WorkflowRun, verdict: Verdict) -> None:
    """A run is over; the run above goes on."""
    run.state, run.remark, run.busy, run.ended_at, run.updated_at = verdict.state, verdict.message, False, now(), now()
    session.add(run)
    if run.task_id is not None and (task := await workflows.task(session, run.task_id)) is not None:
        await session.flush()
        await workflows.wake(session, [task.run_id])
