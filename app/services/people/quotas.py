"""How much one user may upload per hour, and keep on the server. Running jobs continue and their results are always fetched."""

from __future__ import annotations

import math
from datetime import timedelta

from app.db.repositories import storage, throttles
from app.domain.people.permissions import Actor
from app.domain.people.secrets import digest
from app.errors import LimitReached, QuotaExceeded
from app.services.context import Context

HOUR = timedelta(hours=1)
LOOK_AGAIN = timedelta(minutes=1)
"""Adding up the files of a busy user takes a moment, so it is not done for each of a thousand uploads."""
MB, GB = 10**6, 10**9


async def require_room(context: Context, actor: Actor, size: int = 0) -> None:
    """Raise QuotaExceeded where this user's files would take more than one person's share with `size` bytes more."""
    most = context.settings.limits.disk_gb_per_user
    if not most:
        return
    used = await _used(context, actor)
    if used + size > most * GB:
        raise QuotaExceeded(
            f"The files of {actor.name} take up {used / GB:.1f} GB; one user may keep {most:g} GB (limits.disk_gb_per_user).",
            hint="Nothing is lost: submitted jobs continue, and their results are kept. "
            "To add more, ask an admin to raise the limit.",
        )


async def _used(context: Context, actor: Actor) -> int:
    at = context.clock.now()
    moment, used = context.disk_use.get(actor.user_id, (at - LOOK_AGAIN, 0))
    if at - moment < LOOK_AGAIN:
        return used
    async with context.database.read() as session:
        used = await storage.bytes_of(session, actor.user_id)
    context.disk_use[actor.user_id] = (at, used)
    return used


async def admit_upload(context: Context, actor: Actor, size: int) -> None:
    """Count an upload of `size` bytes before it is kept.

    Raises:
        QuotaExceeded: there is no room for it. LimitReached: enough for this hour.
    """
    await require_room(context, actor, size)
    at, limits = context.clock.now(), context.settings.limits
    async with context.database.write() as session:
        row = await throttles.get(session, digest(f"uploads of {actor.user_id}"), at)
        if at - row.since >= HOUR:
            row.count, row.amount, row.since = 0, 0, at
        for number, most, words in (
            (row.count + 1, limits.uploads_per_hour, "{most} files (limits.uploads_per_hour)"),
            (row.amount + size, limits.upload_mb_per_hour * MB, "{most} MB (limits.upload_mb_per_hour)"),
        ):
            if number > most:
                shown = most // MB if "MB" in words else most
                wait = math.ceil((row.since + HOUR - at).total_seconds())
                raise LimitReached(
                    f"{actor.name} has reached the hourly upload limit: {words.format(most=shown)}.",
                    hint=f"Wait {math.ceil(wait / 60)} min, then upload the rest.",
                    retry_after=wait,
                )
        row.count, row.amount, row.last_at = row.count + 1, row.amount + size, at
    moment, used = context.disk_use.get(actor.user_id, (at, 0))
    context.disk_use[actor.user_id] = (moment, used + size)
