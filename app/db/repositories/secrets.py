"""Every column that holds a sealed secret, for when the master key changes. A new one is added to `SEALED`."""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import SQLModel, select

from app.db.sessions import WriteSession
from app.db.tables import Credential

SEALED: tuple[tuple[type[SQLModel], str], ...] = ((Credential, "private_key"),)


async def reseal_all(session: WriteSession, reseal: Callable[[str], str]) -> int:
    """Put `reseal` of each in its place; returns how many there are."""
    number = 0
    for table, column in SEALED:
        for row in (await session.exec(select(table))).all():
            if sealed := getattr(row, column):
                setattr(row, column, reseal(sealed))
                session.add(row)
                number += 1
    return number
