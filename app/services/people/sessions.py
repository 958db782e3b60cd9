"""Logins of browsers: begun, recognised, ended. A session ends at its limit, or earlier when it is idle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db.repositories import devices, users
from app.db.sessions import WriteSession
from app.db.tables import Session, User
from app.domain.people.permissions import Actor, Role
from app.domain.people.secrets import digest, new_token
from app.services.context import Context

SEEN_EVERY = timedelta(minutes=1)
"""Not every request is worth a write."""


@dataclass(frozen=True)
class Entry:
    """The tokens that a browser keeps after a login: of the session, and of the device that is known from now on."""

    session: str
    device: str


async def begin(
    context: Context, session: WriteSession, user: User, user_agent: str = "", device: str = "", ended: str = ""
) -> Entry:
    """A new login on the device with this token, or on one not known before.

    The token of the session was never anybody else's (no fixation); `ended` is that of an earlier session in this browser.
    """
    token, at = new_token(), context.clock.now()
    if ended:
        await users.end_session(session, digest(ended))
    expires = at + timedelta(hours=context.settings.session_hours)
    session.add(
        Session(
            token_hash=digest(token),
            user_id=user.id,
            created_at=at,
            last_seen_at=at,
            expires_at=expires,
            user_agent=user_agent[:200],
        )
    )
    if not device:
        device = new_token()
        await devices.add(session, user.id, digest(device), at)
    else:
        await devices.use(session, digest(device), at)
    return Entry(token, device)


async def forget_ended(context: Context, session: WriteSession) -> None:
    """Delete sessions that have expired or were idle too long."""
    at = context.clock.now()
    await users.forget_sessions(session, at, _idle_since(context, at))


async def end(context: Context, token: str) -> None:
    """Log out."""
    async with context.database.write() as session:
        await users.end_session(session, digest(token))


async def actor_of(context: Context, token: str, *, by_person: bool) -> Actor | None:
    """Who a browser's cookie belongs to; `by_person`: the request was made by the user, not by a page that refreshes itself."""
    at = context.clock.now()
    async with context.database.read() as session:
        rows = await users.by_session(session, digest(token), at, _idle_since(context, at))
    if rows is None:
        return None
    user, row = rows
    if by_person and at - row.last_seen_at > SEEN_EVERY:
        async with context.database.write() as session:
            await users.see_session(session, row.id, at)
    return Actor(user.id, user.name, Role(user.role))


def _idle_since(context: Context, at: datetime) -> datetime:
    return at - timedelta(hours=context.settings.session_idle_hours)
