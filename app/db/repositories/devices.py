"""Browsers on which people have logged in, by the digest of their cookie."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, update
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Device, User

KEPT = 30
"""Of one user; the one that was not used for longest goes."""


async def of_user_named(session: ReadSession, token_hash: str, name: str, since: datetime) -> Device | None:
    """The device, if this user has logged in on it since then."""
    query = (
        select(Device)
        .join(User, col(User.id) == col(Device.user_id))
        .where(Device.token_hash == token_hash, User.name == name, Device.last_used_at > since)
    )
    return (await session.exec(query)).first()


async def use(session: WriteSession, token_hash: str, at: datetime) -> None:
    """Note when a device was last used."""
    await session.exec(update(Device).where(col(Device.token_hash) == token_hash).values(last_used_at=at))


async def add(session: WriteSession, user_id: int, token_hash: str, at: datetime) -> None:
    """Remember a device on which a user logged in."""
    session.add(Device(token_hash=token_hash, user_id=user_id, created_at=at, last_used_at=at))
    await session.flush()
    newest = (
        select(col(Device.id))
        .where(Device.user_id == user_id)
        .order_by(col(Device.last_used_at).desc(), col(Device.id).desc())
        .limit(KEPT)
    )
    kept = (await session.exec(newest)).all()
    await session.exec(delete(Device).where(col(Device.user_id) == user_id, col(Device.id).not_in(kept)))


async def forget_older(session: WriteSession, before: datetime) -> None:
    """Forget devices that were not used since."""
    await session.exec(delete(Device).where(col(Device.last_used_at) < before))
