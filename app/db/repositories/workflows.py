"""Workflows of the library, their runs, steps and tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, or_, update
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import User, WorkflowRun, WorkflowStep, WorkflowTask, WorkflowVersion
from app.domain.workflows.states import RunState, TaskState

# -- the library -----------------------------------------------------------------------------------------------------------


async def newest(session: ReadSession) -> list[WorkflowVersion]:
    """The last version of each workflow that was not removed."""
    last = select(func.max(WorkflowVersion.id)).group_by(WorkflowVersion.name)
    query = select(WorkflowVersion).where(col(WorkflowVersion.id).in_(last), col(WorkflowVersion.removed).is_(False))
    return list((await session.exec(query.order_by(WorkflowVersion.name))).all())


async def versions(session: ReadSession, name: str) -> list[WorkflowVersion]:
    """All versions of one, the newest first."""
    query = select(WorkflowVersion).where(WorkflowVersion.name == name)
    return list((await session.exec(query.order_by(col(WorkflowVersion.version).desc()))).all())


# -- runs ------------------------------------------------------------------------------------------------------------------


async def run(session: ReadSession, run_id: str) -> WorkflowRun | None:
    """A run by its id."""
    return await session.get(WorkflowRun, run_id)


async def run_with_owner(session: ReadSession, run_id: str) -> tuple[WorkflowRun, str, str] | None:
    """A run, its owner's name, and the run whose step it is; that is empty for a run of its own."""
    query = (
        select(WorkflowRun, User.name, WorkflowTask.run_id)
        .join(User, col(User.id) == col(WorkflowRun.owner_id))
        .join(WorkflowTask, col(WorkflowTask.id) == col(WorkflowRun.task_id), isouter=True)
        .where(WorkflowRun.id == run_id)
    )
    found = (await session.exec(query)).first()
    return (found[0], found[1], found[2] or "") if found is not None else None


async def runs(session: ReadSession, *, workflow: str = "", limit: int = 100) -> list[tuple[WorkflowRun, str]]:
    """Runs with their owners' names, the newest first; those that belong to a step of another run are left out."""
    query = select(WorkflowRun, User.name).join(User, col(User.id) == col(WorkflowRun.owner_id))
    query = query.where(col(WorkflowRun.task_id).is_(None))
    if workflow:
        query = query.where(WorkflowRun.workflow == workflow)
    found = (await session.exec(query.order_by(col(WorkflowRun.created_at).desc()).limit(limit))).all()
    return [(row, owner) for row, owner in found]


async def runs_by_id(session: ReadSession, run_ids: Collection[str]) -> dict[str, WorkflowRun]:
    """Runs by id; ids that no run has are left out."""
    query = select(WorkflowRun).where(col(WorkflowRun.id).in_(list(run_ids)))
    return {run.id: run for run in (await session.exec(query)).all()}


async def repeats(session: ReadSession, run_id: str) -> list[str]:
    """Runs that repeat this one."""
    query = select(WorkflowRun.id).where(WorkflowRun.origin_id == run_id).order_by(col(WorkflowRun.created_at))
    return list((await session.exec(query)).all())


async def steps(session: ReadSession, run_id: str) -> list[WorkflowStep]:
    """In the order of the definition."""
    query = select(WorkflowStep).where(WorkflowStep.run_id == run_id).order_by(col(WorkflowStep.position))
    return list((await session.exec(query)).all())


