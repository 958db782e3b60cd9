"""Work inside a transaction that may fail without taking the rest of the transaction with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel.ext.asyncio.session import AsyncSession

NOT_THE_ITEM = (OperationalError, InterfaceError)
"""The database itself fails: no single item is to blame, and none may be marked as failed for it."""


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncIterator[None]:
    """Undo the block where it raises, and forget the rows that it read: they may hold what was undone."""
    known = set(session.identity_map.keys())
    try:
        async with session.begin_nested():
            yield
    except Exception:
        for key in set(session.identity_map.keys()) - known:
            session.expunge(session.identity_map[key])
        raise
