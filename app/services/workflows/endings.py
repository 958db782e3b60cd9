"""What has ended in a run, and what follows from it: done, tried again, tried with a remedy, asking, or failed."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from app.crystal.decks import remedies
from app.db.repositories import jobs, workflows
from app.db.savepoints import NOT_THE_ITEM
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Job, WorkflowTask, now
from app.domain.states import TERMINAL, JobState
from app.domain.verdict import Ending, ending_of
from app.domain.workflows.definition import StepSpec
from app.domain.workflows.states import RUN_ENDED, RunState, TaskState
from app.services.jobs.faults import blame
from app.services.results.remedies import code_of, files_left
from app.services.transitions.runs import move_task
from app.services.workflows.tasks import Scene

log = logging.getLogger(__name__)
MACHINE = (Ending.NODE, Ending.PREEMPTED)
"""Ends for which the calculation is not to blame: the job is restarted."""


async def settle(scene: Scene[WriteSession]) -> None:
    """Give every active task whose job or inner run has ended its next state."""
    active = [task for task in scene.all_tasks if task.state == TaskState.ACTIVE]
    rows = await jobs.get_all(scene.session, [task.job_id for task in active if task.job_id])
    for task in active:
        step = scene.spec_of(task)
        try:
            await _settle_one(scene, task, rows.get(task.job_id or ""))
        except NOT_THE_ITEM:
            raise
        except Exception as error:
            message = blame(log, f"the end of a task of step {step.name} of run {scene.run.id}", error)
            move_task(scene.session, task, failed_state(step), message)


async def _settle_one(scene: Scene[WriteSession], task: WorkflowTask, job: Job | None) -> None:
    if task.child_id is not None:
        await _settle_inner(scene, task)
    elif job is not None:
        state = JobState(job.state)
        if state is JobState.COMPLETED:
            move_task(scene.session, task, TaskState.COMPLETED, "")
        elif state is JobState.FAILED:
            await _failed(scene, task, job)
        elif state in TERMINAL:
            move_task(scene.session, task, TaskState.CANCELLED, f"{job.name}: {job.reason}")


async def _settle_inner(scene: Scene[WriteSession], task: WorkflowTask) -> None:
    inner = await workflows.run(scene.session, task.child_id or "")
    if inner is None or inner.state not in RUN_ENDED:
        return
    if inner.state == RunState.COMPLETED:
        task.outcome = {name: entry.get("value") for name, entry in inner.outputs.items()}
        move_task(scene.session, task, TaskState.COMPLETED, "")
    else:
        failed = inner.state == RunState.FAILED
        target = failed_state(scene.spec_of(task)) if failed else TaskState.CANCELLED
        move_task(scene.session, task, target, f"{inner.name}: {inner.remark}")


async def _failed(scene: Scene[WriteSession], task: WorkflowTask, job: Job) -> None:
    """A job failed: was it the machine, does a remedy help, is a person to decide?"""
    step = scene.spec_of(task)
    ending = ending_of(job.reason)
    if ending in MACHINE and task.retries < step.retries:
        wait = step.backoff * 2**task.retries
        _again(task, job, f"Restarted after a machine failure ({task.retries + 1} of {step.retries}).")
        task.retries += 1
        task.not_before = now() + timedelta(seconds=wait)
        move_task(scene.session, task, TaskState.LATER)
        return
    if change := await _remedy(scene, task, job):
        name, remedy = change
        _again(task, job, f"Remedy {name}: {remedy.words}", remedy=name)
        changes = task.changes
        task.changes = {
            "parameters": {**changes.get("parameters", {}), **remedy.parameters},
            "resources": {**changes.get("resources", {}), **remedy.resources},
        }
        move_task(scene.session, task, TaskState.READY)
        return
    move_task(scene.session, task, failed_state(step), f"{job.name}: {job.reason}")


def failed_state(step: StepSpec) -> TaskState:
    """What a task becomes that failed and that nothing helps: a step may want a person to decide."""
    return TaskState.ASKING if step.on_failure == "ask" else TaskState.FAILED


def _again(task: WorkflowTask, job: Job, why: str, **more: Any) -> None:
    """Keep the job that failed, and let the task have another one."""
    task.earlier = [*task.earlier, {"job": job.id, "reason": job.reason, "why": why, **more}]
    task.job_id, task.message = None, f"{job.reason} {why}"


async def _remedy(scene: Scene[ReadSession], task: WorkflowTask, job: Job) -> tuple[str, remedies.Change] | None:
    """The first remedy of the step that fits this end and was not tried yet."""
    step = scene.spec_of(task)
    tried = {entry.get("remedy") for entry in task.earlier}
    untried = [name for name in step.remedies if name not in tried]
    template = scene.plan.templates.get(step.template)
    if not untried or template is None:
        return None
    code = code_of(job, await jobs.results(scene.session, job.id))
    files = files_left(job.id, await jobs.files(scene.session, job.id))
    for name in untried:
        change = remedies.apply(name, code, template, job.parameters, job.resources, files)
        if change is not None:
            return name, change
    return None