async def step_states(session: ReadSession, run_ids: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """Names and states of the steps of many runs, in their order."""
    query = select(WorkflowStep.run_id, WorkflowStep.name, WorkflowStep.state)
    query = query.where(col(WorkflowStep.run_id).in_(list(run_ids))).order_by(col(WorkflowStep.position))
    found: dict[str, list[tuple[str, str]]] = {}
    for run_id, name, state in (await session.exec(query)).all():
        found.setdefault(run_id, []).append((name, state))
    return found


async def tasks(
    session: ReadSession, run_id: str, states: Collection[str] = (), *, limit: int | None = None
) -> list[WorkflowTask]:
    """Tasks of a run by step and number, of some states or of all."""
    query = select(WorkflowTask).where(WorkflowTask.run_id == run_id)
    if states:
        query = query.where(col(WorkflowTask.state).in_(list(states)))
    query = query.order_by(col(WorkflowTask.step_id), col(WorkflowTask.number)).limit(limit)
    return list((await session.exec(query)).all())


async def task(session: ReadSession, task_id: int) -> WorkflowTask | None:
    """A task by its number."""
    return await session.get(WorkflowTask, task_id)


async def origins(
    session: ReadSession, job_ids: Collection[str]
) -> dict[str, tuple[WorkflowTask, WorkflowStep, WorkflowRun]]:
    """For jobs that workflows made: the task that each was made for."""
    query = (
        select(WorkflowTask, WorkflowStep, WorkflowRun)
        .join(WorkflowStep, col(WorkflowStep.id) == col(WorkflowTask.step_id))
        .join(WorkflowRun, col(WorkflowRun.id) == col(WorkflowTask.run_id))
        .where(col(WorkflowTask.job_id).in_(list(job_ids)))
        .order_by(col(WorkflowTask.reused), col(WorkflowTask.id))
    )
    found: dict[str, tuple[WorkflowTask, WorkflowStep, WorkflowRun]] = {}
    for task_row, step_row, run_row in (await session.exec(query)).all():
        if task_row.job_id is not None:
            found.setdefault(task_row.job_id, (task_row, step_row, run_row))
    return found


async def using(session: ReadSession, run_ids: Collection[str]) -> list[WorkflowTask]:
    """Tasks of these runs that took values from other steps."""
    query = select(WorkflowTask).where(col(WorkflowTask.run_id).in_(list(run_ids)))
    return [row for row in (await session.exec(query)).all() if row.uses]


async def busy(session: ReadSession, moment: datetime) -> list[str]:
    """Runs that the orchestrator should look at: something happened, or a task's time has come."""
    due = (
        select(WorkflowTask.run_id)
        .join(WorkflowRun, col(WorkflowRun.id) == col(WorkflowTask.run_id))
        .where(
            WorkflowTask.state == str(TaskState.LATER),
            col(WorkflowTask.not_before) <= moment,
            WorkflowRun.state == str(RunState.RUNNING),
        )
    )
    query = select(WorkflowRun.id).where(or_(col(WorkflowRun.busy), col(WorkflowRun.id).in_(due)))
    return list((await session.exec(query)).all())


async def any_later(session: ReadSession) -> bool:
    """Is a task of a run that goes on put off?"""
    query = select(WorkflowTask.id).join(WorkflowRun, col(WorkflowRun.id) == col(WorkflowTask.run_id))
    query = query.where(WorkflowTask.state == str(TaskState.LATER), WorkflowRun.state == str(RunState.RUNNING)).limit(1)
    return (await session.exec(query)).first() is not None


async def going_on(session: ReadSession, cluster: str) -> int:
    """Runs that have not ended and whose jobs go to a cluster."""
    query = select(func.count()).select_from(WorkflowRun)
    query = query.where(
        WorkflowRun.cluster == cluster, col(WorkflowRun.state).in_([str(RunState.RUNNING), str(RunState.PAUSED)])
    )
    return (await session.exec(query)).one()


async def wake(session: WriteSession, run_ids: Iterable[str]) -> None:
    """Let the orchestrator look at these runs."""
    listed = list(run_ids)
    if listed:
        query = update(WorkflowRun).where(col(WorkflowRun.id).in_(listed)).values(busy=True)
        await session.exec(query, execution_options={"synchronize_session": False})


async def wake_for_jobs(session: WriteSession, job_ids: Sequence[str]) -> None:
    """Jobs have ended: let the runs that wait for them go on. Two statements whatever their number."""
    query = select(WorkflowTask.run_id).where(
        col(WorkflowTask.job_id).in_(list(job_ids)), WorkflowTask.state == str(TaskState.ACTIVE)
    )
    await wake(session, set((await session.exec(query)).all()))
