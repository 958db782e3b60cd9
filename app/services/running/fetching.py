"""Bringing the files of ended jobs home: linked where they are here already, else fetched, each compared by its checksum.

Small files of all jobs travel as one stream, large ones alone, so that a broken connection is gone on with.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from app.db.repositories import library
from app.db.tables import JobAttachment
from app.errors import RemoteFailure
from app.library.kept import link_inside, move_inside, open_inside, put_inside
from app.runners.base import BLOCK_SIZE, BaseRunner, Handle, Listing, RemoteFile
from app.services.context import Context
from app.services.jobs.attachments import attached_path

log = logging.getLogger(__name__)


def kept_folder(context: Context, job_id: str) -> Path:
    """Where the fetched files of a job are kept."""
    return context.job_folder(job_id) / "files"


class Fetcher:
    """Fetches what is not here yet. What was fetched stays; a repeated run replaces files by identical ones."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def link_attached(self, listed: Mapping[str, Listing]) -> None:
        """What a job took along is here already and need not travel back."""
        async with self._context.database.read() as session:
            attached = await library.attachments_of(session, list(listed))
        await asyncio.to_thread(self._link, attached, listed)

    def _link(self, attached: Mapping[str, Sequence[JobAttachment]], listed: Mapping[str, Listing]) -> None:
        for job_id, rows in attached.items():
            sources = {row.sha256: attached_path(self._context, row) for row in rows}
            for file in listed[job_id].files if job_id in listed else ():
                source = sources.get(file.sha256)
                if source is not None and source.is_file() and not self._is_here(file):
                    with _alone(file):
                        link_inside(self._folder(file), file.name, source)

    async def fetch(
        self, runner: BaseRunner, handles: Sequence[Handle], listed: Mapping[str, Listing]
    ) -> dict[str, str]:
        """Bring every file here and compare its checksum. Returns which file of a job is not here, and why, by job id."""
        every = [file for listing in listed.values() for file in listing.files]
        missing = await asyncio.to_thread(self._missing, [file for file in every if file.sha256])
        if small := [file for file in missing if file.size < BLOCK_SIZE]:
            await self._fetch_small(runner, handles, small)
        by_id = {handle.job_id: handle for handle in handles}
        for file in missing:
            if file.size >= BLOCK_SIZE:
                await self._fetch_large(runner, by_id[file.job_id], file)
        changed = [file for file in every if not file.sha256]
        lacking = [*changed, *await asyncio.to_thread(self._missing, missing)]
        return {file.job_id: f"{file.name} changed while it was copied, or could not be read" for file in lacking}

    async def _fetch_small(self, runner: BaseRunner, handles: Sequence[Handle], files: Sequence[RemoteFile]) -> None:
        with tempfile.TemporaryFile(dir=self._scratch()) as archive:
            try:
                await runner.fetch(handles, files, archive.write)
            except RemoteFailure as error:
                # tar says so when a file changed or vanished meanwhile; what it did send is checked afterwards.
                log.warning("%s", error.sentence)
            await asyncio.to_thread(self._unpack, cast(BinaryIO, archive), handles, files)

    async def _fetch_large(self, runner: BaseRunner, handle: Handle, file: RemoteFile) -> None:
        # In a folder of its own, under its checksum: what came before a broken connection is part of this file alone.
        part = self._context.job_folder(file.job_id) / "incoming" / file.sha256
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            await runner.fetch_large(handle, file, part)
        except RemoteFailure as error:
            # It became a link, or cannot be read: this job lacks a file, and the others go on.
            log.warning("%s", error.sentence)
            return
        if await asyncio.to_thread(_sha256, part) == file.sha256:
            with _alone(file):
                move_inside(self._folder(file), file.name, part)
        else:
            part.unlink()

    def _scratch(self) -> Path:
        folder = self._context.settings.data / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _folder(self, file: RemoteFile) -> Path:
        return kept_folder(self._context, file.job_id)

    def _missing(self, files: Sequence[RemoteFile]) -> list[RemoteFile]:
        """Those whose bytes are not here yet."""
        return [file for file in files if not self._is_here(file)]

    def _is_here(self, file: RemoteFile) -> bool:
        try:
            with open_inside(self._folder(file), file.name) as kept:
                same_size = os.fstat(kept.fileno()).st_size == file.size
                return same_size and hashlib.file_digest(kept, "sha256").hexdigest() == file.sha256
        except OSError:
            return False

    def _unpack(self, archive: BinaryIO, handles: Sequence[Handle], wanted: Sequence[RemoteFile]) -> None:
        """Take only the files asked for out of the stream; their names were checked when they were listed."""
        directories = {handle.job_id: handle.directory for handle in handles}
        expected = {f"{directories[file.job_id]}/{file.name}": file for file in wanted}
        archive.seek(0)
        try:
            with tarfile.open(fileobj=archive, mode="r|") as members:
                for member in members:
                    file = expected.get(member.name)
                    source = members.extractfile(member) if file and member.isreg() else None
                    if file and source:
                        with _alone(file):
                            put_inside(self._folder(file), file.name, cast(BinaryIO, source))
        except tarfile.TarError as error:
            log.warning("the file stream broke off: %s", error)


@contextmanager
def _alone(file: RemoteFile) -> Iterator[None]:
    """One file that cannot be put in its place, such as `a/b` where `a` is a file, is missed; a full disk concerns all."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.warning("%s of job %s cannot be kept: %s", file.name, file.job_id, error)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
