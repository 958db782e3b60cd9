"""Users, their sessions and tokens, and one-time links. Secrets are looked up by digest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CursorResult, delete, func, or_, update
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import ApiToken, OneTimeLink, Session, User
from app.domain.people.permissions import Actor, Role


async def count(session: ReadSession) -> int:
    """How many accounts there are."""
    return (await session.exec(select(func.count()).select_from(User))).one()


async def by_name(session: ReadSession, name: str) -> User | None:
    """An account by its name."""
    return (await session.exec(select(User).where(User.name == name))).first()


async def actor(session: ReadSession, user_id: int) -> Actor | None:
    """Somebody in whose name work goes on in the background; None where the account was closed."""
    user = await session.get(User, user_id)
    return Actor(user_id, user.name, Role(user.role)) if user is not None and user.active else None


async def names(session: ReadSession) -> dict[int, str]:
    """Names of all users, by id."""
    return {user.id: user.name for user in (await session.exec(select(User))).all()}


async def by_session(
    session: ReadSession, token_hash: str, at: datetime, idle_since: datetime
) -> tuple[User, Session] | None:
    """The user of a browser session, with the session, if neither has ended."""
    query = (
        select(User, Session)
        .join(Session, col(Session.user_id) == col(User.id))
        .where(
            Session.token_hash == token_hash,
            Session.expires_at > at,
            Session.last_seen_at > idle_since,
            col(User.active).is_(True),
        )
    )
    return (await session.exec(query)).first()


async def see_session(session: WriteSession, session_id: int, at: datetime) -> None:
    """Note when a browser session was last used."""
    await session.exec(update(Session).where(col(Session.id) == session_id).values(last_seen_at=at))


async def by_api_token(session: ReadSession, token_hash: str) -> tuple[User, ApiToken] | None:
    """The user of an API token, with the token."""
    query = (
        select(User, ApiToken)
        .join(ApiToken, col(ApiToken.user_id) == col(User.id))
        .where(ApiToken.token_hash == token_hash, col(User.active).is_(True))
    )
    return (await session.exec(query)).first()


async def end_session(session: WriteSession, token_hash: str) -> None:
    """End a browser session."""
    await session.exec(delete(Session).where(col(Session.token_hash) == token_hash))


async def forget_sessions(session: WriteSession, at: datetime, idle_since: datetime) -> None:
    """Drop those that have ended."""
    over = or_(col(Session.expires_at) <= at, col(Session.last_seen_at) <= idle_since)
    await session.exec(delete(Session).where(over))


async def set_password_hash(session: WriteSession, user_id: int, password_hash: str) -> None:
    """Store the hash of a password."""
    await session.exec(update(User).where(col(User.id) == user_id).values(password_hash=password_hash))


async def open_link(session: ReadSession, token_hash: str, at: datetime) -> OneTimeLink | None:
    """A one-time link that can still be used."""
    query = select(OneTimeLink).where(
        OneTimeLink.token_hash == token_hash, col(OneTimeLink.used_at).is_(None), OneTimeLink.expires_at > at
    )
    return (await session.exec(query)).first()


async def use_link(session: WriteSession, link_id: int, at: datetime) -> bool:
    """True for the one caller that used the link first."""
    query = update(OneTimeLink).where(col(OneTimeLink.id) == link_id, col(OneTimeLink.used_at).is_(None))
    result = await session.exec(query.values(used_at=at))
    return isinstance(result, CursorResult) and result.rowcount == 1


async def revoke_links(session: WriteSession, at: datetime) -> None:
    """Let no one-time link be used any more."""
    await session.exec(update(OneTimeLink).where(col(OneTimeLink.used_at).is_(None)).values(used_at=at))
