"""People: accounts, logins, API tokens, and the one-time link that makes the first admin."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from limits import parse
from pwdlib import PasswordHash

from app.db.repositories import users
from app.db.tables import ApiToken, OneTimeLink, Session, User
from app.domain.names import USER_NAME
from app.domain.permissions import Actor, Role, Scope
from app.errors import Conflict, FieldError, InvalidInput, NotAuthenticated, NotFound, TooManyAttempts
from app.services.context import Context

MIN_PASSWORD = 12
MAX_PASSWORD = 256
LINK_HOURS = 24 * 7
LOGIN_LIMIT = parse("10/minute")
_HASHER = PasswordHash.recommended()
_UNKNOWN_USER_HASH = _HASHER.hash("nobody knows this password")
_hashing = asyncio.Semaphore(2)


def digest(token: str) -> str:
    """Tokens have 256 random bits: a fast hash is enough, and a stolen table gives none away."""
    return hashlib.sha256(token.encode()).hexdigest()


async def _hash(password: str) -> str:
    async with _hashing:
        return await asyncio.to_thread(_HASHER.hash, password)


def check_new_account(name: str, password: str) -> None:
    """Raise InvalidInput for a name or password that cannot be used."""
    errors = []
    if not USER_NAME.fullmatch(name):
        errors.append(FieldError("name", "must be 2–32 of a–z, 0–9, '_', '.', '-', beginning with a letter", name[:40]))
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        errors.append(FieldError("password", f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"))
    elif password.lower() in (name, name * 2, "password1234", "123456789012", "passwordpassword"):
        errors.append(FieldError("password", "is too easy to guess"))
    if errors:
        raise InvalidInput(
            "The account cannot be made: " + "; ".join(f"{e.field} {e.reason}" for e in errors) + ".",
            hint="Correct the marked fields.",
            fields=errors,
        )


async def add_user(context: Context, name: str, password: str, role: Role) -> User:
    """Make an account.

    Raises:
        InvalidInput: name or password unsuitable. Conflict: the name is taken.
    """
    check_new_account(name, password)
    password_hash = await _hash(password)
    async with context.database.write() as session:
        if await users.by_name(session, name):
            raise Conflict(f"There is already an account {name}.", hint="Choose another name.")
        user = User(name=name, password_hash=password_hash, role=str(role))
        session.add(user)
    return user


async def make_link(context: Context, role: Role = Role.ADMIN) -> str:
    """A one-time link to make an account; earlier unused ones stop working."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    async with context.database.write() as session:
        await users.revoke_links(session, now)
        session.add(OneTimeLink(token_hash=digest(token), role=str(role), expires_at=now + timedelta(hours=LINK_HOURS)))
    return f"{context.settings.public_url}/setup/{token}"


async def make_first_link(context: Context) -> str | None:
    """The set-up link while nobody has an account, else None."""
    async with context.database.read() as session:
        if await users.count(session):
            return None
    return await make_link(context)


async def check_link(context: Context, token: str) -> Role:
    """The role that a link gives.

    Raises:
        NotFound: unknown, used or expired.
    """
    async with context.database.read() as session:
        link = await users.open_link(session, digest(token), datetime.now(UTC))
    if link is None:
        raise NotFound(
            "This set-up link is not valid: it was used, replaced or has expired.",
            hint="Run 'crystaldeck setup-link' on the server for a new one.",
        )
    return Role(link.role)


async def use_link(context: Context, token: str, name: str, password: str) -> str:
    """Make the account of a link and log it in; returns the session's token."""
    role = await check_link(context, token)
    check_new_account(name, password)
    password_hash = await _hash(password)
    now = datetime.now(UTC)
    async with context.database.write() as session:
        link = await users.open_link(session, digest(token), now)
        if link is None or not await users.use_link(session, link.id or 0, now):
            raise Conflict("This set-up link was used a moment ago.", hint="Ask for a new one.")
        if await users.by_name(session, name):
            raise Conflict(f"There is already an account {name}.", hint="Choose another name.")
        user = User(name=name, password_hash=password_hash, role=str(role))
        session.add(user)
        await session.flush()
        return _start_session(context, session.add, user)


