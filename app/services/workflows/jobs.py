"""Jobs and inner runs for tasks that are ready. What takes long is done before the transaction that writes them down."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from app.db.repositories import batches, clusters, users, workflows
from app.db.savepoints import NOT_THE_ITEM, savepoint
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import WorkflowTask
from app.domain.people.permissions import Actor
from app.domain.states import JobState
from app.domain.workflows.states import RunState, TaskState
from app.errors import CrystalDeckError, InvalidInput
from app.services.context import Context
from app.services.jobs.attachments import gather
from app.services.jobs.creation import Prepared, prepare, queue_prepared
from app.services.jobs.faults import blame
from app.services.transitions.runs import move_task
from app.services.workflows import starts as workflow_starts
from app.services.workflows.endings import failed_state
from app.services.workflows.tasks import InnerRequest, Scene, inner_request_for, needed, read_scene, request_for

CHUNK = 50
"""Tasks whose jobs are written in one transaction."""
log = logging.getLogger(__name__)

Made = Prepared | InnerRequest | str
"""What was prepared for a task: a job, an inner run, or the reason why there can be none."""


async def make(context: Context, run_id: str) -> None:
    """Jobs for the first ready tasks of a run."""
    async with context.database.read() as session:
        run = await workflows.run(session, run_id)
        assert run is not None
        actor = await users.actor(session, run.owner_id)
        scene = await read_scene(context, session, run)
        ready = [task for task in scene.all_tasks if task.state == TaskState.READY][:CHUNK]
        scene.names = await scene.read_names({name for task in ready for name in needed(scene.spec_of(task))})
    prepared = {task.id: await _prepare(context, scene, actor, task) for task in ready}
    async with context.database.write() as session:
        run = await workflows.run(session, run_id)
        # A run that was paused or cancelled meanwhile gets no jobs.
        if run is not None and run.state == RunState.RUNNING:
            current = await read_scene(context, session, run, [TaskState.READY])
            await _write(context, current, actor, ready, prepared)


async def _prepare(context: Context, scene: Scene[ReadSession], actor: Actor | None, task: WorkflowTask) -> Made:
    """The job or the inner run of a task, or why there can be none."""
    if actor is None:
        return "The account that started this run is closed; another user can run it again."
    step = scene.spec_of(task)
    try:
        if step.kind != "job":
            return await inner_request_for(context, scene, task)
        request = await request_for(context, scene, task)
        attachments = await gather(context, actor, request.template, request.parameters)
        return await prepare(context, actor.user_id, request, attachments, patient=True)
    except CrystalDeckError as error:
        return error.sentence
    except Exception as error:
        what = "job" if step.kind == "job" else "run"
        return f"Its {what} could not be prepared. {blame(log, f'step {step.name} of run {scene.run.id}', error)}"


async def _write(
    context: Context,
    scene: Scene[WriteSession],
    actor: Actor | None,
    ready: Sequence[WorkflowTask],
    prepared: Mapping[int, Made],
) -> None:
    """Queue what was prepared, each job with its task; a task that was changed meanwhile is left for the next time."""
    scene.run.busy = True
    scene.session.add(scene.run)
    current = {task.id: task for task in scene.all_tasks}
    for before in ready:
        task = current.get(before.id)
        if task is None or task.changes != before.changes:
            continue
        spec = scene.spec_of(task)
        try:
            async with savepoint(scene.session):
                await _begin(context, scene, actor, task, prepared[before.id])
        except NOT_THE_ITEM:
            raise
        except Exception as error:
            if isinstance(error, CrystalDeckError):
                message = error.sentence.strip()
            else:
                message = blame(log, f"a task of step {spec.name} of run {scene.run.id}", error)
            move_task(scene.session, task, failed_state(spec), message)
        scene.session.add(task)


async def _begin(
    context: Context, scene: Scene[WriteSession], actor: Actor | None, task: WorkflowTask, prepared: Made
) -> None:
    if isinstance(prepared, InnerRequest):
        child = await workflow_starts.begin_inner(context, scene, task, prepared)
        task.child_id = child.id
        move_task(scene.session, task, TaskState.ACTIVE, "")
    elif isinstance(prepared, Prepared) and actor is not None:
        await _queue(scene, actor, task, prepared)
    else:
        raise InvalidInput(str(prepared), hint="")


async def _queue(scene: Scene[WriteSession], actor: Actor, task: WorkflowTask, prepared: Prepared) -> None:
    """One job in the queue, or the one that computed the same before."""
    if scene.run.reuse and not scene.step_of(task).fresh and not task.earlier:
        cluster = await clusters.by_name(scene.session, prepared.request.cluster)
        cluster_id = cluster.id if cluster else 0
        twin = (await batches.twins(scene.session, [prepared.digest], cluster_id)).get(prepared.digest)
        if twin is not None and twin.job.state == JobState.COMPLETED:
            task.job_id, task.reused = twin.job.id, True
            message = f"Computed before by {twin.owner} on {twin.cluster}."
            move_task(scene.session, task, TaskState.COMPLETED, message)
            return
    [job] = await queue_prepared(scene.session, actor, [prepared])
    task.job_id = job.id
    move_task(scene.session, task, TaskState.ACTIVE, task.message if task.earlier else "")
