"""Work inside a transaction: rows that belong to it, and parts that may fail without taking the rest with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import inspect
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import SQLModel

from app.db.sessions import WriteSession

NOT_THE_ITEM = (OperationalError, InterfaceError)
"""The database itself fails: no single item is to blame, and none may be marked as failed for it."""


def require_current(session: WriteSession, row: SQLModel) -> None:
    """Raise LookupError unless `row` was read or added in the running transaction: what it says may be of yesterday."""
    if row not in session:
        raise LookupError(f"a {type(row).__name__} of another session is to be changed; read it in this one")


@asynccontextmanager
async def savepoint(session: WriteSession) -> AsyncIterator[None]:
    """Undo the block where it raises.

    Rows that it read are forgotten, since they may hold what was undone; those that were there before are read again.
    """
    known = set(session.rows())
    try:
        async with session.begin_nested():
            yield
    except Exception:
        for key, row in session.rows().items():
            if key not in known:
                session.forget(row)
            elif inspect(row).expired_attributes:
                await session.refresh(row)
        raise
