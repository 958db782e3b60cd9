"""The sessions of one SSH connection, of which a machine may allow few: `MaxSessions` of sshd is 10 if nobody changed it, or 1.

A machine refuses a session beyond its limit, and counts one that was closed a little longer than we do. A refused command waits
until another one has left and is tried again; nothing fails for want of room. Channels that stay open for long (the jobs' events)
are opened only where one more session is allowed beside them, since the last session is for commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncssh

from app.transport.command_lines import Command

MAX_CHANNELS = 6
RETRIES = 9
"""Times that a session is asked for, ever more rarely, while none of ours is in its way."""
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 1.0
Process = asyncssh.SSHClientProcess[bytes]


class Channels:
    """All channels of one connection."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection
        self._room = asyncio.Semaphore(MAX_CHANNELS)
        self._busy = 0
        self._left = asyncio.Condition()
        self._served = False
        self._two: bool | None = None
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def open(self, command: Command, *, stays: bool = False) -> AsyncIterator[Process]:
        """A channel on which the command runs, once there is room; closed at the end, whatever happens.

        Args:
            stays: it is held open for long, so nobody waits for its end.

        Raises:
            asyncssh.ChannelOpenError: the machine refuses it although none of ours is in its way.
        """
        async with self._room:
            process = await self._admitted(command)
            self._busy += not stays
            try:
                yield process
            finally:
                process.close()
                self._busy -= not stays
                async with self._left:
                    self._left.notify()

    async def _admitted(self, command: Command) -> Process:
        refusals = 0
        while True:
            try:
                process = await self._connection.create_process(command.line, encoding=None)
                self._served = True
                return process
            except asyncssh.ChannelOpenError:
                refusals = 0 if self._busy else refusals + 1
                if refusals == RETRIES and self._served:
                    # A session that hangs takes the room of all others: only another connection helps.
                    self._connection.abort()
                    await self._connection.wait_closed()
                if refusals == RETRIES or self._connection.is_closed():
                    raise
            await self._somebody_leaves(refusals)

    async def _somebody_leaves(self, refusals: int) -> None:
        """Wait until a channel of ours was closed; where none is open, a little longer each time."""
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2**refusals) if refusals else _LONGEST_WAIT
        with suppress(TimeoutError):
            async with asyncio.timeout(wait), self._left:
                await self._left.wait()

    async def allow_two(self, command: Command) -> bool:
        """Whether the machine allows two sessions at a time. Found out once, with a command that ends when its input ends."""
        async with self._looking:
            if self._two is None:
                async with self.open(command) as first:
                    first.stdin.write(command.opening)
                    self._two = await self._another(command)
                    await _finish(first)
            return self._two

    async def _another(self, command: Command) -> bool:
        """Whether another session is opened beside the one that is held; commands that are under way may be in its way."""
        refusals = 0
        while refusals < RETRIES - 2:
            others = self._busy > 1
            try:
                second = await self._connection.create_process(command.line, encoding=None)
            except asyncssh.ChannelOpenError:
                refusals = 0 if others or self._busy > 1 else refusals + 1
                if self._connection.is_closed():
                    raise
                await self._somebody_leaves(refusals)
                continue
            second.stdin.write(command.opening)
            await _finish(second)
            return True
        return False


async def _finish(process: Process) -> None:
    """Let it come to its end, so that the machine counts it no more."""
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write_eof()
    await process.stdout.read()
    await process.wait_closed()
    process.close()
