"""When things happen: each at its pace, one of a kind at a time, and what fails or hangs holds up nothing else."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.background import scheduler
from app.background.scheduler import Background
from app.domain.people.credentials import CredentialKey
from app.errors import Unreachable
from app.services.batches import work as batch_work
from app.services.clusters import member_keys
from app.services.clusters.remote_accounts import Account
from app.services.context import Context, make_context
from app.services.running.monitoring import Monitor
from app.services.running.submission import Dispatcher
from app.settings import ClusterSettings
from tests.support.app import settings_for
from tests.support.waiting import until

Make = Callable[..., Context]


@pytest.fixture
async def make(tmp_path: Any, database_url: str) -> AsyncIterator[Make]:
    """Contexts of one service: as many as it has processes."""
    made: list[Context] = []

    def context(**changes: Any) -> Context:
        made.append(make_context(settings_for(tmp_path, database_url=database_url, clusters={}, **changes)))
        return made[-1]

    yield context
    for one in made:
        await one.pool.close()
        await one.database.close()
    for thread in threading.enumerate():
        # A statement that was cancelled ends in its thread, which tells this event loop: that must still be there.
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 10)


class Rounds:
    """Stands in for the rounds of all clusters; counts them, and lets some fail or hang."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *clusters: int) -> None:
        self.counts: Counter[int] = Counter()
        self.hanging: dict[int, asyncio.Event] = {}
        self.failing: dict[int, Exception] = {}
        self.ended: list[int] = []
        self.cancelled: list[int] = []
        self._changed = asyncio.Condition()
        outer = self

        async def ids(_: Context) -> list[int]:
            return list(clusters)

        async def run(_: Dispatcher, cluster_id: int) -> None:
            await outer.begin(cluster_id)

        monkeypatch.setattr(scheduler, "cluster_ids", ids)
        monkeypatch.setattr(Dispatcher, "run", run)

    async def begin(self, cluster_id: int) -> None:
        self.counts[cluster_id] += 1
        async with self._changed:
            self._changed.notify_all()
        if cluster_id in self.failing:
            raise self.failing[cluster_id]
        try:
            if cluster_id in self.hanging:
                await self.hanging[cluster_id].wait()
        except asyncio.CancelledError:
            self.cancelled.append(cluster_id)
            raise
        self.ended.append(cluster_id)
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: bool(condition()))


async def turns(number: int = 50) -> None:
    """Let everything run that can, without waiting for time to pass."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_work_that_fails_is_tried_again_and_stops_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = Rounds(monkeypatch, 1, 2, 3)
    rounds.failing = {1: ValueError("broken row"), 2: Unreachable("gone.", hint="Wait.")}
    background = Background(make(dispatch_interval=0.02))
    with caplog.at_level(logging.WARNING):
        await background.start()
        await rounds.until(lambda: min(rounds.counts[number] for number in (1, 2)) >= 2 and rounds.counts[3] >= 5)
        await background.stop()
    # Each with its reason, and with a traceback only once where nobody foresaw it.
    told = [record.getMessage() for record in caplog.records if "('dispatch', " in record.getMessage()]
    assert any("ValueError: broken row" in words for words in told) and any("gone. Wait." in words for words in told)
    traced = [record.getMessage() for record in caplog.records if record.exc_info]
    assert len(traced) == 1 and "('dispatch', 1)" in traced[0]


async def test_a_tick_that_fails_comes_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    Rounds(monkeypatch)
    monkeypatch.setattr(scheduler, "POLL_TICK", 0.02)
    asked, again = 0, asyncio.Event()

    async def busy(_: Context) -> list[str]:
        nonlocal asked
        asked += 1
        if asked >= 2:
            again.set()
        raise RuntimeError("no such table")

    monkeypatch.setattr(batch_work, "busy", busy)
    background = Background(make())
    await background.start()
    await asyncio.wait_for(again.wait(), 30)
    await background.stop()


async def test_a_round_that_hangs_holds_up_only_itself(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = Rounds(monkeypatch, 1, 2)
    rounds.hanging[1] = asyncio.Event()
    background = Background(make(dispatch_interval=0.02))
    await background.start()
    await rounds.until(lambda: rounds.counts[2] >= 5)
    assert rounds.counts[1] == 1
    rounds.hanging.pop(1).set()
    await rounds.until(lambda: rounds.counts[1] >= 3)
    await background.stop()


async def test_what_was_made_during_a_round_gets_one_more_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tick is due for an hour: only nudges start rounds."""
    rounds = Rounds(monkeypatch, 1)
    gate = rounds.hanging[1] = asyncio.Event()
    monkeypatch.setattr(scheduler, "NUDGE_PAUSE", 0.0)
    context = make(dispatch_interval=3600)
    background = Background(context)
    await background.start()
    await rounds.until(lambda: rounds.counts[1] == 1)
    looked = 0

    async def counted(_: Context) -> list[int]:
        nonlocal looked
        looked += 1
        return [1]

    monkeypatch.setattr(scheduler, "cluster_ids", counted)
    for number in range(1, 4):
        context.nudge.set()
        await until(lambda number=number: looked >= number)
    gate.set()
    await rounds.until(lambda: len(rounds.ended) == 2)
    await turns()
    assert rounds.counts[1] == 2
    await background.stop()


