"""Counts that limit people: under one key each, in the database, so that they hold for all processes and after a restart."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, func
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Throttle


async def blocked_until(session: ReadSession, keys: Collection[str], at: datetime) -> datetime | None:
    """The last of the moments until which one of these keys is blocked; None: none is."""
    query = select(func.max(col(Throttle.until))).where(col(Throttle.key).in_(keys), col(Throttle.until) > at)
    moment: datetime | None = (await session.exec(query)).one()
    return moment


async def get(session: WriteSession, key: str, at: datetime) -> Throttle:
    """The count under a key, a new one if need be. Call it in a transaction that writes."""
    row = await session.get(Throttle, key)
    if row is None:
        row = Throttle(key=key, since=at, last_at=at)
        session.add(row)
    return row


async def forget_older(session: WriteSession, before: datetime) -> None:
    """Drop what was not touched since, so that names that nobody has do not fill the table."""
    await session.exec(delete(Throttle).where(col(Throttle.last_at) < before))
