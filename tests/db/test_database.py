"""Migrations, lost updates, transitions: on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest import mock

import alembic.op
import pytest
from sqlalchemy import create_engine, inspect, text

from app.db import migrations
from app.db.engine import Database
from app.db.repositories import jobs
from app.db.tables import Cluster, Job, JobResult, User
from app.domain.states import JobState
from app.errors import Conflict
from app.services.transitions.jobs import transition_job
from app.settings import Settings


def url_of(database_url: str) -> str:
    return Settings(database_url=database_url).database


@pytest.fixture
async def database(database_url: str) -> Any:
    database = Database(url_of(database_url))
    yield database
    await database.close()


def tables(database_url: str) -> set[str]:
    if database_url.startswith("sqlite"):
        engine = create_engine(database_url)
        found = set(inspect(engine).get_table_names())
        engine.dispose()
        return found

    async def ask() -> set[str]:
        database = Database(url_of(database_url))
        async with database.engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        await database.close()
        return set(names)

    return asyncio.run(ask())


def test_an_empty_database_goes_up_and_down(empty_database_url: str) -> None:
    url = url_of(empty_database_url)
    migrations.upgrade(url)
    assert {"users", "sessions", "clusters", "credentials", "jobs", "job_events", "remote_jobs", "job_files", "job_results",
            "idempotency_keys"} <= tables(empty_database_url)  # fmt: skip
    migrations.downgrade(url, "base")
    assert tables(empty_database_url) == {"alembic_version"}


def test_a_filled_older_database_keeps_its_rows(empty_database_url: str) -> None:
    url = url_of(empty_database_url)
    migrations.upgrade(url, "0001")

    async def fill_and_read(statement: str) -> list[Any]:
        database = Database(url)
        async with database.write() as session:
            result = await session.exec(text(statement))  # type: ignore[call-overload]
            rows = list(result) if result.returns_rows else []
        await database.close()
        return rows

    asyncio.run(
        fill_and_read(
            "INSERT INTO users (name, password_hash, role, active, created_at) "
            "VALUES ('old', 'x', 'admin', true, '2026-01-01 00:00:00')"
        )
    )
    migrations.upgrade(url)
    assert asyncio.run(fill_and_read("SELECT name, role FROM users")) == [("old", "admin")]
    migrations.downgrade(url, "0001")
    assert asyncio.run(fill_and_read("SELECT name FROM users")) == [("old",)]


def test_a_migration_that_dies_leaves_the_database_as_it_was(empty_database_url: str) -> None:
    """It must not stand half-way: the next start would find tables that it wants to make."""
    url = url_of(empty_database_url)
    migrations.upgrade(url, "0003")
    before = tables(empty_database_url)
    with (
        mock.patch.object(alembic.op, "add_column", side_effect=RuntimeError("power cut")),
        pytest.raises(RuntimeError),
    ):
        migrations.upgrade(url)
    assert tables(empty_database_url) == before
    migrations.upgrade(url)
    assert "batches" in tables(empty_database_url)


async def make_job(database: Database, **changes: Any) -> Job:
    async with database.write() as session:
        user, cluster = User(name="ada"), Cluster(name="c")
        session.add_all([user, cluster])
        await session.flush()
        job = Job(id="j1", token="t1", name="n", owner_id=user.id or 0, cluster_id=cluster.id or 0, template_id="scf",
                  template_revision="r", parameters={}, decks={}, resources={}, **changes)  # fmt: skip
        session.add(job)
    return job


async def test_writers_lose_no_update(database: Database) -> None:
    await make_job(database)

    async def add_one() -> None:
        async with database.write() as session:
            row = await jobs.get(session, "j1")
            assert row is not None
            row.attempts += 1
            session.add(row)

    await asyncio.gather(*(add_one() for _ in range(40)))
    async with database.read() as session:
        row = await jobs.get(session, "j1")
    assert row is not None and row.attempts == 40


async def test_a_transition_is_won_by_one(database: Database) -> None:
    job = await make_job(database)
    won = []

    async def try_it() -> None:
        async with database.read() as session:
            own = await jobs.get(session, job.id)
        assert own is not None
        async with database.write() as session:
            try:
                won.append(await transition_job(session, own, JobState.STAGING, "mine"))
            except Conflict:
                won.append(False)

    await asyncio.gather(*(try_it() for _ in range(5)))
    assert sorted(won) == [False] * 4 + [True]
    async with database.read() as session:
        history = await jobs.history(session, job.id)
    assert [event.to_state for event in history] == ["staging"]


async def test_an_error_keeps_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.write() as session:
            session.add(User(name="gone"))
            await session.flush()
            raise RuntimeError
    async with database.read() as session:
        assert (await session.exec(text("SELECT count(*) FROM users"))).scalar() == 0  # type: ignore[call-overload]


async def test_results_of_an_older_schema_are_found(database: Database) -> None:
    job = await make_job(database)
    async with database.write() as session:
        for version in (None, 1, 2):
            held = {} if version is None else {"schema_version": version}
            session.add(JobResult(job_id=job.id, output=f"{version}.out", verdict="completed", results=held))
    async with database.read() as session:
        found = await jobs.older_results(session, 2, 10)
    assert sorted(row.results.get("schema_version", 0) for row in found) == [0, 1]


async def test_a_writer_that_is_cancelled_locks_nobody_out(tmp_path: Path) -> None:
    """Its traceback keeps the statement that it was in, and SQLite a closed connection with its locks as long as that lives."""
    url = f"sqlite+aiosqlite:///{tmp_path}/one.db"
    first, second = Database(url), Database(url)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 3000000) SELECT x FROM n WHERE x % 1000000 = 0"

    async def write() -> None:
        async with first.write() as session:
            await session.exec(text("CREATE TABLE t (x INTEGER)"))  # type: ignore[call-overload]
            await session.exec(text(endless))  # type: ignore[call-overload]

    cancelled = []
    for _ in range(10):
        task = asyncio.create_task(write())
        await asyncio.sleep(0.1)
        task.cancel()
        cancelled += await asyncio.gather(task, return_exceptions=True)
    await first.close()
    async with second.write() as session:
        await session.exec(text("CREATE TABLE t (x INTEGER)"))  # type: ignore[call-overload]
    await second.close()
    assert all(isinstance(one, asyncio.CancelledError) for one in cancelled)
