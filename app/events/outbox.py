"""The outbox: events are written in the transaction that causes them, and read from there by every process."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func
from sqlmodel import col, select

from app.db.engine import insert_rows
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Job, OutboxEvent
from app.events.model import Event, Topic

PAGE = 500


def announce(session: WriteSession, topic: Topic, subject: str, **data: Any) -> None:
    """Add an event to the running transaction."""
    session.add(OutboxEvent(topic=str(topic), subject=subject, data=data))
    session.has_news = True


async def announce_jobs(session: WriteSession, rows: Iterable[Job]) -> None:
    """Tell of many jobs that they changed."""
    session.has_news = True
    await insert_rows(
        session, [OutboxEvent(topic=str(Topic.JOB), subject=row.id, data={"state": row.state}) for row in rows]
    )


async def after(session: ReadSession, last_id: int, limit: int = PAGE) -> list[Event]:
    """Events newer than `last_id`, oldest first."""
    query = select(OutboxEvent).where(col(OutboxEvent.id) > last_id).order_by(col(OutboxEvent.id)).limit(limit)
    rows = (await session.exec(query)).all()
    return [Event(row.id, Topic(row.topic), row.subject, row.data) for row in rows]


async def newest_at(session: ReadSession) -> datetime | None:
    """When the last event was written, by the clock of then."""
    return (await session.exec(select(func.max(OutboxEvent.at)))).one()


async def newest_id(session: ReadSession) -> int:
    """Id of the newest event; 0: there is none."""
    return (await session.exec(select(func.max(OutboxEvent.id)))).one() or 0


async def oldest_id(session: ReadSession) -> int:
    """Id of the oldest event that is kept; 0: there is none."""
    return (await session.exec(select(func.min(OutboxEvent.id)))).one() or 0


async def prune(session: WriteSession, before: datetime) -> None:
    """Forget events that no stream will resume from; the history of jobs is kept elsewhere for ever.

    The newest one stays: SQLite gives the ids of an emptied table anew, and streams would take new events for old ones.
    """
    newest = await newest_id(session)
    await session.exec(delete(OutboxEvent).where(col(OutboxEvent.at) < before, col(OutboxEvent.id) < newest))
