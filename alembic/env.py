"""Alembic's entry: runs the migrations on the service's async engine, in one transaction that one process has at a time.

`crystaldeck user add` beside a starting service finds the same old database. The first to come takes the lock, and who waited
for it finds the work done. A process that dies on the way leaves the database as it was.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import app.db.tables  # noqa: F401  (fills the metadata)

_MIGRATING = 0x43524D47
_PATIENCE = 300
"""Seconds to wait for another process that migrates an SQLite file."""


def _migrate(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=is_sqlite,
        compare_type=True,
        # SQLite can, once Python's sqlite3 does not commit before each statement that is no DML.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        if not is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        context.run_migrations()


def _begin_by_hand(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]


async def _run() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    is_sqlite = url.startswith("sqlite")
    engine = create_async_engine(url, connect_args={"timeout": _PATIENCE} if is_sqlite else {})
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _begin_by_hand)
        event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_run())