def _start_session(context: Context, add: object, user: User, user_agent: str = "") -> str:
    token = secrets.token_urlsafe(32)
    expires = datetime.now(UTC) + timedelta(hours=context.settings.session_hours)
    row = Session(token_hash=digest(token), user_id=user.id or 0, expires_at=expires, user_agent=user_agent[:200])
    assert callable(add)
    add(row)
    return token


async def log_in(context: Context, name: str, password: str, address: str, user_agent: str) -> str:
    """Check a password and start a session; returns its token.

    Raises:
        NotAuthenticated: the same words for an unknown name and a wrong password.
        TooManyAttempts: more than ten a minute for one name or from one address.
    """
    for key in (f"name:{name[:64].lower()}", f"address:{address}"):
        if not await context.limiter.hit(LOGIN_LIMIT, key):
            raise TooManyAttempts("Too many log-in attempts.", hint="Wait a minute, then try again.")
    async with context.database.read() as session:
        user = await users.by_name(session, name)
    known = user.password_hash if user and user.active else _UNKNOWN_USER_HASH
    async with _hashing:
        right = await asyncio.to_thread(_HASHER.verify, password[:MAX_PASSWORD], known)
    if user is None or not user.active or not right:
        raise NotAuthenticated("Name or password is wrong.", hint="Try again, or ask an admin for a new link.")
    async with context.database.write() as session:
        await users.forget_expired(session, datetime.now(UTC))
        return _start_session(context, session.add, user, user_agent)


async def log_out(context: Context, token: str) -> None:
    async with context.database.write() as session:
        await users.end_session(session, digest(token))


async def session_actor(context: Context, token: str) -> Actor | None:
    """Who a browser's cookie belongs to."""
    async with context.database.read() as session:
        user = await users.by_session(session, digest(token), datetime.now(UTC))
    return _actor(user) if user else None


async def token_actor(context: Context, token: str) -> Actor | None:
    """Who a bearer token belongs to, with its scopes."""
    async with context.database.read() as session:
        found = await users.by_api_token(session, digest(token))
    if found is None:
        return None
    user, row = found
    return _actor(user, frozenset(Scope(scope) for scope in row.scopes.split()))


def _actor(user: User, scopes: frozenset[Scope] = frozenset(Scope)) -> Actor:
    return Actor(user.id or 0, user.name, Role(user.role), scopes)


async def make_token(context: Context, user_name: str, scopes: list[str]) -> str:
    """A bearer token, shown this once.

    Raises:
        NotFound: no such user. InvalidInput: no such scope.
    """
    unknown = [scope for scope in scopes if scope not in set(Scope)]
    if unknown or not scopes:
        raise InvalidInput(
            f"There is no scope {', '.join(unknown) or '(none given)'}.", hint=f"Scopes: {', '.join(Scope)}."
        )
    token = f"cdk_{secrets.token_urlsafe(32)}"
    async with context.database.write() as session:
        user = await users.by_name(session, user_name)
        if user is None or user.id is None:
            raise NotFound(f"There is no account {user_name!r}.", hint="Add it with 'crystaldeck user add'.")
        session.add(ApiToken(token_hash=digest(token), user_id=user.id, scopes=" ".join(scopes)))
    return token


async def actor_named(context: Context, name: str) -> Actor:
    """An account by its name, for the command line on the server.

    Raises:
        NotFound
    """
    async with context.database.read() as session:
        user = await users.by_name(session, name)
        actor = await users.actor(session, user.id or 0) if user is not None else None
    if actor is None:
        raise NotFound(f"There is no account {name[:40]!r}.", hint="Name one with --user.")
    return actor
