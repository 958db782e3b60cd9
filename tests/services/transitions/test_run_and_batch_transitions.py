"""Runs, steps, tasks, batches, rows and receipts move by their tables, in the transaction that read them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from app.db.engine import Database
from app.db.repositories import batches, workflows
from app.db.tables import Batch, BatchItem, OutboxEvent, User, WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.batches import BatchState, ItemState, ReceiptState
from app.domain.workflows.states import RunState, StepState, TaskState
from app.errors import Conflict
from app.services.transitions.batches import begin_batch, begin_receipt, move_batch, move_item, move_receipts
from app.services.transitions.runs import begin_task, move_run, move_step, move_task
from app.settings import Settings


@pytest.fixture
async def database(database_url: str) -> Any:
    """An outer run at rest, whose only task is the inner run."""
    database = Database(Settings(database_url=database_url).database)
    common: dict[str, Any] = {"owner_id": 1, "workflow": "w", "version": "1", "definition": {}, "cluster": "here"}
    async with database.write() as session:
        session.add(User(id=1, name="ada"))
        await session.flush()
        session.add(WorkflowRun(id="outer", name="o", busy=False, **common))
        await session.flush()
        session.add(WorkflowStep(id=1, run_id="outer", name="scf", position=0))
        await session.flush()
        session.add(WorkflowTask(id=1, run_id="outer", step_id=1, state="active", child_id=None))
        await session.flush()
        session.add(WorkflowRun(id="inner", name="i", task_id=1, **common))
        session.add(Batch(id="b", kind="jobs", name="b", owner_id=1, form={"cluster": "here"}))
        await session.flush()
        session.add(BatchItem(batch_id="b", position=1))
    yield database
    await database.close()


async def news(database: Database) -> list[tuple[str, str]]:
    async with database.read() as session:
        return [(row.topic, row.subject) for row in (await session.exec(select(OutboxEvent))).all()]


async def test_the_end_of_an_inner_run_is_told_and_wakes_the_outer_one(database: Database) -> None:
    async with database.write() as session:
        inner = await workflows.run(session, "inner")
        assert inner is not None
        await move_run(session, inner, RunState.PAUSED, "Paused by ada.")
    async with database.read() as session:
        outer = await workflows.run(session, "outer")
    assert outer is not None and not outer.busy
    async with database.write() as session:
        inner = await workflows.run(session, "inner")
        assert inner is not None
        await move_run(session, inner, RunState.CANCELLED, "Cancelled by ada.")
    async with database.read() as session:
        outer, inner = await workflows.run(session, "outer"), await workflows.run(session, "inner")
    assert outer is not None and inner is not None
    assert outer.busy
    assert (inner.state, inner.remark) == ("cancelled", "Cancelled by ada.")
    assert inner.ended_at is not None
    assert await news(database) == [("workflow", "inner")] * 2


async def test_what_has_ended_does_not_go_on(database: Database) -> None:
    async with database.write() as session:
        inner = await workflows.run(session, "inner")
        assert inner is not None
        await move_run(session, inner, RunState.COMPLETED, "")
        with pytest.raises(Conflict, match="Run inner is completed and cannot become running"):
            await move_run(session, inner, RunState.RUNNING, "")


async def test_a_row_of_an_earlier_session_is_refused(database: Database) -> None:
    async with database.read() as session:
        run, batch = await workflows.run(session, "outer"), await batches.get(session, "b")
        [step], [task] = await workflows.steps(session, "outer"), await workflows.tasks(session, "outer")
        [item] = await batches.items(session, "b")
    assert run is not None and batch is not None
    async with database.write() as session:
        with pytest.raises(LookupError, match="WorkflowRun of another session"):
            await move_run(session, run, RunState.PAUSED, "")
        with pytest.raises(LookupError, match="WorkflowStep"):
            move_step(session, step, StepState.RUNNING)
        with pytest.raises(LookupError, match="WorkflowTask"):
            move_task(session, task, TaskState.COMPLETED)
        with pytest.raises(LookupError, match="Batch of"):
            move_batch(session, batch, BatchState.MAKING)
        with pytest.raises(LookupError, match="BatchItem"):
            move_item(session, item, ItemState.READY)
    assert await news(database) == []


async def test_a_step_keeps_its_times_and_may_stay_what_it_is(database: Database) -> None:
    async with database.write() as session:
        [step] = await workflows.steps(session, "outer")
        move_step(session, step, StepState.RUNNING, "")
        started = step.started_at
        move_step(session, step, StepState.ASKING, "which?")
        move_step(session, step, StepState.ASKING, "which one?")
        move_step(session, step, StepState.RUNNING)
        assert started is not None and step.started_at == started and step.ended_at is None
        assert step.message == "which one?"
        move_step(session, step, StepState.COMPLETED, "")
        assert step.ended_at is not None
        with pytest.raises(Conflict):
            move_step(session, step, StepState.RUNNING)


async def test_a_task_goes_round_until_it_has_ended(database: Database) -> None:
    async with database.write() as session:
        [task] = await workflows.tasks(session, "outer")
        for target in (TaskState.LATER, TaskState.READY, TaskState.ACTIVE, TaskState.ASKING, TaskState.FAILED):
            move_task(session, task, target, "so")
        with pytest.raises(Conflict, match="Task 1 of run outer is failed and cannot become ready"):
            move_task(session, task, TaskState.READY)
    with pytest.raises(ValueError, match="no task begins as asking"):
        begin_task(WorkflowTask(run_id="outer", step_id=1), TaskState.ASKING)


async def test_a_batch_is_made_once(database: Database) -> None:
    async with database.write() as session:
        batch = await batches.get(session, "b")
        [item] = await batches.items(session, "b")
        assert batch is not None
        move_item(session, item, ItemState.READY)
        move_batch(session, batch, BatchState.MAKING)
        move_batch(session, batch, BatchState.MADE)
        with pytest.raises(Conflict, match="Batch b is made and cannot become discarded"):
            move_batch(session, batch, BatchState.DISCARDED)
        with pytest.raises(Conflict, match="Row 1 of batch b is ready and cannot become reused"):
            move_item(session, item, ItemState.REUSED)
    assert await news(database) == [("batch", "b")] * 2


async def test_receipts_are_settled_once(database: Database) -> None:
    async with database.write() as session:
        session.add(begin_batch(Batch(id="a", kind="action", name="Hold", owner_id=1), BatchState.DOING))
        await session.flush()
        session.add(begin_receipt(BatchItem(batch_id="a", position=1), ReceiptState.OPEN))
        session.add(begin_receipt(BatchItem(batch_id="a", position=2), ReceiptState.OPEN))
    outcomes = {1: (ReceiptState.DONE, ""), 2: (ReceiptState.LEFT, "It has ended.")}
    async with database.write() as session:
        await move_receipts(session, await batches.items(session, "a"), outcomes)
    async with database.read() as session:
        settled = [(item.state, item.message) for item in await batches.items(session, "a")]
    assert settled == [("done", ""), ("left", "It has ended.")]
    with pytest.raises(Conflict, match="Receipt 1 is done and cannot become done"):
        async with database.write() as session:
            await move_receipts(session, await batches.items(session, "a"), outcomes)
