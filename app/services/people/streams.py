"""Live streams: how many one user may have open, and from which event on a page needs changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.people.permissions import Actor
from app.errors import LimitReached
from app.events import outbox
from app.services.context import Context

AGAIN = 15
"""Seconds after which a page that was refused asks again."""


@contextmanager
def held_stream(context: Context, actor: Actor) -> Iterator[None]:
    """Count a stream while it is open. A new one is refused, not an old one closed: that would come back and close another.

    Raises:
        LimitReached: this user holds as many as the settings permit, in this process.
    """
    most, held = context.settings.limits.streams_per_user, context.streams
    if held[actor.user_id] >= most:
        raise LimitReached(
            f"{actor.name} already has {most} live streams open, the limit for one user (limits.streams_per_user).",
            hint="Close pages or programs that follow live changes. Without a stream, reload a page to see the current state.",
            retry_after=AGAIN,
        )
    held[actor.user_id] += 1
    try:
        yield
    finally:
        held[actor.user_id] -= 1
        if not held[actor.user_id]:
            del held[actor.user_id]


async def newest_event(context: Context) -> int:
    """To be read before the data of the page: a change in between is then delivered, not lost."""
    async with context.database.read() as session:
        return await outbox.newest_id(session)
