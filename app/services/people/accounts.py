"""People: accounts, their password hashes, API tokens, and the one-time link that makes the first admin."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from pwdlib import PasswordHash

from app.db.repositories import users
from app.db.tables import ApiToken, OneTimeLink, User
from app.domain.names import USER_NAME
from app.domain.people.permissions import Actor, Role, Scope
from app.domain.people.secrets import digest, new_token
from app.errors import Conflict, FieldError, InvalidInput, NotFound
from app.services.context import Context
from app.services.people import passwords, sessions

LINK_HOURS = 24 * 7
_HASHER = PasswordHash.recommended()


@lru_cache(maxsize=2)
def _stand_in(hasher: PasswordHash) -> str:
    """What is compared where there is no account, so that the answer takes as long as for one."""
    return hasher.hash(new_token())


async def hash_password(context: Context, password: str) -> str:
    """The argon2id hash of a password; in a thread, and few at a time, since each takes much memory."""
    async with context.hashing:
        return await asyncio.to_thread(_HASHER.hash, passwords.normalise(password))


async def verify_password(context: Context, password: str, password_hash: str) -> tuple[bool, str | None]:
    """Is the password correct? And its new hash if the old one is weaker than current ones. An empty hash matches no password."""
    text = passwords.normalise(password[: 4 * passwords.MAX_PASSWORD])
    possible = bool(password_hash) and len(text) <= passwords.MAX_PASSWORD
    async with context.hashing:
        stand_in = await asyncio.to_thread(_stand_in, _HASHER)
        right, better = await asyncio.to_thread(
            _HASHER.verify_and_update, text[: passwords.MAX_PASSWORD], password_hash if possible else stand_in
        )
    return right and possible, better if possible else None


async def check_new_account(context: Context, name: str, password: str) -> None:
    """Raise InvalidInput for a name or password that cannot be used."""
    errors = []
    if not USER_NAME.fullmatch(name):
        errors.append(FieldError("name", "must be 2–32 of a–z, 0–9, '_', '.', '-', beginning with a letter", name[:40]))
    host = urlsplit(context.settings.public_url).hostname or ""
    if reason := await asyncio.to_thread(passwords.objection, password, (name, *host.split("."))):
        errors.append(FieldError("password", reason))
    if errors:
        raise InvalidInput(
            "The account cannot be created: " + "; ".join(f"{e.field} {e.reason}" for e in errors) + ".",
            hint="Correct the marked fields.",
            fields=errors,
        )


async def add_user(context: Context, name: str, password: str, role: Role) -> User:
    """Make an account.

    Raises:
        InvalidInput: name or password unsuitable. Conflict: the name is taken.
    """
    await check_new_account(context, name, password)
    password_hash = await hash_password(context, password)
    async with context.database.write() as session:
        if await users.by_name(session, name):
            raise Conflict(f"An account named {name} already exists.", hint="Choose another name.")
        user = User(name=name, password_hash=password_hash, role=str(role))
        session.add(user)
    return user


async def make_link(context: Context, role: Role = Role.ADMIN) -> str:
    """A one-time link to make an account; earlier unused ones stop working."""
    token = new_token()
    now = context.clock.now()
    async with context.database.write() as session:
        await users.revoke_links(session, now)
        session.add(OneTimeLink(token_hash=digest(token), role=str(role), expires_at=now + timedelta(hours=LINK_HOURS)))
    return f"{context.settings.public_url}/setup/{token}"


async def make_first_link(context: Context) -> str | None:
    """The set-up link while there are no accounts, else None."""
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
        link = await users.open_link(session, digest(token), context.clock.now())
    if link is None:
        raise NotFound(
            "This set-up link is not valid: it was used, replaced, or has expired.",
            hint="Run 'crystaldeck setup-link' on the server for a new one.",
        )
    return Role(link.role)


async def use_link(context: Context, token: str, name: str, password: str) -> sessions.Entry:
    """Make the account of a link and log it in."""
    role = await check_link(context, token)
    await check_new_account(context, name, password)
    password_hash = await hash_password(context, password)
    now = context.clock.now()
    async with context.database.write() as session:
        link = await users.open_link(session, digest(token), now)
        if link is None or not await users.use_link(session, link.id, now):
            raise Conflict("This set-up link was used a moment ago.", hint="Ask for a new one.")
        if await users.by_name(session, name):
            raise Conflict(f"An account named {name} already exists.", hint="Choose another name.")
        user = User(name=name, password_hash=password_hash, role=str(role))
        session.add(user)
        await session.flush()
        return await sessions.begin(context, session, user)


async def token_actor(context: Context, token: str) -> Actor | None:
    """Who a bearer token belongs to, with its scopes."""
    async with context.database.read() as session:
        rows = await users.by_api_token(session, digest(token))
    if rows is None:
        return None
    user, row = rows
    return Actor(user.id, user.name, Role(user.role), frozenset(Scope(scope) for scope in row.scopes.split()))


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
    token = f"cdk_{new_token()}"
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
        actor = await users.actor(session, user.id) if user is not None else None
    if actor is None:
        raise NotFound(f"There is no account {name[:40]!r}.", hint="Name an account with --user.")
    return actor
