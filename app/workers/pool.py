"""Processes with limits of time and memory, for everything slow that is done with what users typed, uploaded or saved.

Nothing may block the event loop of the service: decks, structures, templates and tables are processed here. Each process is a
pool of its own of Pebble's, which ends it when its time is up and starts the next one; so what one piece of work does to its
process concerns no other. Users take turns (`turns`), and what each may have waiting is limited.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar, cast

from pebble import ProcessExpired, ProcessPool

from app.errors import CrystalDeckError, LimitReached, WorkStopped
from app.workers.turns import Turns

T = TypeVar("T")
MAX_QUESTION = 56 << 20
"""Bytes that a process is sent: an uploaded file, or the numbers of a job."""
MAX_ANSWER = 4 << 20
"""Bytes that come back: reading them takes the service some milliseconds."""
PARENT_WATCHED = 5.0
"""Seconds between looks whether the service still lives."""
NICENESS = 3
"""The processor belongs to the service first."""
PRELOAD = (
    "app.workers.preload", "app.library.drafting", "app.library.evaluating", "app.library.workflow_fields",
    "app.library.pasted_tables", "app.library.spectral", "app.library.cube_pictures",
)  # fmt: skip
_TRIES = 2
log = logging.getLogger(__name__)


class _Process:
    """One process, started when it is first needed and replaced when it ended."""

    def __init__(self, memory: int, preload: Sequence[str]) -> None:
        self._memory = memory
        self._preload = tuple(preload)
        self._pool: ProcessPool | None = None
        self._guard = threading.Lock()

    def start(self) -> ProcessPool:
        """The pool that is running; it blocks while the process is made, so call it in a thread where it may be."""
        with self._guard:
            if self._pool is not None and self._pool.active:
                return self._pool
            self._drop()
            context = multiprocessing.get_context("spawn")
            arguments = (self._memory, self._preload, os.getpid())
            pool = ProcessPool(max_workers=1, initializer=_limit, initargs=arguments, context=context)
            pool.schedule(_nothing)
            self._pool = pool
            return pool

    @property
    def running(self) -> ProcessPool | None:
        return self._pool if self._pool is not None and self._pool.active else None

    def close(self) -> None:
        """End the process, whatever it does."""
        with self._guard:
            self._drop()

    def _drop(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    async def answer(self, question: bytes, seconds: float) -> bytes:
        """What the process answers.

        Raises:
            WorkStopped: it took too long, or its process ended.
        """
        for left in reversed(range(_TRIES)):
            try:
                pool = self.running
                if pool is None:
                    pool = await asyncio.to_thread(self.start)
                future = pool.schedule(_answer, args=(question,), timeout=seconds)
                return await asyncio.wrap_future(cast("Future[bytes]", future))
            except TimeoutError:
                raise _stopped(f"it took longer than {seconds:g} s (the limit)") from None
            except ProcessExpired:
                raise _stopped(f"its process ended; the memory limit is {self._memory >> 20} MB") from None
            except (BrokenProcessPool, RuntimeError) as error:
                # The process ended while it had nothing to do, or could not start.
                if not left:
                    raise CrystalDeckError(
                        f"No worker process can be started: {error}.",
                        hint="See the server's log; the server may be out of memory.",
                    ) from error
                await asyncio.to_thread(self.close)
        raise AssertionError("unreachable")


class Processes:
    """All worker processes. They belong to no event loop, so one set may serve several services of a test."""

    def __init__(self, count: int, memory: int, preload: Sequence[str] = PRELOAD) -> None:
        self.all = [_Process(memory, preload) for _ in range(count)]
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
        self._turns: Turns[asyncio.Future[_Process]] = Turns(len(processes.all))
        self._busy: dict[asyncio.Task[Any], asyncio.Future[_Process]] = {}

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
            raise _stopped(f"its input is {len(question) >> 20} MB; the limit is {MAX_QUESTION >> 20} MB")
        place: asyncio.Future[_Process] = asyncio.get_running_loop().create_future()
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
        self, user: Hashable, place: asyncio.Future[_Process], question: bytes, seconds: float
    ) -> tuple[str, Any]:
        process = await place
        try:
            answer = await process.answer(question, seconds)
            kind, value = pickle.loads(answer)  # noqa: S301  (our own process wrote it)
            if kind == "memory":
                # What it holds now is in pieces: the next piece of work gets a fresh one.
                await asyncio.to_thread(process.close)
                value = _stopped(f"it needed more than {self.processes.memory >> 20} MB of memory (the limit)")
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

    def _take_free(self) -> _Process:
        """A process that runs already, where there is one."""
        first = next((at for at, process in enumerate(self._free) if process.running is not None), 0)
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


def _stopped(reason: str) -> WorkStopped:
    return WorkStopped(f"The computation was stopped: {reason}.", hint="Make it smaller or simpler, then try again.")


# -- in the processes ------------------------------------------------------------------------------------------------------


def _limit(memory: int, preload: Sequence[str], parent: int) -> None:
    """Limits of the process, and no interest in the service's signals; it ends when the service was killed."""
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The default action ends the process also in the middle of C code.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    for name in preload:
        # What takes half a second to import need not be waited for later.
        importlib.import_module(name)


def _exit_with_parent(parent: int) -> None:
    """Pebble's pipes never tell of a parent that was killed."""
    while os.getppid() == parent:
        time.sleep(PARENT_WATCHED)
    os._exit(0)


def _answer(question: bytes) -> bytes:
    """Work, and what it gave or raised, as bytes: nothing that cannot be read may reach Pebble's own threads."""
    try:
        work, args, room = pickle.loads(question)  # noqa: S301  (the service wrote it)
        answer = pickle.dumps(("done", work(*args)))
    except MemoryError:
        return pickle.dumps(("memory", None))
    except Exception as error:
        return _raised(error)
    if len(answer) > room:
        reason = f"its result is {len(answer) >> 20} MB; the limit is {room >> 20} MB"
        return pickle.dumps(("raised", _stopped(reason)))
    return answer


def _raised(error: Exception) -> bytes:
    """The error, where it can travel, with the place where it was raised."""
    if not isinstance(error, CrystalDeckError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        answer = pickle.dumps(("raised", error))
        pickle.loads(answer)  # noqa: S301  (made in the line above)
    except Exception:
        answer = pickle.dumps(("raised", RuntimeError(f"{type(error).__name__}: {error}"[:2000])))
    return answer if len(answer) <= MAX_ANSWER else pickle.dumps(("raised", RuntimeError(type(error).__name__)))


def _nothing() -> None:
    """Work that only starts the process."""
