"""Events from the outbox to open streams: none is lost or told twice, and a slow stream harms only itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.db.engine import Database
from app.db.tables import OutboxEvent
from app.events import outbox
from app.events.broker import QUEUE_LENGTH, Broker
from app.events.model import Event, Topic
from app.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(Settings(database_url=database_url).database)
    yield database
    await database.close()


@pytest.fixture
async def broker(database: Database) -> AsyncIterator[Broker]:
    broker = Broker(database)
    await broker.start()
    yield broker
    await broker.stop()


async def announce(database: Database, first: int, count: int = 1) -> None:
    async with database.write() as session:
        for number in range(first, first + count):
            outbox.announce(session, Topic.JOB, f"j{number}", n=number)


async def subjects(queue: asyncio.Queue[Event], count: int) -> list[str]:
    async with asyncio.timeout(20):
        return [(await queue.get()).subject for _ in range(count)]


async def newest(database: Database) -> int:
    async with database.read() as session:
        return await outbox.newest_id(session)


async def test_each_stream_gets_every_event_once_and_in_order(database: Database, broker: Broker) -> None:
    await announce(database, 100)
    broker.wake()
    async with broker.subscribe() as one, broker.subscribe() as two:
        for number in range(30):
            await announce(database, number)
            broker.wake()
        expected = [f"j{number}" for number in range(30)]
        for queue in (one, two):
            got = await subjects(queue, 30)
            # Whether the event before the subscription was told already is a matter of the moment.
            assert (got if got[0] == "j0" else [*got[1:], *await subjects(queue, 1)]) == expected
            assert queue.empty()


async def test_an_event_carries_what_it_was_announced_with(database: Database, broker: Broker) -> None:
    async with broker.subscribe() as queue:
        async with database.write() as session:
            outbox.announce(session, Topic.PROGRESS, "j", cycle=3, energy=-1.5)
        broker.wake()
        event = await queue.get()
    assert (event.topic, event.subject, event.data) == (Topic.PROGRESS, "j", {"cycle": 3, "energy": -1.5})
    assert event.id == await newest(database)


async def test_nothing_of_a_transaction_that_failed_is_told(database: Database, broker: Broker) -> None:
    async with broker.subscribe() as queue:
        with pytest.raises(RuntimeError):
            async with database.write() as session:
                outbox.announce(session, Topic.JOB, "gone")
                await session.flush()
                raise RuntimeError
        await announce(database, 1)
        broker.wake()
        assert await subjects(queue, 1) == ["j1"]


async def test_a_slow_stream_is_told_to_fetch_everything_and_harms_no_other(database: Database, broker: Broker) -> None:
    async with broker.subscribe() as slow, broker.subscribe() as quick:
        count = QUEUE_LENGTH + 10
        reading = asyncio.create_task(subjects(quick, count))
        await announce(database, 0, count)
        broker.wake()
        assert await reading == [f"j{number}" for number in range(count)]
        assert slow.qsize() <= QUEUE_LENGTH
        first = await slow.get()
        assert first.topic is Topic.RESYNC
        rest = await subjects(slow, slow.qsize())
        # After the word that some are missing nothing more is.
        assert rest == [f"j{number}" for number in range(count - len(rest), count)]
        await announce(database, 5000)
        broker.wake()
        assert await subjects(slow, 1) == await subjects(quick, 1) == ["j5000"]


async def test_a_stream_that_ended_costs_nothing(database: Database, broker: Broker) -> None:
    async with broker.subscribe() as gone:
        pass
    async with broker.subscribe() as here:
        await announce(database, 1)
        broker.wake()
        assert await subjects(here, 1) == ["j1"]
    assert gone.empty()


async def test_a_stream_goes_on_behind_the_last_event_that_it_had(database: Database, broker: Broker) -> None:
    await announce(database, 0, 5)
    last = await newest(database) - 3
    async with broker.subscribe(last) as queue:
        await announce(database, 5, 2)
        broker.wake()
        assert await subjects(queue, 5) == ["j2", "j3", "j4", "j5", "j6"]
        assert queue.empty()


async def test_nothing_is_lost_or_doubled_where_replay_and_live_meet(database: Database, broker: Broker) -> None:
    """Events are written while streams resume: each stream has each event behind its last one exactly once."""
    await announce(database, 0)
    start = await newest(database)
    total = 60

    async def write() -> None:
        for number in range(1, total + 1):
            await announce(database, number)
            broker.wake()

    async def resume() -> list[int]:
        async with broker.subscribe(start) as queue, asyncio.timeout(30):
            return [(await queue.get()).data["n"] for _ in range(total)]

    writing = asyncio.create_task(write())
    streams = [asyncio.create_task(resume())]
    while not writing.done():
        # One more stream resumes at whatever moment this is.
        streams.append(asyncio.create_task(resume()))
        await asyncio.sleep(0)
        await asyncio.wait({writing}, timeout=0.01)
    for got in await asyncio.gather(*streams):
        assert got == list(range(1, total + 1))


async def test_events_told_during_a_replay_are_not_lost(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two questions of a replay another event is written, and told to everybody."""
    await announce(database, 0)
    start = await newest(database)
    ask = outbox.oldest_id

    async def slowly(session: object) -> int:
        await announce(database, 1)
        broker.wake()
        async with asyncio.timeout(10):
            await witness.get()
        return await ask(session)  # type: ignore[arg-type]

    async with broker.subscribe() as witness:
        monkeypatch.setattr(outbox, "oldest_id", slowly)
        async with broker.subscribe(start) as queue:
            assert await subjects(queue, 1) == ["j1"]
            assert queue.empty()


