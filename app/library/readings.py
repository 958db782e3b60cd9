"""Outputs that are shown while they grow: each byte is read once, however often it is asked for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from app.crystal.outputs.reader import OutputReader
from app.library.kept import open_regular

MOST = 48
"""Outputs whose readers are kept."""
BLOCK = 1 << 20
T = TypeVar("T")


@dataclass
class _Reading:
    file: int
    """Inode: a file that was replaced is another one."""
    offset: int = 0
    reader: OutputReader = field(default_factory=OutputReader)


class Readings:
    """The readers of this process. An answer is taken out while nobody else feeds the reader."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, _Reading] = OrderedDict()
        self._locks: dict[Path, threading.Lock] = {}
        self._guard = threading.Lock()

    async def ask(self, path: Path, question: Callable[[OutputReader], T]) -> T:
        """What `question` finds in the output as it is now.

        Raises:
            OSError: the file is gone.
        """
        return await asyncio.to_thread(self.look, path, question)

    def look(self, path: Path, question: Callable[[OutputReader], T]) -> T:
        """The same, for those who are in a thread already."""
        with self._guard:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock, open_regular(path) as file:
            status = os.fstat(file.fileno())
            with self._guard:
                reading = self._known.get(path)
                if reading is None or reading.file != status.st_ino or reading.offset > status.st_size:
                    reading = self._known[path] = _Reading(status.st_ino)
                self._known.move_to_end(path)
                while len(self._known) > MOST:
                    old, _ = self._known.popitem(last=False)
                    self._locks.pop(old, None)
            file.seek(reading.offset)
            while data := file.read(BLOCK):
                reading.reader.feed(data)
                reading.offset += len(data)
            return question(reading.reader)
