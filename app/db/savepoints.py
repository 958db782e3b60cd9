"""Work inside a transaction that may fail without taking the rest of the transaction with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import inspect
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel.ext.asyncio.session import AsyncSession

NOT_THE_ITEM = (OperationalError, InterfaceError)
"""The database itself fails: no single item is to blame, and none may be marked as failed for it."""


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncIterator[None]:
    """Undo the block where it raises.

    Rows that it read are forgotten, since they may hold what was undone; those that were there before are read again.
    """
    known = set(session.identity_map.keys())
    try:
        async with session.begin_nested():
            yield
    except Exception:
        for key in list(session.identity_map.keys()):
            row = session.identity_map[key]
            if key not in known:
                session.expunge(row)
            elif inspect(row).expired_attributes:
                await session.refresh(row)
        raise
