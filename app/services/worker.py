"""A process of its own, with limits of time and memory, for work on what strangers send: files and templates.

If it dies, the next piece of work gets a new one.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

MEMORY = 3 << 30
PARENT_WATCHED = 5.0
"""Seconds between looks whether the service still lives."""
_TRIES = 2
"""Whoever waited while another's work ended the process tries once more."""


class WorkerDied(Exception):
    """The work took too long, needed too much memory, or ended its process."""


class Worker:
    """One process, started when it is first needed."""

    def __init__(self, seconds: int, preload: tuple[str, ...] = ()) -> None:
        self.seconds = seconds
        self._preload = preload
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0

    def call(self, work: Callable[..., Any], *args: Any) -> Any:
        """Run `work` there and wait; from a thread that may block.

        Raises:
            WorkerDied, and whatever the work raises.
        """
        self._waiting += 1
        try:
            for _ in range(_TRIES):
                pool = self._started()
                try:
                    return pool.submit(_limited, self.seconds, work, args).result()
                except (BrokenProcessPool, MemoryError) as error:
                    fault = error
                    if self._pool is pool:
                        self._pool = None
                    pool.shutdown(wait=False)
                if self._waiting == 1:
                    break
            raise WorkerDied(f"not done within {self.seconds} s and {MEMORY >> 30} GB") from fault
        finally:
            self._waiting -= 1

    async def run(self, work: Callable[..., Any], *args: Any) -> Any:
        """`call`, without holding up the event loop."""
        return await asyncio.to_thread(self.call, work, *args)

    def prepare(self) -> None:
        """Start the process: it will be needed soon."""
        if self._pool is None:
            self._started().submit(_nothing)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_limit, initargs=(self._preload,))
        return self._pool

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _limit(preload: tuple[str, ...]) -> None:
    """Limits of the process, and no interest in the service's signals; it ends when the service was killed."""
    threading.Thread(target=_outlive_nobody, args=(os.getppid(),), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in preload:
        # What takes half a second to import need not be waited for later.
        importlib.import_module(name)


def _outlive_nobody(parent: int) -> None:
    """The pool's own pipes never tell of a parent that was killed."""
    while os.getppid() == parent:
        time.sleep(PARENT_WATCHED)
    os._exit(0)


def _limited(seconds: int, work: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    # The alarm's default action ends the process, also in the middle of C code.
    signal.alarm(seconds)
    try:
        return work(*args)
    finally:
        signal.alarm(0)


def _nothing() -> None:
    """Work that only starts the process."""
