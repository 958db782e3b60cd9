"""Periodic work: it rests while there is nothing to do, is woken by what happens, and loses no word that comes meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from app.background import beats as module
from app.background.beats import Beats, Work
from app.events.model import Topic
from tests.support.waiting import until


class Worker:
    """Work that says what it is told to say, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.more = False
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.called = asyncio.Condition()

    async def work(self) -> bool:
        async with self.called:
            self.calls += 1
            self.called.notify_all()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.more

    async def until(self, calls: int) -> None:
        async with asyncio.timeout(20), self.called:
            await self.called.wait_for(lambda: self.calls >= calls)


@pytest.fixture
async def beats() -> AsyncIterator[Beats]:
    tasks: dict[Work, asyncio.Task[None]] = {}

    async def quietly(work: Work) -> None:
        with contextlib.suppress(ValueError):
            await made.run(work)

    async def start(work: Work) -> None:
        if work not in tasks or tasks[work].done():
            tasks[work] = asyncio.create_task(quietly(work))

    made = Beats(start)
    made.begin()
    yield made
    made.pause()
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    made.end()


async def rests(beats: Beats, worker: Worker) -> None:
    await until(lambda: beats._beats[worker.work].resting)


async def others_had_their_turn(beats: Beats) -> None:
    """Much quicker work was called ten times meanwhile."""
    other = Worker()
    other.more = True
    beats.add(other.work, 0.02)
    await other.until(10)
    other.more = False


async def test_work_goes_on_at_its_pace_while_there_is_any_and_then_rests(beats: Beats) -> None:
    worker = Worker()
    worker.more = True
    beats.add(worker.work, 0.01)
    await worker.until(5)
    worker.more = False
    await rests(beats, worker)
    before = worker.calls
    await others_had_their_turn(beats)
    assert worker.calls == before


async def test_an_event_of_its_topics_wakes_it_and_no_other(beats: Beats) -> None:
    worker = Worker()
    beats.add(worker.work, 0.01, Topic.JOB, Topic.BATCH)
    await rests(beats, worker)
    before = worker.calls
    await beats.tell({Topic.WORKFLOW, Topic.PROGRESS})
    await others_had_their_turn(beats)
    assert worker.calls == before
    await beats.tell({Topic.WORKFLOW, Topic.BATCH})
    await worker.until(before + 1)
    await rests(beats, worker)
    await beats.tell({Topic.RESYNC})
    await worker.until(before + 2)


async def test_what_an_event_found_it_goes_on_with(beats: Beats) -> None:
    worker = Worker()
    beats.add(worker.work, 0.01, Topic.JOB)
    await rests(beats, worker)
    worker.more = True
    await beats.tell({Topic.JOB})
    await worker.until(worker.calls + 5)


async def test_an_event_that_comes_while_it_looks_is_not_lost(beats: Beats) -> None:
    """It has looked already, and finds nothing: it is called again for what it did not see."""
    worker = Worker()
    worker.gate = asyncio.Event()
    beats.add(worker.work, 0.01, Topic.JOB)
    await worker.until(1)
    await beats.tell({Topic.JOB})
    worker.gate.set()
    await worker.until(2)
    await rests(beats, worker)


async def test_patient_work_is_called_at_its_pace_and_not_for_each_event(beats: Beats) -> None:
    worker = Worker()
    beats.add(worker.work, 0.5, Topic.JOB, at_once=False)
    await worker.until(1)
    await rests(beats, worker)
    await beats.tell({Topic.JOB})
    assert not beats._beats[worker.work].resting
    await others_had_their_turn(beats)
    assert worker.calls == 1
    await worker.until(2)


async def test_work_that_fails_does_not_rest(beats: Beats) -> None:
    worker = Worker()
    worker.error = ValueError("no such table")
    beats.add(worker.work, 0.01)
    await worker.until(3)
    worker.error = None
    await rests(beats, worker)


async def test_rest_ends_without_any_event(beats: Beats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTED", 0.05)
    worker = Worker()
    beats.add(worker.work, 0.01)
    await worker.until(4)
