"""Counting what is asked of the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from app.db.engine import Database


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The SQL statements that this process sends meanwhile, in their order."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


_FRAMES = ("BEGIN", "SELECT pg_advisory_xact_lock")


def asked(sent: list[str]) -> list[str]:
    """Those of the statements that ask or change something: SQLite is told of a beginning by one, PostgreSQL unseen."""
    return [statement for statement in sent if not statement.startswith(_FRAMES)]
