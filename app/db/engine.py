"""The database: one engine, write sessions apart from read sessions.

SQLite: WAL, and `BEGIN IMMEDIATE` for every writer. A deferred transaction that is upgraded to a write fails at once with
"database is locked" whatever the busy timeout, and Python's legacy mode loses updates silently. PostgreSQL: writers take
one advisory lock, so that ids of the outbox become visible in their order. Write transactions are short on both: nothing
waits for a network inside one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, insert, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.sessions import ReadSession, WriteSession

_READ_ONLY = "crystaldeck_read_only"
_WRITERS = 0x43524459
CHANNEL = "crystaldeck_writes"
"""Of PostgreSQL's notifications: one is sent by every write transaction, and delivered with its commit."""


def kind_of(url: str) -> str:
    """`sqlite` or `postgresql`."""
    return make_url(url).get_backend_name()


def password_of(url: str) -> str:
    """The password in a database URL; empty: there is none."""
    return str(make_url(url).password or "")


def file_of(url: str) -> Path | None:
    """The file of an SQLite database; None: it is another kind, or in memory."""
    parts = make_url(url)
    return Path(parts.database) if kind_of(url) == "sqlite" and parts.database else None


class Database:
    """Sessions for one database URL. A session of `write` commits when its block ends without error."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = kind_of(url) == "sqlite"
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_pre_ping=not self.is_sqlite,
            connect_args={"factory": _Connection} if self.is_sqlite else {},
        )
        self._readers = self.engine.execution_options(**{_READ_ONLY: True})
        self._on_news: list[Callable[[], None]] = []
        self._on_work: list[Callable[[], None]] = []
        # Coroutines of this process queue here rather than in SQLite's busy timeout.
        self._writing = asyncio.Lock()
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteSession]:
        """A unit of work: all of it is kept, or nothing. Once it is kept, whoever waits for it is told."""
        async with self._begin() as session:
            yield session
        for tell in (self._on_news if session.has_news else []) + (self._on_work if session.has_work else []):
            tell()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[WriteSession]:
        if self.is_sqlite:
            async with (
                self._writing,
                AsyncSession(self.engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield WriteSession(session)
        else:
            async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
                begin = text("SELECT pg_advisory_xact_lock(:key), pg_notify(:channel, '')")
                await session.exec(begin.bindparams(key=_WRITERS, channel=CHANNEL))  # type: ignore[call-overload]
                yield WriteSession(session)

    def on_news(self, tell: Callable[[], None]) -> None:
        """Call `tell` after every commit of this process that wrote events."""
        self._on_news.append(tell)

    def on_work(self, tell: Callable[[], None]) -> None:
        """Call `tell` after every commit of this process that left work to do: see `WriteSession.has_work`."""
        self._on_work.append(tell)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A consistent view that never blocks a writer."""
        async with AsyncSession(self._readers, expire_on_commit=False) as session:
            yield ReadSession(session)

    async def ping(self) -> None:
        """Raise what the database raises where it does not answer."""
        async with self._readers.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


AT_ONCE = 50
"""Rows of one statement."""


async def insert_rows(session: WriteSession, rows: Sequence[SQLModel]) -> None:
    """Insert many rows of one table by few statements; ids are given in the order of the rows, and are not read back."""
    unset = {"id"} if rows and getattr(rows[0], "id", "") is None else set()
    for first in range(0, len(rows), AT_ONCE):
        # Others have their turn between two statements.
        piece = rows[first : first + AT_ONCE]
        await session.exec(insert(type(piece[0])), params=[row.model_dump(exclude=unset) for row in piece])


class _Connection(sqlite3.Connection):
    """Gives up its transaction before it closes.

    SQLite keeps a closed connection alive, with its locks, as long as one of its statements is. A task that was cancelled in
    the middle of a statement leaves such a one in its traceback: nobody could write until the garbage collector came.
    """

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
