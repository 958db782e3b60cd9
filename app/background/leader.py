"""One leader: of all processes that serve this database, one submits and polls.

SQLite: a file lock beside the database. PostgreSQL: an advisory lock held by a connection of its own. Both are released
by the operating system or the server when the process dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.engine import Database

_KEY = 0x43524C44
log = logging.getLogger(__name__)


class LeaderLock:
    """Call `acquire` now and then; it is True from the moment on that this process leads."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._path = folder / "leader.lock"
        self._file: int | None = None
        self._connection: AsyncConnection | None = None
        # Several ticks ask at the same time; a connection answers one at a time.
        self._asking = asyncio.Lock()
        self._released = False

    async def acquire(self) -> bool:
        """Take the lock if it is free. True while this process holds it."""
        if self._database.is_sqlite:
            return not self._released and self._acquire_file()
        async with self._asking:
            return not self._released and await self._acquire_server()

    def _acquire_file(self) -> bool:
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._file = handle
        log.info("this process submits and polls")
        return True

    async def _acquire_server(self) -> bool:
        if self._connection is not None:
            try:
                await self._connection.execute(text("SELECT 1"))
                return True
            except (SQLAlchemyError, OSError):
                log.warning("the connection that held the leader lock is gone")
                lost, self._connection = self._connection, None
                await _discard(lost)
        connection = await self._database.engine.connect()
        try:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            held = (await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY})).scalar()
        except BaseException:
            # Whether it got the lock is not known: only the end of the connection gives it back.
            await _discard(connection)
            raise
        if not held:
            await connection.close()
            return False
        self._connection = connection
        log.info("this process submits and polls")
        return True

    async def release(self) -> None:
        """Give the lock back for good: a tick that is still under way does not take it again."""
        self._released = True
        if self._file is not None:
            os.close(self._file)
            self._file = None
        async with self._asking:
            if self._connection is not None:
                with suppress(SQLAlchemyError):
                    await self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})
                await self._connection.close()
                self._connection = None


async def _discard(connection: AsyncConnection) -> None:
    """Close a connection for good, so that the pool does not keep it with a lock that nobody knows of."""
    with suppress(SQLAlchemyError, OSError):
        await connection.invalidate()
    with suppress(SQLAlchemyError, OSError):
        await connection.close()
