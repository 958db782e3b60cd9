"""What every transport offers.

A command is a POSIX `sh` script of ours with arguments. Values reach it only as quoted arguments or on standard input;
no user text ever becomes part of a script (`command_lines`). A chatty start-up file of the account may print before the
script runs: everything before a marker line that the script prints first is thrown away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.errors import RemoteFailure

Sink = Callable[[bytes], object]
MAX_NOISE = 1 << 20
MAX_LINE = 4096
MAX_ANSWER = 1 << 26
"""Most bytes (64 MiB) that a script's answer may have where nobody takes it piece by piece."""


@dataclass(frozen=True)
class Completed:
    """A command that ran: its exit status and what it printed."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last lines of standard error, for an error message."""
        return " ".join(self.stderr.decode("utf-8", "replace").split("\n")[-6:]).strip()[:500]


class Kept:
    """Takes what comes, up to a limit: the other side is another machine, perhaps a hostile one.

    Raises:
        RemoteFailure: more came than was asked for; nothing of what is beyond the limit was kept.
    """

    def __init__(self, where: str, limit: int, sink: Sink | None = None) -> None:
        self._where, self._limit = where, limit
        self._data = bytearray()
        self._sink = sink or self._data.extend
        self._count = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self._count += len(data)
        if self._count > self._limit:
            raise RemoteFailure(
                f"{self._where} sent more than the {self._limit} bytes that were expected.",
                hint="A file may have grown meanwhile; CrystalDeck will retry. If it happens again, look at the machine.",
            )
        self._sink(data)

    @property
    def data(self) -> bytes:
        """All that came, where no sink took it."""
        return bytes(self._data)


class Transport(Protocol):
    """A way to one account on one machine."""

    where: str
    commands: int
    """How many commands were run so far; what a poll costs is measured with it."""

    async def run(
        self,
        script: str,
        args: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        sink: Sink | None = None,
    ) -> Completed:
        """Run `script` with `args` as $1…; with `sink`, standard output goes there as it comes.

        Raises:
            Unreachable: the connection is gone or the command did not end within `timeout` seconds.
        """
        ...

    def follow(self, script: str, args: Sequence[str] = ()) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Run a script that does not end by itself, and yield its lines."""
        ...

    async def download(self, root: str, path: str, local: Path, size: int) -> None:
        """Copy one large file; what `local` already holds is kept and the copy goes on from there.

        Args:
            root: the work directory, and `path` below it. No symbolic link below `root` is followed.
            size: bytes that the file has. No more are taken.
        """
        ...

    async def upload(self, local: Path, root: str, path: str) -> None:
        """Copy one large file to a path below `root`; a file or link that is there is replaced, not written through."""
        ...

    async def close(self) -> None:
        """Close what is held open."""
        ...


async def bounded_lines(read: Callable[[int], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    """Lines with their ends; of a line that is longer than any of ours only the beginning."""
    held = b""
    while data := await read(1 << 16):
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            yield line[:MAX_LINE] + b"\n"
        held = held[:MAX_LINE]


class NoiseFilter:
    """Drops what start-up files print: passes only the bytes after the marker to `sink`."""

    def __init__(self, marker: bytes, sink: Sink) -> None:
        self._marker = marker
        self._sink = sink
        self._before: bytes | None = b""
        self.noise = 0

    @property
    def is_passing(self) -> bool:
        """Has the marker come?"""
        return self._before is None

    @property
    def told(self) -> str:
        """The beginning of what was printed while no marker has come."""
        return (self._before or b"")[:300].decode("utf-8", "replace").strip()

    def feed(self, data: bytes) -> None:
        """Take the next bytes that the account prints.

        Raises:
            RemoteFailure: its start-up files print more than a megabyte.
        """
        if self._before is None:
            self._sink(data)
            return
        self._before += data
        position = self._before.find(self._marker)
        if position >= 0:
            rest = self._before[position + len(self._marker) :]
            self.noise, self._before = position, None
            if rest:
                self._sink(rest)
        elif len(self._before) > MAX_NOISE:
            raise RemoteFailure(
                "The account prints more than 1 MB before any command runs.",
                hint="Silence its start-up files (.bashrc) for non-interactive shells.",
            )
