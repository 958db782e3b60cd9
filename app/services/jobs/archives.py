"""Files of several jobs as one zip, streamed: no copy of it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from zipfile import ZIP_DEFLATED

from zipstream import ZipStream

from app.db.repositories import jobs
from app.domain.names import remote_name
from app.domain.people.permissions import Actor, require
from app.errors import InvalidInput
from app.library.kept import KeptFile, find, open_regular
from app.services.context import Context
from app.services.jobs.selections import Selection, selected

MAX_JOBS = 1000
MISSING = "MISSING.txt"
_BLOCK = 1 << 20


async def members(context: Context, actor: Actor, selection: Selection) -> list[tuple[str, KeptFile]]:
    """Names in the archive, `<job>/<file>`, and where the files lie here.

    Raises:
        InvalidInput: no job, or too many of them.
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        chosen = await selected(session, selection)
        if not 1 <= len(chosen) <= MAX_JOBS:
            raise InvalidInput(f"{len(chosen)} jobs were selected.", hint=f"Select 1 to {MAX_JOBS} jobs.")
        files = await jobs.files_of(session, [job_id for job_id, _ in chosen])
    names = dict(chosen)

    def kept() -> list[tuple[str, KeptFile]]:
        listed = [(job_id, name, find(context.job_folder(job_id), name)) for job_id, name in sorted(files)]
        return [(f"{remote_name(names[job_id], job_id)}/{name}", file) for job_id, name, file in listed if file]

    return await asyncio.to_thread(kept)


def zipped(files: Iterable[tuple[str, KeptFile | Path | bytes]]) -> Iterator[bytes]:
    """The bytes of a zip with these files, piece by piece; large outputs never lie in memory.

    zipstream writes the format. Files are handed to it as pieces, not as paths: so each is opened when its turn comes, without
    following a link, and may grow past 4 GiB while it is read (Zip64). One that cannot be opened by then is named in
    `MISSING.txt`: no archive looks whole that is not.
    """
    archive = ZipStream(compress_type=ZIP_DEFLATED, compress_level=1)
    missing = []
    for name, content in files:
        if isinstance(content, bytes):
            archive.add(content, name)
            yield from archive.file()
            continue
        try:
            source = content.open() if isinstance(content, KeptFile) else open_regular(content)
        except OSError as error:
            missing.append(f"{name}: {error.strerror or error}\n")
            continue
        with source:  # also closed where the download is broken off
            archive.add(iter(partial(source.read, _BLOCK), b""), name)
            yield from filter(None, archive.file())
    if missing:
        archive.add("These files could not be read when this archive was made:\n\n" + "".join(missing), MISSING)
    yield from archive.finalize()
