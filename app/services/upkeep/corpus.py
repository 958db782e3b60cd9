"""An archive of decks, outputs and structures, examined file by file in worker processes.

The files may be anybody's: links are not followed, nothing but regular files is opened, and each file has limits of time and
memory.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from app.domain.drawing.columns import aligned
from app.errors import CrystalDeckError, InvalidInput
from app.library.archive.corpus import Entry, examine, kind_of
from app.workers.pool import Processes, Workers

MOST_FILES = 100_000
_USER = "corpus"


def files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Regular files below a folder that can be examined, with their kinds, in the order of their paths.

    Raises:
        InvalidInput: it is no folder, or holds too many files.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder.", hint="Name the folder of an archive.")
    count = 0
    for place, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            kind = kind_of(name)
            if not kind or not _is_regular(path):
                continue
            count += 1
            if count > MOST_FILES:
                raise InvalidInput(f"{folder} holds more than {MOST_FILES} files.", hint="Name a folder below it.")
            yield path, kind


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


async def examined(folder: Path, processes: int, memory_mb: int, seconds: float) -> AsyncIterator[Entry]:
    """What is found of each file, in the order of their paths.

    Args:
        memory_mb, seconds: limits for one file.

    Raises:
        InvalidInput: as `files_below`.
    """
    workers = Workers(
        Processes(processes, memory_mb << 20, ("app.workers.preload", "app.library.archive.corpus")), seconds
    )
    pending: list[asyncio.Task[Entry]] = []
    try:
        for path, kind in files_below(folder):
            pending.append(asyncio.create_task(_examined(workers, folder, path, kind)))
            if len(pending) >= 2 * processes:
                yield await pending.pop(0)
        while pending:
            yield await pending.pop(0)
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await workers.close()


def corpus_table(entries: Sequence[Entry]) -> str:
    """One line for each file, and a line that counts them."""
    rows = [
        (
            entry.path, entry.verdict,
            "; ".join(f"{one.quantity}: read {one.read}, printed {one.printed}" for one in entry.disagrees),
            " ".join(entry.unknown), f"{entry.seconds:.2f}",
        )
        for entry in entries
    ]  # fmt: skip
    wrong = sum(1 for entry in entries if entry.disagrees)
    left = sum(1 for entry in entries if not entry.examined)
    ends = f"{len(entries)} files: {wrong} disagree, {left} not examined."
    return f"{aligned(('file', 'verdict', 'disagrees', 'unknown keywords', 's'), rows)}\n\n{ends}"


async def _examined(workers: Workers, folder: Path, path: Path, kind: str) -> Entry:
    shown = str(path.relative_to(folder))
    try:
        return await workers.run(_USER, examine, path, shown, kind, patient=True)
    except CrystalDeckError as error:
        # A limit was reached.
        return Entry(shown, kind, error.message, seconds=workers.seconds, examined=False)
    except Exception as error:
        return Entry(shown, kind, f"fails: {type(error).__name__}: {error}"[:200], examined=False)
