"""Files of several jobs as one zip, streamed: no copy of it is made."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from app.db.repositories import jobs
from app.domain.names import remote_name
from app.domain.permissions import Actor, require
from app.errors import InvalidInput
from app.services.context import Context
from app.services.selections import Selection, selected

MAX_JOBS = 1000
_BLOCK = 1 << 20


async def members(context: Context, actor: Actor, selection: Selection) -> list[tuple[str, Path]]:
    """Names in the archive, `<job>/<file>`, and where the files lie here.

    Raises:
        InvalidInput: no job, or too many of them.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        chosen = await selected(session, selection)
        if not 1 <= len(chosen) <= MAX_JOBS:
            raise InvalidInput(f"{len(chosen)} jobs were chosen.", hint=f"Tick 1 to {MAX_JOBS} jobs.")
        files = await jobs.files_of(session, [job_id for job_id, _ in chosen])
    names = dict(chosen)
    found = []
    for (job_id, name), _ in sorted(files.items()):
        for folder in ("files", "sent"):
            path = context.job_folder(job_id) / folder / name
            if path.is_file():
                found.append((f"{remote_name(names[job_id], job_id)}/{name}", path))
                break
    return found


def zipped(files: Iterable[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """The bytes of a zip with these files, piece by piece; large outputs never lie in memory."""
    pipe = _Pipe()
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files:
            if isinstance(content, bytes):
                archive.writestr(name, content)
                yield pipe.take()
                continue
            with content.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
                while data := source.read(_BLOCK):
                    target.write(data)
                    yield pipe.take()
    yield pipe.take()


class _Pipe:
    """What a zip is written to; it can be taken out while more is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
