"""Tables of what limits people: known devices, and counts under keys. Times are given, for tests that turn the clock."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from app.db.tables.keys import stored_id


class Device(SQLModel, table=True):
    """A browser on which somebody has logged in: guesses from elsewhere do not slow that person down there."""

    __tablename__ = "devices"

    id: int = stored_id()
    token_hash: str = Field(unique=True, index=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    created_at: datetime
    last_used_at: datetime


class Throttle(SQLModel, table=True):
    """What was tried or used under one key: wrong passwords, or the uploads of an hour. Names are not kept, only a digest."""

    __tablename__ = "throttles"

    key: str = Field(primary_key=True)
    count: int = 0
    amount: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    """Bytes."""
    since: datetime
    until: datetime | None = None
    """Nothing more is let through before."""
    last_at: datetime = Field(index=True)
