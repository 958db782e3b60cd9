"""A change of a job's state: the row, its history, what pages hear, and who is woken, all at once or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import select

from app.db.engine import Database
from app.db.repositories import jobs
from app.db.tables import Batch, Cluster, Job, JobEvent, OutboxEvent, User, WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.states import JobState
from app.errors import Conflict
from app.services.transitions.jobs import Move, NewJob, amend_jobs, begin_jobs, transition_jobs
from app.settings import Settings


@pytest.fixture
async def database(database_url: str) -> Any:
    database = Database(Settings(database_url=database_url).database)
    async with database.write() as session:
        session.add_all([User(id=1, name="ada"), Cluster(id=1, name="here")])
    yield database
    await database.close()


def new_job(job_id: str, **more: Any) -> Job:
    return Job(id=job_id, token=job_id, name=job_id, owner_id=1, cluster_id=1, template_id="scf", template_revision="r",
               parameters={}, decks={}, resources={}, **more)  # fmt: skip


async def begin(database: Database, *ids: str, **more: Any) -> list[Job]:
    made = [new_job(job_id, **more) for job_id in ids]
    async with database.write() as session:
        await begin_jobs(session, [NewJob(job, JobState.QUEUED, "Created.") for job in made], actor="ada")
    return made


async def count_statements(database: Database, made: list[Job], target: JobState) -> int:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        async with database.write() as session:
            moved = await transition_jobs(session, [Move(job, target, "because") for job in made])
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert len(moved) == len(made)
    return len([statement for statement in statements if "pg_advisory" not in statement])


async def test_one_call_writes_history_and_news(database: Database) -> None:
    [job] = await begin(database, "a")
    async with database.write() as session:
        await transition_jobs(session, [Move(job, JobState.HELD, "Held by ada.", {"attention": "look"})], actor="ada")
    async with database.read() as session:
        row = await jobs.get(session, "a")
        history = await jobs.history(session, "a")
        news = (await session.exec(select(OutboxEvent).order_by(OutboxEvent.id))).all()
    assert row is not None
    assert (row.state, row.reason, row.attention) == ("held", "Held by ada.", "look")
    assert (job.state, job.reason, job.attention) == ("held", "Held by ada.", "look")
    assert [(line.from_state, line.to_state, line.message, line.actor) for line in history] == [
        ("", "queued", "Created.", "ada"),
        ("queued", "held", "Held by ada.", "ada"),
    ]
    assert [(one.topic, one.subject, one.data) for one in news] == [
        ("job", "a", {"state": "queued"}),
        ("job", "a", {"state": "held"}),
    ]


@pytest.mark.parametrize("target", [JobState.HELD, JobState.CANCELLED])
async def test_as_many_statements_for_forty_as_for_one(database: Database, target: JobState) -> None:
    few = await begin(database, "a")
    many = await begin(database, *(f"b{number}" for number in range(40)))
    assert await count_statements(database, few, target) == await count_statements(database, many, target)


async def test_the_end_of_a_job_wakes_its_run_and_its_sweep(database: Database) -> None:
    async with database.write() as session:
        session.add(Batch(id="sweep", kind="jobs", name="s", owner_id=1, state="made", sweep={"stop": True}))
        session.add(WorkflowRun(id="run", name="r", owner_id=1, workflow="w", version="1", definition={}, cluster="here",
                                busy=False))  # fmt: skip
    [job] = await begin(database, "a", batch_id="sweep")
    async with database.write() as session:
        step = WorkflowStep(run_id="run", name="scf", position=0, state="running")
        session.add(step)
        await session.flush()
        session.add(WorkflowTask(run_id="run", step_id=step.id, state="active", job_id="a"))

    async def woken() -> tuple[bool, bool]:
        async with database.read() as session:
            run, batch = await session.get(WorkflowRun, "run"), await session.get(Batch, "sweep")
        assert run is not None and batch is not None
        return run.busy, batch.busy

    async with database.write() as session:
        await transition_jobs(session, [Move(job, JobState.STAGING, "goes")])
    assert await woken() == (False, False)
    async with database.write() as session:
        await transition_jobs(session, [Move(job, JobState.FAILED, "ends")])
    assert await woken() == (True, True)


async def test_one_forbidden_move_stops_all_of_them(database: Database) -> None:
    first, second = await begin(database, "a", "b")
    with pytest.raises(Conflict, match=r"b is queued and cannot become completed"):
        async with database.write() as session:
            await transition_jobs(
                session, [Move(first, JobState.HELD, ""), Move(second, JobState.COMPLETED, "as if by magic")]
            )
    async with database.read() as session:
        assert await jobs.states_of(session, ["a", "b"]) == {"a": "queued", "b": "queued"}


async def test_a_move_that_lost_leaves_no_trace(database: Database) -> None:
    [stale] = await begin(database, "a")
    async with database.write() as session:
        current = await jobs.get(session, "a")
        assert current is not None
        await transition_jobs(session, [Move(current, JobState.HELD, "first")])
    async with database.write() as session:
        assert await transition_jobs(session, [Move(stale, JobState.STAGING, "too late")]) == []
    async with database.read() as session:
        messages = [line.message for line in await jobs.history(session, "a")]
        news = (await session.exec(select(OutboxEvent))).all()
    assert messages == ["Created.", "first"]
    assert len(news) == 2


async def test_no_job_begins_in_the_middle_of_its_life(database: Database) -> None:
    with pytest.raises(ValueError, match="no job begins as running"):
        async with database.write() as session:
            await begin_jobs(session, [NewJob(new_job("a"), JobState.RUNNING, "Created.")], actor="ada")


async def test_what_is_no_change_of_state_is_written_and_told_too(database: Database) -> None:
    [job] = await begin(database, "a")
    async with database.write() as session:
        await amend_jobs(session, [(job, {"priority": 0})], "Priority urgent.", actor="ada")
    async with database.read() as session:
        row = await jobs.get(session, "a")
        lines = (await session.exec(select(JobEvent).where(JobEvent.message == "Priority urgent."))).all()
        news = (await session.exec(select(OutboxEvent))).all()
    assert row is not None and row.priority == 0
    assert len(lines) == 1 and len(news) == 2


async def test_no_other_way_changes_a_state(database: Database) -> None:
    [job] = await begin(database, "a")
    async with database.write() as session:
        with pytest.raises(ValueError, match="transitions"):
            await amend_jobs(session, [(job, {"state": "completed"})], "done", actor="ada")
        with pytest.raises(ValueError, match="transitions"):
            await jobs.update_jobs(session, {"a": {"state": "completed"}})


async def test_whoever_waits_is_told_once_it_is_kept(database: Database) -> None:
    told: list[str] = []
    database.on_news(lambda: told.append("news"))
    database.on_work(lambda: told.append("work"))

    async def move(job: Job, target: JobState) -> list[str]:
        told.clear()
        async with database.write() as session:
            await transition_jobs(session, [Move(job, target, "")])
            assert told == []
        return list(told)

    [job] = await begin(database, "a")
    assert told == ["news", "work"]
    assert await move(job, JobState.STAGING) == ["news"]
    # It was refused: whoever submits decides when it is tried again.
    assert await move(job, JobState.QUEUED) == ["news"]
    assert await move(job, JobState.HELD) == ["news"]
    assert await move(job, JobState.QUEUED) == ["news", "work"]
    assert await move(job, JobState.CANCELLED) == ["news", "work"]


async def test_nobody_is_told_of_what_was_not_kept(database: Database) -> None:
    [job] = await begin(database, "a")
    told: list[str] = []
    database.on_news(lambda: told.append("news"))
    database.on_work(lambda: told.append("work"))
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            await transition_jobs(session, [Move(job, JobState.CANCELLED, "")])
            raise RuntimeError
    async with database.read() as session:
        await jobs.get(session, "a")
    assert told == []
