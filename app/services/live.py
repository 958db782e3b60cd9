"""From which event on a page must be told of changes."""

from __future__ import annotations

from app.events import outbox
from app.services.context import Context


async def newest_event(context: Context) -> int:
    """Ask before reading what the page shows: a change in between is then told, not lost."""
    async with context.database.read() as session:
        return await outbox.newest_id(session)
