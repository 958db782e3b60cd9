"""Structures for the composer and for notebooks: from files, and from the collection of textbook crystals.

Files are read in a process of their own with limits of time and memory: the libraries that read them are written in C and
meet whatever people upload. If it dies, the next file gets a new one.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import resource
import signal
import tomllib
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.crystal.importers import Imported, read_structure
from app.crystal.structures import StructureError
from app.errors import FieldError, InvalidInput, NotFound
from app.services.templates import BUILT_IN, SHARED

SECONDS = 20
MEMORY = 3 << 30


@dataclass(frozen=True)
class TextbookCrystal:
    """A crystal of the built-in collection: values of the fields of a bulk template, and its shortest bond in Å."""

    key: str
    label: str
    parameters: dict[str, Any]
    bond: float


@cache
def textbook() -> dict[str, TextbookCrystal]:
    """The collection, by key."""
    text = (BUILT_IN / SHARED / "crystals.toml").read_text(encoding="utf-8")
    found = {}
    for key, values in tomllib.loads(text)["crystals"].items():
        parameters = {name: value for name, value in values.items() if name not in ("label", "bond")}
        found[key] = TextbookCrystal(key, values["label"], {"title": key, **parameters}, values["bond"])
    return found


def textbook_crystal(key: str) -> TextbookCrystal:
    try:
        return textbook()[key]
    except KeyError:
        raise NotFound(f"There is no textbook crystal {key[:40]!r}.", hint=f"Known: {', '.join(textbook())}.") from None


class StructureReader:
    """Reads files in its own process; one per service."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def read(self, data: bytes, name: str, tolerance: float) -> Imported:
        """The crystal in a file.

        Raises:
            InvalidInput: names the field (`file` or `tolerance`) and the reason.
        """
        pool = self._started()
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, _read, data, name, tolerance)
        except StructureError as error:
            raise _refusal(error.field, str(error)) from error
        except (BrokenProcessPool, MemoryError) as error:
            if self._pool is pool:
                self._pool = None
            pool.shutdown(wait=False)
            raise _refusal("file", f"could not be read within {SECONDS} s and {MEMORY >> 30} GB") from error

    def prepare(self) -> None:
        """Start the process: somebody opened a form and may soon drop a file on it."""
        if self._pool is None:
            self._started().submit(_limit)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_limit)
        return self._pool

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _refusal(field: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"The structure's {field} {reason}.", hint="Correct or convert it; the form is as it was.",
        fields=[FieldError(f"structure.{field}", reason)],
    )  # fmt: skip


def _limit() -> None:
    """Limits of the reading process, and no interest in the service's signals."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Half a second that the first file need not wait for.
    importlib.import_module("ase.io")


def _read(data: bytes, name: str, tolerance: float) -> Imported:
    # The alarm's default action ends the process, also in the middle of C code.
    signal.alarm(SECONDS)
    try:
        return read_structure(data, name, tolerance)
    finally:
        signal.alarm(0)
