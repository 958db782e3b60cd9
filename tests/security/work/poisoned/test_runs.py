"""A task or a run of a workflow that raises fails alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from app.db.repositories import workflows as workflow_rows
from app.db.tables import Job, WorkflowRun
from app.domain.people.permissions import Actor
from app.domain.workflows.definition import read_workflow
from app.library import evaluating
from app.services.context import Context
from app.services.jobs import setbacks
from app.services.workflows import actions as workflow_actions
from app.services.workflows import jobs as workflow_jobs
from app.services.workflows import orchestrator
from app.services.workflows import starts as workflow_starts
from tests.support.app import make_actor
from tests.support.service import mgo
from tests.support.world import workflow


async def test_a_task_that_raises_fails_alone(quiet: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await make_actor(quiet)
    names = ("one", "two", "three")
    steps = [
        {"name": name, "template": "scf", "parameters": mgo(name, a=4.0 + n / 10)} for n, name in enumerate(names)
    ]  # fmt: skip
    run = await workflow_starts.start(
        quiet,
        ada,
        workflow_starts.RunRequest(read_workflow({"name": "w", "steps": steps}), cluster="here", reuse=False),
    )
    queued = workflow_jobs.queue_prepared

    async def poisoned(session: Any, actor: Actor, made: Any, *rest: Any, **more: Any) -> Any:
        found = await queued(session, actor, made, *rest, **more)
        if "two" in made[0].request.name:
            raise ZeroDivisionError("poison")
        return found

    monkeypatch.setattr(workflow_jobs, "queue_prepared", poisoned)
    await orchestrator.work(quiet, run.id)
    async with quiet.database.read() as session:
        tasks = await workflow_rows.tasks(session, run.id)
        rows = (await session.exec(select(Job))).all()
    assert sorted(task.state for task in tasks) == ["active", "active", "failed"]
    assert "ZeroDivisionError" in next(task.message for task in tasks if task.state == "failed")
    assert len(rows) == 2, "the job of the failing task was undone"


async def test_a_step_whose_beginning_raises_fails_alone(quiet: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await make_actor(quiet)
    steps = [{"name": name, "template": "scf", "parameters": mgo(name)} for name in ("one", "two")]
    run = await workflow_starts.start(
        quiet,
        ada,
        workflow_starts.RunRequest(read_workflow({"name": "w", "steps": steps}), cluster="here", reuse=False),
    )
    inner = quiet.workers.run

    async def poisoned(user: Any, work: Any, *args: Any, **more: Any) -> Any:
        if work is evaluating.begin and args[0].name == "two":
            raise RuntimeError("poison")
        return await inner(user, work, *args, **more)

    monkeypatch.setattr(quiet.workers, "run", poisoned)
    await orchestrator.work(quiet, run.id)
    async with quiet.database.read() as session:
        found = {step.name: step for step in await workflow_rows.steps(session, run.id)}
    assert found["one"].state == "running"
    assert found["two"].state == "failed" and "RuntimeError: poison" in found["two"].message


async def test_a_run_that_was_set_aside_is_paused_and_can_be_resumed(quiet: Context) -> None:
    ada = await make_actor(quiet)
    run = await workflow_starts.start(
        quiet, ada, workflow_starts.RunRequest(read_workflow(workflow("w_x")), cluster="here")
    )
    await setbacks.tell_run(quiet, run.id, "A fault.", False)
    await setbacks.tell_run(quiet, run.id, "A fault.", True)
    async with quiet.database.read() as session:
        found = await session.get(WorkflowRun, run.id)
    assert found is not None and (found.state, found.busy) == ("paused", False)
    assert found.remark == "Set aside after several failures: A fault."
    assert run.id not in await orchestrator.busy(quiet)
    await workflow_actions.resume(quiet, ada, run.id)
    assert run.id in await orchestrator.busy(quiet)