async def test_whoever_was_away_for_too_long_fetches_everything(database: Database, broker: Broker) -> None:
    await announce(database, 0, 10)
    first = await newest(database) - 9
    async with database.write() as session:
        rows = (await session.exec(select(OutboxEvent))).all()
        for row in rows[:5]:
            row.at = datetime.now(UTC) - timedelta(hours=7)
            session.add(row)
    async with database.write() as session:
        await outbox.prune(session, datetime.now(UTC) - timedelta(hours=6))
    async with broker.subscribe(first) as late:
        assert [(await late.get()).topic, late.empty()] == [Topic.RESYNC, True]
    async with broker.subscribe(first + 4) as still:
        assert await subjects(still, 5) == [f"j{number}" for number in range(5, 10)]
    async with broker.subscribe(await newest(database) + 1000) as other:
        # An id of another database, or of one from before a backup was brought back.
        assert (await other.get()).topic is Topic.RESYNC


async def test_more_than_a_queue_holds_is_not_replayed(database: Database, broker: Broker) -> None:
    await announce(database, 0, QUEUE_LENGTH + 1)
    async with broker.subscribe(1) as queue:
        assert (await queue.get()).topic is Topic.RESYNC


async def test_a_quiet_night_does_not_end_live_updates(database: Database, broker: Broker) -> None:
    """All events are old and pruned; the ids of new ones still increase, so that streams hear of them."""
    await announce(database, 0, 20)
    before = await newest(database)
    async with broker.subscribe() as queue:
        async with database.write() as session:
            await outbox.prune(session, datetime.now(UTC) + timedelta(hours=1))
        await announce(database, 99)
        assert await newest(database) > before
        broker.wake()
        while (event := await asyncio.wait_for(queue.get(), 10)).subject != "j99":
            pass
        assert event.id > before


async def test_a_database_that_fails_for_a_while_loses_nothing(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.events.broker.RETRY", 0.01)
    read, failed = outbox.after, asyncio.Event()

    async def fails(*args: object, **kwargs: object) -> list[Event]:
        failed.set()
        raise OSError("no connection")

    async with broker.subscribe() as queue:
        monkeypatch.setattr(outbox, "after", fails)
        await announce(database, 1)
        broker.wake()
        await asyncio.wait_for(failed.wait(), 10)
        monkeypatch.setattr(outbox, "after", read)
        assert await subjects(queue, 1) == ["j1"]


async def test_a_stop_ends_the_tail_and_tells_the_streams(database: Database) -> None:
    broker = Broker(database)
    await broker.start()
    assert not broker.stopping.is_set()
    await broker.stop()
    assert broker.stopping.is_set()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "outbox tail"]


ANOTHER_PROCESS = """
import asyncio, sys
from app.db.engine import Database
from app.events import outbox
from app.events.model import Topic

async def main():
    database = Database(sys.argv[1])
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        async with database.write() as session:
            outbox.announce(session, Topic.JOB, f"j{number}", n=number)
    await database.close()

asyncio.run(main())
"""


async def test_processes_hear_each_other_and_no_event_is_skipped(database: Database, broker: Broker) -> None:
    """Two other processes write at the same time: ids become visible in their order, or a reader would step over some."""
    async with broker.subscribe() as queue:
        bounds = [(0, 20), (20, 40)]
        others = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", ANOTHER_PROCESS, database.url, str(low), str(high), cwd=REPOSITORY,
                stderr=subprocess.PIPE,
            )
            for low, high in bounds
        ]  # fmt: skip
        async with asyncio.timeout(60):
            got = [await queue.get() for _ in range(40)]
            for other in others:
                _, errors = await other.communicate()
                assert other.returncode == 0, errors
    assert sorted(event.data["n"] for event in got) == list(range(40))
    assert [event.id for event in got] == sorted(event.id for event in got)
