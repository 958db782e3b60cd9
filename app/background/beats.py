"""Periodic work that rests while there is nothing to do, and is woken by events.

Each piece of work says when it has looked whether there is more to come. While there is, it is called at its pace; when there is
not, it rests until an event of its topics is told, or until `RESTED` seconds have passed: nothing depends on an event alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.events.model import Topic

RESTED = 60.0
"""Seconds after which resting work looks again without an event."""
Work = Callable[[], Awaitable[bool]]
"""Looks for something to do and starts it; returns whether it is to be called again at its pace."""


@dataclass
class Beat:
    """One piece of periodic work."""

    work: Work
    seconds: float
    topics: frozenset[Topic]
    at_once: bool
    """Whether an event starts resting work at once, or only lets it be called at its pace again."""
    job: Job
    resting: bool = False
    told: bool = False
    """An event came since the work last began to look."""


class Beats:
    """All periodic work of a process, on APScheduler.

    Args:
        start: begins a call of `run` for a beat as a task, unless one is under way; see there.
    """

    def __init__(self, start: Callable[[Work], Awaitable[None]]) -> None:
        self._start = start
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._beats: dict[Work, Beat] = {}

    def add(self, work: Work, seconds: float, *topics: Topic, at_once: bool = True) -> None:
        """Call `work` every `seconds` while it says that there is more to come, and otherwise when one of `topics` is told."""
        job = self._scheduler.add_job(
            self._start,
            "interval",
            args=[work],
            seconds=seconds,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._beats[work] = Beat(work, seconds, frozenset(topics), at_once, job)

    def begin(self) -> None:
        """Begin to call what was added."""
        self._scheduler.start()

    def pause(self) -> None:
        """Call nothing any more."""
        self._scheduler.pause()

    def end(self) -> None:
        """Forget everything; calls that are under way go on."""
        self._scheduler.shutdown(wait=False)

    @property
    def paces(self) -> dict[str, float]:
        """Seconds between calls, by the work's name."""
        return {work.__name__: beat.seconds for work, beat in self._beats.items()}

    async def run(self, work: Work) -> None:
        """Do the work once, and let it rest or go on by what it says. Work that fails goes on."""
        beat = self._beats[work]
        beat.told, more = False, True
        try:
            more = await work()
        finally:
            self._set_pace(beat, more or beat.told)

    async def tell(self, topics: Collection[Topic]) -> None:
        """Events of these topics came: whatever rests and waits for one of them has work again."""
        everything = Topic.RESYNC in topics
        for beat in self._beats.values():
            if everything or beat.topics.intersection(topics):
                await self._wake(beat)

    async def wake_all(self) -> None:
        """Whatever rests has work again."""
        for beat in self._beats.values():
            await self._wake(beat)

    async def _wake(self, beat: Beat) -> None:
        beat.told = True
        if not beat.resting:
            return
        self._set_pace(beat, True)
        if beat.at_once:
            await self._start(beat.work)

    def _set_pace(self, beat: Beat, more: bool) -> None:
        if more and not beat.resting:
            return
        # Also where it rests already: after a call APScheduler goes on at the pace of the beat.
        beat.resting = not more
        pause = beat.seconds if more else max(RESTED, beat.seconds)
        beat.job.modify(next_run_time=datetime.now(UTC) + timedelta(seconds=pause))
