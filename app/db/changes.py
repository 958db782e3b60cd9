"""Word that somebody wrote to the database, in whatever process, without asking the database again and again.

SQLite: every commit changes the write-ahead log (or, at a checkpoint, the database), whose times and sizes are looked at. The
file system answers in microseconds. PostgreSQL: each write transaction sends a notification, which the server delivers with its
commit (`Database.write`); a connection of its own listens for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import CHANNEL, Database

LOOK = 1.0
"""Seconds between looks at the files of SQLite, and between attempts to listen to a server that is gone."""
log = logging.getLogger(__name__)


async def watch_writes(database: Database, tell: Callable[[], None]) -> None:
    """Call `tell` after every commit, until cancelled; now and then once too often, and several commits may be told as one.

    While a server cannot be listened to, `tell` is called every `LOOK` seconds.
    """
    if database.is_sqlite:
        await _watch_files(Path(make_url(database.url).database or ""), tell)
    while True:
        try:
            await _listen(database, tell)
        except Exception as error:
            # The driver's own errors pass SQLAlchemy by here.
            log.warning("no notifications from the database: %s", error)
        tell()
        await asyncio.sleep(LOOK)


async def _watch_files(file: Path, tell: Callable[[], None]) -> None:
    files = (file, file.with_name(f"{file.name}-wal"))
    before = [_mark(one) for one in files]
    # What was written between the caller's own look and this one.
    tell()
    while True:
        await asyncio.sleep(LOOK)
        if (marks := [_mark(one) for one in files]) != before:
            before = marks
            tell()


def _mark(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


async def _listen(database: Database, tell: Callable[[], None]) -> None:
    """Until the connection ends."""
    lost = asyncio.Event()
    async with database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        try:
            driver.add_termination_listener(lambda _: lost.set())
            await driver.add_listener(CHANNEL, lambda *_: tell())
            # What was written before anybody listened.
            tell()
            await lost.wait()
        finally:
            await _discard(connection)


async def _discard(connection: AsyncConnection) -> None:
    """The pool must not lend a connection to others that still listens."""
    with suppress(SQLAlchemyError, OSError):
        await connection.invalidate()
