"""This machine as a transport: the same scripts, run by a child process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from app.errors import Unreachable
from app.transport.base import Completed, Sink

_CHUNK = 1 << 16
STOP_PATIENCE = 5.0
"""Seconds that a running step gets when the service stops."""


class LocalTransport:
    """Runs scripts with /bin/sh in sessions of their own, so that a stop of the service does not reach them."""

    where = "this server"

    def __init__(self, timeout: float = 60.0) -> None:
        self.commands = 0
        self._timeout = timeout
        self._running: dict[object, int] = {}

    async def run(
        self,
        script: str,
        args: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        sink: Sink | None = None,
    ) -> Completed:
        self.commands += 1
        work = asyncio.ensure_future(self._complete(script, args, stdin, sink))
        try:
            async with asyncio.timeout(timeout or self._timeout):
                return await asyncio.shield(work)
        except TimeoutError:
            raise Unreachable(
                f"A command on this server did not end within {timeout or self._timeout:g} s.",
                hint="Is a file system hanging? CrystalDeck tries again.",
            ) from None
        except asyncio.CancelledError:
            # The service stops: half a submission helps nobody, so a step that is under way may end.
            await asyncio.wait({work}, timeout=STOP_PATIENCE)
            raise
        finally:
            if not work.done():
                self._end(work)
                await asyncio.wait({work})

    async def _complete(self, script: str, args: Sequence[str], stdin: bytes, sink: Sink | None) -> Completed:
        process = await self._start(script, args)
        self._running[asyncio.current_task()] = process.pid
        kept = bytearray()
        try:
            _, _, stderr = await asyncio.gather(
                _feed(process, stdin), _drain(process, sink or kept.extend), _read_errors(process)
            )
            return Completed(await process.wait(), bytes(kept), stderr)
        except asyncio.CancelledError:
            # Nobody will read its answer any more.
            _kill_group(process.pid)
            await process.wait()
            raise
        finally:
            del self._running[asyncio.current_task()]

    def _end(self, work: asyncio.Future[Completed]) -> None:
        """Kill the group of a step that does not end by itself; its reader then sees the end of its output."""
        if (pid := self._running.get(work)) is not None:
            _kill_group(pid)

    async def _start(self, script: str, args: Sequence[str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", script, "sh", *args,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True, cwd=Path.home(),
        )  # fmt: skip

    @asynccontextmanager
    async def follow(self, script: str, args: Sequence[str] = ()) -> AsyncIterator[AsyncIterator[bytes]]:
        self.commands += 1
        starting = asyncio.ensure_future(self._start(script, args))
        try:
            process = await asyncio.shield(starting)
            assert process.stdout is not None
            yield process.stdout
        finally:
            process = await starting
            _kill_group(process.pid)
            await process.communicate()

    async def download(self, remote: str, local: Path, size: int) -> None:
        self.commands += 1
        await asyncio.to_thread(shutil.copyfile, Path.home() / remote, local)

    async def upload(self, local: Path, remote: str) -> None:
        self.commands += 1
        await asyncio.to_thread(shutil.copyfile, local, Path.home() / remote)

    async def close(self) -> None:
        """Nothing is held open."""


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _drain(process: asyncio.subprocess.Process, sink: Sink) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(_CHUNK):
        sink(data)


async def _read_errors(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr is not None
    return await process.stderr.read()


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
