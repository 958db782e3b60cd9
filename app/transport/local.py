"""This machine as a transport: the same scripts, run by a child process, as the service's account or as another one.

Children see a short list of the environment (`transport.environment`). Where `run_as` names an account, every script runs as it,
so that members' jobs can read and change only what that account may: by the kernel's own means where the service is root,
else by `sudo -n`. Files come and go through such scripts too; the service itself opens nothing in a work directory.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from app.errors import ConfigurationError, Unreachable
from app.transport.base import MAX_ANSWER, Completed, Kept, Sink, bounded_lines
from app.transport.environment import account_environment, child_environment
from app.transport.files import GIVE, TAKE, TRANSFER_SECONDS, check_copied

_CHUNK = 1 << 16
STOP_PATIENCE = 5.0
"""Seconds that a running step gets when the service stops."""


class LocalTransport:
    """Runs scripts with /bin/sh in sessions of their own, so that a stop of the service does not reach them."""

    def __init__(self, timeout: float = 60.0, run_as: str = "", pass_environment: Sequence[str] = ()) -> None:
        self.commands = 0
        self.where = f"this server as {run_as}" if run_as else "this server"
        self._timeout = timeout
        self._run_as = run_as
        self._pass = tuple(pass_environment)
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
        """See `Transport.run`.

        Raises:
            Unreachable: it did not finish in time.
        """
        return await self._limited(self._complete(script, args, stdin, sink), timeout or self._timeout)

    async def _limited(self, steps: Any, limit: float) -> Completed:
        self.commands += 1
        work: asyncio.Future[Completed] = asyncio.ensure_future(steps)
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(work)
        except TimeoutError:
            raise Unreachable(
                f"A command on {self.where} did not finish within {limit:g} s.",
                hint="A file system may hang; CrystalDeck will retry.",
            ) from None
        except asyncio.CancelledError:
            # The service stops: half a submission helps nobody, so a step that is under way may end.
            await asyncio.wait({work}, timeout=STOP_PATIENCE)
            raise
        finally:
            if not work.done():
                await self._end(work)
                await asyncio.wait({work})

    async def _complete(
        self, script: str, args: Sequence[str], stdin: bytes, sink: Sink | None, source: Any = asyncio.subprocess.PIPE
    ) -> Completed:
        process = await self._start(script, args, source)
        self._running[asyncio.current_task()] = process.pid
        kept = Kept(self.where, MAX_ANSWER)
        try:
            async with asyncio.TaskGroup() as group:
                if process.stdin is not None:
                    group.create_task(_feed(process, stdin))
                group.create_task(_drain(process, sink or kept.add))
                stderr = group.create_task(_read_errors(process))
            return Completed(await process.wait(), kept.data, stderr.result())
        except BaseExceptionGroup as errors:
            # The sink has had enough, or too much came: nobody reads the rest, but what is in the pipes must go.
            await self._kill(process.pid)
            await process.communicate()
            raise errors.exceptions[0] from errors
        except asyncio.CancelledError:
            # Nobody will read its answer any more.
            await self._kill(process.pid)
            await process.communicate()
            raise
        finally:
            del self._running[asyncio.current_task()]

    async def _end(self, work: asyncio.Future[Completed]) -> None:
        """Kill the group of a step that does not end by itself; its reader then sees the end of its output."""
        if (pid := self._running.get(work)) is not None:
            await self._kill(pid)

    async def _start(
        self, script: str, args: Sequence[str], source: Any = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        before, options = self._account()
        return await asyncio.create_subprocess_exec(
            *before,
            "/bin/sh",
            "-c",
            script,
            "sh",
            *args,
            stdin=source,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            **options,
        )

    def _account(self) -> tuple[list[str], dict[str, Any]]:
        """What precedes a command, and how its process is made, so that it runs as the account that is wanted."""
        if not self._run_as:
            environment = {"HOME": str(Path.home()), **child_environment(os.environ, self._pass)}
            return [], {"cwd": Path.home(), "env": environment}
        try:
            account = pwd.getpwnam(self._run_as)
        except KeyError:
            raise ConfigurationError(
                f"There is no account {self._run_as!r} on this server to run jobs as.",
                hint="Create it, or correct run_as of the cluster in the configuration file.",
            ) from None
        options: dict[str, Any] = {"cwd": "/", "env": account_environment(os.environ, account, self._pass)}
        if os.geteuid() == account.pw_uid:
            return [], options
        if os.geteuid() != 0:
            return ["sudo", "-n", "-H", "-u", self._run_as, "--"], options
        groups = os.getgrouplist(account.pw_name, account.pw_gid)
        return [], options | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}

    async def _kill(self, pid: int) -> None:
        """Kill a process group. One that sudo started belongs to another account: only that may end it."""
        before, options = self._account()
        if before:
            process = await asyncio.create_subprocess_exec(
                *before,
                "/bin/kill",
                "-s",
                "KILL",
                "--",
                f"-{pid}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                **options,
            )
            await process.wait()
            return
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    @asynccontextmanager
    async def follow(self, script: str, args: Sequence[str] = ()) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `Transport.follow`; the process is killed at the end."""
        self.commands += 1
        starting = asyncio.ensure_future(self._start(script, args))
        try:
            process = await asyncio.shield(starting)
            assert process.stdout is not None
            yield bounded_lines(process.stdout.read)
        finally:
            process = await starting
            await self._kill(process.pid)
            await process.communicate()

    async def download(self, root: str, path: str, local: Path, size: int) -> None:
        """See `Transport.download`; read as the account that jobs run as."""
        offset = local.stat().st_size if local.exists() else 0
        with local.open("ab") as target:
            room = Kept(self.where, size - offset, target.write)
            done = await self._limited(self._complete(GIVE, [root, path, str(offset)], b"", room.add), TRANSFER_SECONDS)
        check_copied(done, path, self.where)

    async def upload(self, local: Path, root: str, path: str) -> None:
        """See `Transport.upload`; written as the account that jobs run as."""
        with local.open("rb") as source:
            done = await self._limited(self._complete(TAKE, [root, path], b"", None, source), TRANSFER_SECONDS)
        check_copied(done, path, self.where)

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
    """What it complains about; of endless complaints the first part."""
    assert process.stderr is not None
    kept = b""
    while data := await process.stderr.read(_CHUNK):
        kept += data[: _CHUNK - len(kept)]
    return kept
