"""Processes with limits of time and memory, for everything slow that is done with what users typed, uploaded or saved.

Nothing may block the event loop of the service: decks, structures, templates and tables are processed here. What one piece of work
does to its process (`process`) concerns no other: it is ended when its time is up, and the next one starts. Users take turns
(`turns`), and what each may have waiting is limited.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar, cast

from app.errors import LimitReached
from app.workers.process import MAX_ANSWER, Process, stopped
from app.workers.turns import Turns

__all__ = ["MAX_ANSWER", "MAX_QUESTION", "PRELOAD", "Processes", "Workers"]

T = TypeVar("T")
MAX_QUESTION = 56 << 20
"""Bytes that a process is sent: an uploaded file, or the numbers of a job."""
PRELOAD = (
    "app.workers.preload", "app.library.drafting", "app.library.evaluating", "app.library.workflow_fields",
    "app.library.pasted_tables", "app.library.spectral", "app.library.cube_pictures",
)  # fmt: skip


class Processes:
    """All worker processes. They belong to no event loop, so one set may serve several services of a test."""

    def __init__(self, count: int, memory: int, preload: Sequence[str] = PRELOAD) -> None:
        self.all = [Process(memory, preload) for _ in range(count)]
        self.memory = memory

    def start(self) -> None:
        """Make the first process, which loads what it needs by itself; the others are made once people overlap.

        A start takes a second of a core: a service that just restarted needs that for its jobs.
        """
        self.all[0].start()

    def close(self) -> None:
        """Stop all processes."""
        for process in self.all:
            process.close()


class Workers:
    """The processes as the services use them: one call each, by users in turn."""

    def __init__(self, processes: Processes, seconds: float = 20.0, waiting: int = 20, *, owned: bool = True) -> None:
        self.processes = processes
        self._owned = owned
        self.seconds = seconds
        self.waiting = waiting
        self._free = list(processes.all)
        self._turns: Turns[asyncio.Future[Process]] = Turns(len(processes.all))
        self._busy: dict[asyncio.Task[Any], asyncio.Future[Process]] = {}

    async def run(
        self,
        user: Hashable,
        work: Callable[..., T],
        *args: Any,
        seconds: float | None = None,
        patient: bool = False,
        room: int = MAX_ANSWER,
    ) -> T:
        """Call a function of a module in one of the processes.

        Args:
            user: for whom; users take turns.
            patient: work of the background, which waits as long as it must.
            room: bytes of the answer; more than usual only for what is read at once: bytes, a text, arrays.

        Raises:
            LimitReached: too much of this user's work waits already. WorkStopped: it went beyond a limit; says which. And
                whatever `work` raises.
        """
        if not patient and self._turns.waiting(user) >= self.waiting:
            raise LimitReached(
                f"{self._turns.waiting(user)} of your requests are already waiting; the limit is {self.waiting}.",
                hint="Wait until they are done, then try again.",
            )
        question = pickle.dumps((work, args, room))
        if len(question) > MAX_QUESTION:
            raise stopped(f"its input is {len(question) >> 20} MB; the limit is {MAX_QUESTION >> 20} MB")
        place: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._turns.add(user, place)
        self._serve()
        task = asyncio.create_task(self._in_turn(user, place, question, seconds or self.seconds))
        self._busy[task] = place
        task.add_done_callback(self._forget)
        try:
            # The caller may go away; the process is free again only when it has answered.
            return cast(T, _read(await asyncio.shield(task)))
        except asyncio.CancelledError:
            if not place.done():
                self._turns.remove(user, place)
                place.cancel()
            raise

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._busy.pop(task, None)
        if not task.cancelled():
            # The caller may be gone.
            task.exception()

    async def _in_turn(
        self, user: Hashable, place: asyncio.Future[Process], question: bytes, seconds: float
    ) -> tuple[str, Any]:
        process = await place
        try:
            answer = await process.answer(question, seconds)
            kind, value = pickle.loads(answer)  # noqa: S301  (our own process wrote it)
            if kind == "memory":
                # What it holds now is in pieces: the next piece of work gets a fresh one.
                await process.renew()
                value = stopped(f"it needed more than {self.processes.memory >> 20} MB of memory (the limit)")
            return kind, value
        finally:
            self._free.append(process)
            self._turns.done(user)
            self._serve()

    def _serve(self) -> None:
        """Give free processes to the next users in turn."""
        while self._free and (following := self._turns.take()) is not None:
            user, place = following
            if place.done():
                self._turns.done(user)
            else:
                place.set_result(self._take_free())

    def _take_free(self) -> Process:
        """A process that runs already, where there is one."""
        first = next((at for at, process in enumerate(self._free) if process.alive), 0)
        return self._free.pop(first)

    async def close(self) -> None:
        """End all processes, whatever they do; shared ones finish what they are doing first."""
        for task, place in self._busy.items():
            if self._owned or not place.done():
                task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        if self._owned:
            await asyncio.to_thread(self.processes.close)


def _read(answer: tuple[str, Any]) -> Any:
    kind, value = answer
    if kind == "done":
        return value
    raise value
