"""What a round of submission reads: once, and no more for many users or jobs than for few."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from app.db.repositories import jobs, users
from app.db.tables import Credential
from app.domain.jobs import JobFilter
from app.domain.people.permissions import Role
from app.services.clusters import changes, member_keys
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.running.submission import Dispatcher
from app.settings import ClusterSettings
from tests.support import databases
from tests.support.app import make_actor, make_app, settings_for
from tests.support.service import mgo
from tests.support.statements import statements


@pytest.fixture
async def context(tmp_path: Path, database_url: str) -> AsyncIterator[Context]:
    """The services without their background, and one machine where each member logs in with a key of their own."""
    far = ClusterSettings(runner_type="slurm", hostname="far.example.org", crystal="crystal")
    settings = settings_for(tmp_path, database_url=database_url, clusters={"far": far})
    databases.prepare(settings)
    context: Context = make_app(settings).state.context
    await changes.sync_configuration(context)
    try:
        yield context
    finally:
        await context.workers.close()
        await context.pool.close()
        await context.database.close()


async def members_with_jobs(context: Context, names: list[str], *, keys: bool = True) -> list[str]:
    ids = []
    for name in names:
        actor = await make_actor(context, name, Role.MEMBER)
        if keys:
            await member_keys.make_key(context, actor, "far", name)
        requests = [JobRequest("scf", mgo(f"{name} {n}", a=4.2 + n / 100), "far", {}, f"{name}{n}") for n in range(3)]
        ids += [job.id for job in await create_jobs(context, actor, requests)]
    return ids


def reads_of(sent: list[str], table: str) -> list[str]:
    return [statement for statement in sent if f"FROM {table} " in statement.replace("\n", " ") + " "]


async def round_of(context: Context) -> tuple[list[str], list[object]]:
    """One round: the statements that it took, and the errands that it sent."""
    errands: list[object] = []

    def spawn(key: object, _work: Callable[[], Awaitable[None]]) -> bool:
        errands.append(key)
        return True

    dispatcher = Dispatcher(context, spawn)
    with statements(context.database) as sent:
        await dispatcher.run(1)
    return [statement for statement in sent if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK"))], errands


async def test_a_round_with_nothing_to_do_reads_little(context: Context) -> None:
    sent, errands = await round_of(context)
    assert not errands
    assert len(reads_of(sent, "clusters")) == 1
    assert len(sent) <= 4, sent


async def test_many_users_cost_as_many_statements_as_few(context: Context) -> None:
    await members_with_jobs(context, ["ada", "bea"])
    few, errands = await round_of(context)
    assert len(errands) == 2, "each account has to be connected first"
    await members_with_jobs(context, ["cyd", "dot", "eva", "fay", "gil"])
    many, errands = await round_of(context)
    assert len(errands) == 7
    assert len(many) == len(few) <= 8, many
    assert len(reads_of(many, "clusters")) == len(reads_of(many, "credentials")) == 1


async def test_jobs_that_leave_are_begun_by_what_was_read(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context.pool, "is_open", lambda _: True)
    ids = await members_with_jobs(context, ["ada"])
    sent, errands = await round_of(context)
    async with context.database.read() as session:
        assert {row.state for row in (await jobs.get_all(session, ids)).values()} == {"staging"}
    assert len(errands) == 1
    assert len(reads_of(sent, "clusters")) == len(reads_of(sent, "credentials")) == 1


async def test_a_member_without_a_key_says_so_and_lets_others_pass(context: Context) -> None:
    await members_with_jobs(context, ["ada"], keys=False)
    await members_with_jobs(context, ["bea"])
    _, errands = await round_of(context)
    async with context.database.read() as session:
        names = await users.names(session)
        rows = await jobs.get_all(session, [row.job.id for row in await jobs.listing(session, JobFilter())])
        key = await session.get(Credential, 1)
    told = {names[job.owner_id]: job.attention for job in rows.values()}
    assert "You have no key for far yet." in told["ada"] and not told["bea"]
    assert key is not None and [errand[1].user_id for errand in errands] == [key.user_id]  # type: ignore[index]