async def test_a_new_process_begins_without_waiting_for_a_tick(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = Rounds(monkeypatch, 1)
    background = Background(make(dispatch_interval=3600))
    await background.start()
    await rounds.until(lambda: rounds.counts[1] == 1)
    await background.stop()


async def test_only_the_leader_works_and_another_process_follows_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: Counter[int] = Counter()
    changed = asyncio.Event()

    async def ids(context: Context) -> list[int]:
        worked[id(context)] += 1
        changed.set()
        return []

    monkeypatch.setattr(scheduler, "cluster_ids", ids)
    monkeypatch.setattr(scheduler, "LEAD_TICK", 0.02)
    first, second = make(dispatch_interval=0.02), make(dispatch_interval=0.02)
    leader, other = Background(first), Background(second)
    await leader.start()
    async with asyncio.timeout(30):
        await changed.wait()
    await other.start()
    asked = 0
    acquire = other._leader.acquire

    async def asks() -> bool:
        nonlocal asked
        asked += 1
        return await acquire()

    monkeypatch.setattr(other._leader, "acquire", asks)
    await until(lambda: asked >= 20)
    assert set(worked) == {id(first)}
    await leader.stop()
    await until(lambda: id(second) in worked)
    before = worked[id(first)]
    await other.stop()
    assert worked[id(first)] == before


async def test_a_stop_ends_what_hangs_and_lets_nothing_begin(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = Rounds(monkeypatch, 1, 2)
    rounds.hanging[1] = asyncio.Event()
    context = make(dispatch_interval=0.02)
    background = Background(context)
    await background.start()
    await rounds.until(lambda: rounds.counts[1] and rounds.counts[2] >= 2)
    await background.stop()
    assert rounds.cancelled == [1]
    before = rounds.counts.copy()
    context.nudge.set()
    await background._tick(background._dispatch)
    await turns()
    assert rounds.counts == before
    assert not [task for task in asyncio.all_tasks() if "dispatch" in task.get_name() or task.get_name() == "nudges"]
    # The lock is free for another process.
    after = Background(make(dispatch_interval=3600))
    await after.start()
    await rounds.until(lambda: rounds.counts[2] > before[2])
    await after.stop()


def account(user: int) -> Account:
    settings = ClusterSettings(runner_type="ssh", hostname="h.example.org")
    return Account("lab", settings, CredentialKey(1, "alice", user, user, f"SHA256:{user}"))


async def test_credentials_are_polled_apart(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two members with one account name: the poll of one hangs, its events fail, and the other's come and go."""
    Rounds(monkeypatch)
    monkeypatch.setattr(scheduler, "POLL_TICK", 0.02)
    ada, mallory = account(1), account(2)
    polled: Counter[CredentialKey] = Counter()
    often, followed = asyncio.Event(), asyncio.Event()

    async def accounts(_: Monitor) -> list[Account]:
        return [mallory, ada]

    async def run(_: Monitor, one: Account) -> None:
        polled[one.key] += 1
        if one is mallory:
            await asyncio.Event().wait()
        if polled[ada.key] >= 5:
            often.set()

    async def runner_for(_: Context, one: Account) -> Any:
        if one is ada:
            followed.set()
        raise Unreachable("no way.")

    monkeypatch.setattr(Monitor, "accounts", accounts)
    monkeypatch.setattr(Monitor, "run", run)
    monkeypatch.setattr(scheduler, "runner_for", runner_for)
    background = Background(make())
    await background.start()
    async with asyncio.timeout(30):
        await often.wait()
        await followed.wait()
    await background.stop()
    assert polled[mallory.key] == 1


async def test_every_process_closes_stale_connections_and_the_leader_forgets_keys(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    Rounds(monkeypatch)
    monkeypatch.setattr(scheduler, "KEYS_TICK", 0.02)
    forgotten, closed = asyncio.Event(), asyncio.Event()
    first, second = make(), make()

    async def forget(context: Context) -> None:
        assert context is first
        forgotten.set()

    async def close(context: Context) -> None:
        assert context is second
        closed.set()

    monkeypatch.setattr(member_keys, "forget_unneeded", forget)
    monkeypatch.setattr(member_keys, "close_stale", close)
    leader, other = Background(first), Background(second)
    await leader.start()
    await asyncio.wait_for(forgotten.wait(), 30)
    await other.start()
    await asyncio.wait_for(closed.wait(), 30)
    await other.stop()
    await leader.stop()


async def test_the_cadence_is_that_of_the_settings(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    Rounds(monkeypatch)
    background = Background(make(dispatch_interval=7.5))
    await background.start()
    paces = background._beats.paces
    await background.stop()
    assert paces["_dispatch"] == 7.5
    assert paces["_poll"] == scheduler.POLL_TICK and paces["_usage"] == scheduler.USAGE_TICK
    assert all(job >= 0.1 for job in paces.values())
