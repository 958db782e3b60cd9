"""Files of several jobs as one zip, streamed: no copy of it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED

from zipstream import ZipStream

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
    """The bytes of a zip with these files, piece by piece; large outputs never lie in memory.

    zipstream writes the format. Files are handed to it as pieces, not as paths: so each is opened when its turn comes, and
    may grow past 4 GiB while it is read (Zip64).
    """
    archive = ZipStream(compress_type=ZIP_DEFLATED, compress_level=1)
    for name, content in files:
        archive.add(content if isinstance(content, bytes) else _pieces(content), name)
        yield from filter(None, archive.file())
    yield from archive.finalize()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while data := source.read(_BLOCK):
            yield data
