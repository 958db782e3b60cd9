"""What lies beside the clone is read by the tests marked `recorded` alone: any other that opens something there fails.

So whatever the second, lonely clone of `.ci/run` leaves out does not depend on what lies beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.machines.lab import REPOSITORY

BESIDE = str(REPOSITORY.parent / "shared")
OPENING = ("open", "os.listdir", "os.scandir", "os.chdir", "subprocess.Popen", "sqlite3.connect")
"""Audit events of Python with a path, or with arguments that may hold one."""
_forbidden = [False]


class LooksBeside(AssertionError):
    """A test that is not marked `recorded` opened something beside the clone."""


def _named(argument: object) -> str:
    """The path or the words of an argument of an event."""
    if isinstance(argument, (list, tuple)):
        return "\0".join(map(_named, argument))
    return os.fsdecode(argument) if isinstance(argument, (str, bytes, os.PathLike)) else ""


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _forbidden[0] and event in OPENING and any(f"{BESIDE}/" in f"{_named(one)}/" for one in arguments[:2]):
        raise LooksBeside(f"{event} of something in {BESIDE}: mark the test `recorded`, or let it do without")


@contextmanager
def forbidden(unless: bool) -> Iterator[None]:
    """While this lasts nothing beside the clone may be opened, unless the test or module is one of `recorded`."""
    before, _forbidden[0] = _forbidden[0], not unless
    try:
        yield
    finally:
        _forbidden[0] = before


def watch() -> None:
    """Look at what this process opens from now on."""
    sys.addaudithook(_hook)
