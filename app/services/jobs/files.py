"""Looking into the files of a job: by pieces, here and on the cluster, without fetching them whole."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import BinaryIO

from app.db.repositories import clusters, jobs
from app.db.tables import Job, RemoteJob
from app.domain.names import safe_path
from app.domain.people.permissions import Actor
from app.errors import Conflict, NotFound
from app.library.kept import KeptFile, find
from app.runners.base import BaseRunner, RemoteEntry
from app.services.clusters.access import runner_for
from app.services.clusters.remote_accounts import account_of_job
from app.services.context import Context
from app.services.jobs import views as job_service
from app.services.jobs.outputs import job_of

PIECE = 1 << 16
MOST_ENTRIES = 2000
MOST_ZIPPED = 2000
_BLOCK = 1 << 20
_TEXT = frozenset(range(32, 127)) | {9, 10, 12, 13} | frozenset(range(128, 256))
PICTURES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}


@dataclass(frozen=True)
class Piece:
    """Bytes `start` to `end` of a file of `size` bytes, as text; `binary` says that they are none."""

    name: str
    size: int
    start: int
    end: int
    text: str
    binary: bool
    where: str
    found: bool | None = None
    """Whether the text that was looked for is here; None: nothing was looked for."""
    after: int = 0
    """Where to look on for the next occurrence."""

    @property
    def previous(self) -> int | None:
        """Where the piece before begins."""
        return max(0, self.start - PIECE) if self.start else None

    @property
    def next(self) -> int | None:
        """Where the piece behind begins."""
        return self.end if self.end < self.size else None


async def piece(
    context: Context, actor: Actor, job_id: str, name: str, *, at: int = 0, find: str = "", remote: bool = False
) -> Piece:
    """A piece of a file.

    Args:
        at: first byte; a negative one counts from the end. find: text; the piece then begins with the line that holds its
            first occurrence from `at` on.
        remote: read the file where the job computes, as it is now.

    Raises:
        NotFound: no such job or file. RemoteFailure, Conflict: the cluster cannot be asked.
    """
    if remote:
        return await _remote_piece(context, actor, job_id, name, at)
    opened, _ = await job_service.open_file(context, actor, job_id, name)
    return await asyncio.to_thread(_local_piece, opened, name, at, find.encode())


def _local_piece(opened: BinaryIO, name: str, at: int, needle: bytes) -> Piece:
    with opened as file:
        size = os.fstat(file.fileno()).st_size
        start = min(size, at) if at >= 0 else max(0, size + at)
        found, after = None, 0
        if needle:
            place = _find(file.fileno(), needle, start)
            found = place is not None
            after = 0 if place is None else place + len(needle)
            start = start if place is None else _line_start(file.fileno(), place)
        file.seek(start)
        data = file.read(PIECE)
    return _as_text(name, size, start, data, "here", found, after)


def _find(file: int, needle: bytes, start: int) -> int | None:
    """Where the text first stands from `start` on; blocks overlap, so that nothing hides between them."""
    place = start
    while data := os.pread(file, _BLOCK, place):
        hit = data.find(needle)
        if hit >= 0:
            return place + hit
        if len(data) < _BLOCK:
            return None
        place += len(data) - len(needle) + 1
    return None


def _line_start(file: int, place: int) -> int:
    first = max(0, place - PIECE // 4)
    return first + os.pread(file, place - first, first).rfind(b"\n") + 1


def _as_text(
    name: str, size: int, start: int, data: bytes, where: str, found: bool | None = None, after: int = 0
) -> Piece:
    strange = sum(byte not in _TEXT for byte in data[:4096])
    binary = strange > len(data[:4096]) / 20
    if binary:
        text = "\n".join(
            f"{start + row:08x}  {data[row : row + 16].hex(' ')}" for row in range(0, min(len(data), 1024), 16)
        )
        return Piece(name, size, start, start + min(len(data), 1024), text, True, where, found, after)
    if start + len(data) < size and (last := data.rfind(b"\n")) > 0:
        data = data[: last + 1]
    return Piece(name, size, start, start + len(data), data.decode("utf-8", "replace"), False, where, found, after)


# -- on the cluster ------------------------------------------------------------------------------------------------------------


async def listing(context: Context, actor: Actor, job_id: str) -> list[RemoteEntry]:
    """What lies in the job's directory on its cluster now.

    Raises:
        NotFound: no such job. Conflict: it was not submitted. RemoteFailure: the cluster cannot be asked.
    """
    runner, remote = await _at(context, actor, job_id)
    return await runner.browse(remote.directory, MOST_ENTRIES)


async def _remote_piece(context: Context, actor: Actor, job_id: str, name: str, at: int) -> Piece:
    if not safe_path(name):
        raise NotFound(f"{name[:80]!r} is not a file name.", hint="See the list of files.")
    runner, remote = await _at(context, actor, job_id)
    if at < 0:
        _, size = await runner.read(remote.directory, name, 1 << 62)
        at = max(0, size + at)
    data, size = await runner.read(remote.directory, name, at)
    if not size:
        raise NotFound(f"{name} is not in the job's directory, or is empty.", hint="See the list of files there.")
    return _as_text(name, size, at, data[:PIECE], "on the cluster")


async def _at(context: Context, actor: Actor, job_id: str) -> tuple[BaseRunner, RemoteJob]:
    job: Job = await job_of(context, actor, job_id)
    async with context.database.read() as session:
        remote = await jobs.remote(session, job_id)
        cluster = await clusters.by_id(session, job.cluster_id)
    if remote is None or cluster is None:
        raise Conflict(f"Job {job_id} has not been submitted to a cluster yet.", hint="Wait until it has begun.")
    account = await account_of_job(context, cluster, job.owner_id, remote)
    return await runner_for(context, account), remote


# -- several at once -----------------------------------------------------------------------------------------------------------


async def chosen(context: Context, actor: Actor, job_id: str, names: list[str]) -> list[tuple[str, KeptFile]]:
    """Names and places of files of a job that are here; all of them where none is named.

    Raises:
        NotFound: no such job, or one of the names is not here.
    """
    view = await job_service.get(context, actor, job_id)
    wanted = names or [file.name for file in view.files]
    found = []
    known = {file.name for file in view.files}
    for name in wanted[:MOST_ZIPPED]:
        kept = await asyncio.to_thread(find, context.job_folder(job_id), name) if name in known else None
        if kept is not None:
            found.append((name, kept))
        elif names:
            raise NotFound(f"Job {job_id[:40]} has no file {name[:80]!r} here.", hint="See the job's list of files.")
    return found
