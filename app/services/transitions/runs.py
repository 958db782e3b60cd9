"""Where the states of runs, of their steps and of their tasks change.

All of it happens within the transaction that read the rows: writers are serialised, so what was read there still holds when it
is written. A row of an earlier session is refused.
"""

from __future__ import annotations

from app.db.repositories import workflows
from app.db.savepoints import require_current
from app.db.sessions import WriteSession
from app.db.tables import WorkflowRun, WorkflowStep, WorkflowTask, now
from app.domain.states import check_first, check_move
from app.domain.workflows.states import (
    RUN_ENDED,
    RUN_TRANSITIONS,
    STEP_ENDED,
    STEP_TRANSITIONS,
    TASK_FIRST,
    TASK_TRANSITIONS,
    RunState,
    StepState,
    TaskState,
)
from app.events.model import Topic
from app.events.outbox import announce


async def begin_run(session: WriteSession, run: WorkflowRun) -> None:
    """Write a new run down, tell open pages, and let the orchestrator look at it."""
    session.add(run)
    await session.flush()
    wake_run(session, run)


def wake_run(session: WriteSession, run: WorkflowRun) -> None:
    """Let the orchestrator look at a run, and tell open pages that something of it changed."""
    run.busy = True
    session.add(run)
    announce(session, Topic.WORKFLOW, run.id, state=run.state)
    session.has_work = True


async def move_run(session: WriteSession, run: WorkflowRun, target: RunState, remark: str) -> None:
    """Move a run, tell open pages, and at its end wake the run that it is a step of.

    Raises:
        Conflict: the table of transitions does not allow it.
    """
    require_current(session, run)
    check_move(RUN_TRANSITIONS, f"Run {run.id}", RunState(run.state), target)
    run.state, run.remark, run.updated_at = target.value, remark, now()
    session.add(run)
    announce(session, Topic.WORKFLOW, run.id, state=run.state)
    session.has_work = True
    if target not in RUN_ENDED:
        return
    run.ended_at = run.updated_at
    if run.task_id is not None and (task := await workflows.task(session, run.task_id)) is not None:
        await session.flush()
        await workflows.wake(session, [task.run_id])


def move_step(session: WriteSession, step: WorkflowStep, target: StepState, message: str | None = None) -> None:
    """Move a step; where it stays what it is, only its message changes.

    Args:
        message: what is worth telling; None: what was told before.

    Raises:
        Conflict: the table of transitions does not allow it.
    """
    require_current(session, step)
    current = StepState(step.state)
    if target is not current:
        check_move(STEP_TRANSITIONS, f"Step {step.name} of run {step.run_id}", current, target)
        if current is StepState.WAITING and target is StepState.RUNNING:
            step.started_at = now()
        if target in STEP_ENDED:
            step.ended_at = now()
    step.state = target.value
    step.message = step.message if message is None else message
    session.add(step)


def begin_task(task: WorkflowTask, state: TaskState) -> WorkflowTask:
    """A new task in the state in which its life begins.

    Raises:
        ValueError: no task begins so.
    """
    check_first(TASK_FIRST, "task", state)
    task.state = state.value
    return task


def move_task(session: WriteSession, task: WorkflowTask, target: TaskState, message: str | None = None) -> None:
    """Move a task.

    Args:
        message: what is worth telling; None: what was told before.

    Raises:
        Conflict: the table of transitions does not allow it.
    """
    require_current(session, task)
    check_move(TASK_TRANSITIONS, f"Task {task.number + 1} of run {task.run_id}", TaskState(task.state), target)
    task.state = target.value
    task.message = task.message if message is None else message
    session.add(task)
