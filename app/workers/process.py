"""One worker process: it reads a question, works, and writes the answer; whoever asks waits a limited time.

A pipe joins it to the service, and only the two hold its ends. So the end of the process, whenever and however it comes, is the end
of the pipe: nobody ever waits for the dead. A thread for each process does the waiting, never the event loop.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import pickle
import resource
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from app.errors import CrystalDeckError, WorkStopped

MAX_ANSWER = 4 << 20
"""Bytes that come back: reading them takes the service some milliseconds."""
START_SECONDS = 60.0
"""The longest a process may take until it listens; it imports for a second or two."""
PARENT_WATCHED = 5.0
"""Seconds between looks whether the service still lives."""
NICENESS = 3
"""The processor belongs to the service first."""
_READY, _TAKEN = b"ready", b"taken"
_TRIES = 2


@dataclass(frozen=True)
class _Running:
    """A process, and the service's end of the pipe."""

    process: SpawnProcess
    pipe: Connection

    @classmethod
    def start(cls, memory: int, preload: Sequence[str]) -> _Running:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with theirs:
            process = context.Process(target=_serve, args=(theirs, memory, tuple(preload), os.getpid()), daemon=True)
            process.start()
        return cls(process, ours)

    def read(self, seconds: float) -> bytes:
        """What the process writes next.

        Raises:
            TimeoutError: nothing came in time. EOFError, OSError: the process ended.
        """
        if not self.pipe.poll(seconds):
            raise TimeoutError
        return self.pipe.recv_bytes()

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Process:
    """A worker process, started when it is first needed and started anew after it ended.

    All that waits for it happens in a thread of its own, one thing after the other.
    """

    def __init__(self, memory: int, preload: Sequence[str]) -> None:
        self._memory = memory
        self._preload = preload
        self._running: _Running | None = None
        self._closed = False
        self._guard = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker-process")

    @property
    def alive(self) -> bool:
        """Whether it runs already."""
        running = self._running
        return running is not None and running.process.is_alive()

    def start(self) -> None:
        """Start it now, and return before it is ready."""
        self._thread.submit(self._listening)

    async def answer(self, question: bytes, seconds: float) -> bytes:
        """What the process answers.

        Raises:
            WorkStopped: it took too long, or its process ended.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, question, seconds)

    async def renew(self) -> None:
        """End the process; the next question starts a fresh one."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)

    def close(self) -> None:
        """End the process for good, whatever it does."""
        with self._guard:
            self._closed = True
            if self._running is not None:
                self._running.process.kill()
        self._thread.shutdown()
        self._end()

    # -- in its thread -----------------------------------------------------------------------------------------------------

    def _ask(self, question: bytes, seconds: float) -> bytes:
        for left in reversed(range(_TRIES)):
            running = self._listening()
            taken = False
            try:
                running.pipe.send_bytes(question)
                taken = running.read(START_SECONDS) == _TAKEN
                return running.read(seconds)
            except TimeoutError:
                self._end()
                raise stopped(f"it took longer than {seconds:g} s (the limit)") from None
            except (EOFError, OSError):
                self._end()
                # One that was killed while it had nothing to do concerns nobody: the next takes the question.
                if taken or not left or self._closed:
                    raise stopped(f"its process ended; the memory limit is {self._memory >> 20} MB") from None
        raise AssertionError("unreachable")

    def _listening(self) -> _Running:
        """The process that listens; started where there is none."""
        if self._running is not None and not self.alive:
            self._end()
        if self._running is None:
            try:
                running = self._begin()
                running.read(START_SECONDS)
            except (EOFError, OSError) as error:
                self._end()
                raise CrystalDeckError(
                    f"No worker process can be started: {error or 'it ended at once'}.",
                    hint="See the server's log; the server may be out of memory.",
                ) from error
        assert self._running is not None
        return self._running

    def _begin(self) -> _Running:
        running = _Running.start(self._memory, self._preload)
        with self._guard:
            self._running = running
            if self._closed:
                running.process.kill()
        return running

    def _end(self) -> None:
        with self._guard:
            running, self._running = self._running, None
        if running is not None:
            running.end()


def stopped(reason: str) -> WorkStopped:
    """The error of work that went beyond a limit."""
    return WorkStopped(f"The computation was stopped: {reason}.", hint="Make it smaller or simpler, then try again.")


# -- in the process --------------------------------------------------------------------------------------------------------


def _serve(pipe: Connection, memory: int, preload: Sequence[str], parent: int) -> None:
    """Answer questions until the service is gone."""
    _limit(memory, parent)
    for name in preload:
        # What takes half a second to import need not be waited for later.
        importlib.import_module(name)
    try:
        pipe.send_bytes(_READY)
        while True:
            question = pipe.recv_bytes()
            pipe.send_bytes(_TAKEN)
            pipe.send_bytes(_answer(question))
    except (EOFError, OSError):
        os._exit(0)


def _limit(memory: int, parent: int) -> None:
    """Limits of the process, and no interest in the service's signals; it ends when the service was killed."""
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The default action ends the process also in the middle of C code.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)


def _exit_with_parent(parent: int) -> None:
    """While it works it does not look at the pipe, which tells that the service was killed."""
    while os.getppid() == parent:
        time.sleep(PARENT_WATCHED)
    os._exit(0)


def _answer(question: bytes) -> bytes:
    """Work, and what it gave or raised, as bytes."""
    try:
        work, args, room = pickle.loads(question)  # noqa: S301  (the service wrote it)
        answer = pickle.dumps(("done", work(*args)))
    except MemoryError:
        return pickle.dumps(("memory", None))
    except Exception as error:
        return _raised(error)
    if len(answer) > room:
        reason = f"its result is {len(answer) >> 20} MB; the limit is {room >> 20} MB"
        return pickle.dumps(("raised", stopped(reason)))
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
