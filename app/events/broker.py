"""Fan-out of outbox events to the open streams of this process.

One task tails the table. It is woken by this process's own commits, and by word that another process has written
(`db.changes`). Each subscriber has a bounded queue: one that is too slow loses its backlog and is told to resync.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.db.changes import watch_writes
from app.db.engine import Database
from app.events import outbox
from app.events.model import Event, Topic

QUEUE_LENGTH = 2048
"""A batch of jobs may change at once; a stream that falls behind by more is told to fetch everything again."""
LOOK_ANYWAY = 60.0
"""Seconds after which the table is looked at though nobody told of anything."""
RETRY = 1.0
"""Seconds after which a table that could not be read is looked at again."""
log = logging.getLogger(__name__)


class Broker:
    """Start it once per process; `subscribe` yields a queue of events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: dict[asyncio.Queue[Event], int] = {}
        """Open streams, each with the id of the last event that it has had."""
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._last_id = 0
        self.stopping = asyncio.Event()
        database.on_news(self.wake)

    async def start(self) -> None:
        """Follow the outbox from its newest event on."""
        async with self._database.read() as session:
            self._last_id = await outbox.newest_id(session)
        self._tasks = [
            asyncio.create_task(self._tail(), name="outbox tail"),
            asyncio.create_task(watch_writes(self._database, self.wake), name="writes of other processes"),
        ]

    async def stop(self) -> None:
        """Follow it no longer, and let streams end."""
        self.stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def wake(self) -> None:
        """Look at the table now: called after every commit that wrote events."""
        self._wake.set()

    async def _tail(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_ANYWAY):
                    await self._wake.wait()
            self._wake.clear()
            try:
                async with self._database.read() as session:
                    events = await outbox.after(session, self._last_id)
            except Exception:
                log.exception("the outbox cannot be read; trying again")
                await asyncio.sleep(RETRY)
                self._wake.set()
                continue
            if len(events) == outbox.PAGE:
                self._wake.set()
            for event in events:
                self._last_id = event.id
                for queue, had in self._subscribers.items():
                    if event.id > had:
                        _put(queue, event)

    @asynccontextmanager
    async def subscribe(self, last_id: int | None = None) -> AsyncIterator[asyncio.Queue[Event]]:
        """A queue of all events from now on; with `last_id`, of those after it too, or a resync where some are gone."""
        queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_LENGTH)
        # It is subscribed first, then earlier events are put in front: no event falls between the two.
        self._subscribers[queue] = last_id or 0
        try:
            if last_id is not None:
                await self._replay(queue, last_id)
            yield queue
        finally:
            del self._subscribers[queue]

    async def _replay(self, queue: asyncio.Queue[Event], last_id: int) -> None:
        told = self._last_id
        async with self._database.read() as session:
            missed = await outbox.after(session, last_id, QUEUE_LENGTH)
            oldest, newest = await outbox.oldest_id(session), await outbox.newest_id(session)
        came = [queue.get_nowait() for _ in range(queue.qsize())]
        before = [event for event in missed if event.id <= told]
        if last_id > newest or last_id + 1 < oldest or len(missed) >= QUEUE_LENGTH:
            # Pruned meanwhile, too many, or an id of another database.
            self._subscribers[queue] = 0
            before = [Event(told, Topic.RESYNC)]
        for event in (*before, *came):
            _put(queue, event)


def _put(queue: asyncio.Queue[Event], event: Event) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(Event(event.id, Topic.RESYNC))
    else:
        queue.put_nowait(event)
