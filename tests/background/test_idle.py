"""A service with nothing to do asks its database nothing, and hears all the same of what another process writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from app.background import beats, scheduler
from app.background.scheduler import Background
from app.db import changes
from app.db.repositories import batches
from app.db.repositories import jobs as job_rows
from app.domain.states import JobState
from app.services.clusters import changes as cluster_changes
from app.services.context import Context, make_context
from app.services.jobs import actions, queue
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.selections import Selection
from app.settings import Settings
from tests.support.app import make_actor, place_replay, processes, settings_for
from tests.support.service import mgo
from tests.support.statements import statements
from tests.support.waiting import until


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Quick paces, and no rest that ends by itself: only word of a change wakes anything."""
    place_replay(tmp_path)
    for name in ("POLL_TICK", "RUN_TICK", "USAGE_TICK", "REREAD_TICK", "KEYS_TICK", "LEAD_TICK"):
        monkeypatch.setattr(scheduler, name, 0.02)
    monkeypatch.setattr(beats, "RESTED", 3600.0)
    monkeypatch.setattr("app.events.broker.LOOK_ANYWAY", 3600.0)
    monkeypatch.setattr(changes, "LOOK", 0.02)
    return settings_for(tmp_path, data=tmp_path / "deck", database_url=database_url)


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[Context]:
    """What another process of the service, or the command line, uses: the database is all that they share."""
    context = make_context(settings, processes())
    try:
        yield context
    finally:
        await context.workers.close()
        await context.pool.close()
        await context.database.close()


@asynccontextmanager
async def at_rest(settings: Settings) -> AsyncIterator[tuple[Context, Background]]:
    """A leader that has found nothing to do."""
    async with process(settings) as context:
        await cluster_changes.sync_configuration(context)
        await context.broker.start()
        background = Background(context)
        await background.start()
        await rests(background)
        try:
            yield context, background
        finally:
            if not background._stopping:
                await background.stop()
            await context.broker.stop()


async def rests(background: Background) -> None:
    await until(lambda: all(beat.resting for beat in background._beats._beats.values() if beat.seconds < 600))


async def state_of(context: Context, job_id: str) -> str:
    async with context.database.read() as session:
        job = await job_rows.get(session, job_id)
    assert job is not None
    return job.state


async def ends(context: Context, job_id: str) -> None:
    async def completed() -> bool:
        return await state_of(context, job_id) == JobState.COMPLETED

    await until(completed)


async def test_nothing_is_asked_while_nothing_is_to_do(settings: Settings) -> None:
    calls, enough = 0, asyncio.Event()

    async def probe() -> bool:
        nonlocal calls
        calls += 1
        if calls == 40:
            enough.set()
        return not enough.is_set()

    async with at_rest(settings) as (context, background):
        with statements(context.database) as sent:
            # Everything else would have been called as often.
            background._beats.add(probe, 0.02)
            async with asyncio.timeout(60):
                await enough.wait()
        assert sent == []


async def test_a_job_of_another_process_is_submitted_and_watched(settings: Settings) -> None:
    async with at_rest(settings) as (context, background), process(settings) as other:
        ada = await make_actor(other)
        [job] = await create_jobs(other, ada, [JobRequest("scf", mgo("replay mgo-scf/main.out"), "here", {})])
        await ends(context, job.id)
        # Afterwards it has nothing to do again.
        await rests(background)


async def test_what_waits_behind_a_pause_goes_on_when_another_process_ends_it(settings: Settings) -> None:
    async with at_rest(settings) as (context, _), process(settings) as other:
        ada = await make_actor(other)
        await queue.pause(other, ada)
        [job] = await create_jobs(other, ada, [JobRequest("scf", mgo("replay mgo-scf/main.out"), "here", {})])
        await queue.resume(other, ada)
        await ends(context, job.id)


async def test_an_action_that_another_process_began_is_done(settings: Settings) -> None:
    async with at_rest(settings) as (context, _), process(settings) as other:
        ada = await make_actor(other)
        request = JobRequest("scf", mgo(), "here", {}, draft=True)
        [job] = await create_jobs(other, ada, [request])
        batch = await actions.begin(other, ada, "tag", Selection((job.id,)), "seen")

        async def done() -> bool:
            async with context.database.read() as session:
                return not await batches.busy(session)

        await until(done)
        assert (await actions.get(context, ada, batch.id)).state == "done"
        async with context.database.read() as session:
            assert await batches.tags_of(session, [job.id]) == {job.id: ["seen"]}


async def test_a_process_that_does_not_lead_rests_too_and_leads_after_the_leader(settings: Settings) -> None:
    async with at_rest(settings) as (context, background), process(settings) as other:
        await other.broker.start()
        second = Background(other)
        await second.start()
        work = (second._dispatch, second._poll, second._batches, second._runs, second._usage, second._reread)
        await until(lambda: all(second._beats._beats[one].resting for one in work))
        await background.stop()
        await until(lambda: second._led)
        ada = await make_actor(context)
        [job] = await create_jobs(context, ada, [JobRequest("scf", mgo("replay mgo-scf/main.out"), "here", {})])
        await ends(other, job.id)
        await second.stop()
        await other.broker.stop()


async def test_a_listener_whose_connection_the_server_ended_listens_anew(settings: Settings) -> None:
    if not settings.database.startswith("postgresql"):
        # SQLite has no connection to lose.
        return
    async with at_rest(settings) as (context, _), process(settings) as other:
        ended = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN %'"
        )
        async with other.database.engine.connect() as connection:

            async def ends_it() -> bool:
                return (await connection.execute(ended)).all() == [(True,)]

            await until(ends_it)
        ada = await make_actor(other)
        [job] = await create_jobs(other, ada, [JobRequest("scf", mgo("replay mgo-scf/main.out"), "here", {})])
        await ends(context, job.id)
