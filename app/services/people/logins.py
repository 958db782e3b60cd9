"""Logging in with a password, and how guessing it is made slow without shutting out the one who knows it.

Wrong passwords are counted for a name from one address, for a name from everywhere, and for an address with all names; after the
free tries of each, delays double. A browser on which that name has logged in before shows a device cookie and is counted by itself
alone, so guesses from elsewhere never slow it down (OWASP: "Slow Down Online Guessing Attacks with Device Cookies").
A try is counted before its password is looked at, so that many at once are no way around, and a right one takes it back.
Unknown names are counted and checked in the same way, and get the same answer.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db.repositories import devices, throttles, users
from app.db.sessions import WriteSession
from app.db.tables import Device, Throttle
from app.domain.people.addresses import network_of
from app.domain.people.secrets import digest
from app.domain.people.throttling import Allowance, remembered, until_after
from app.errors import NotAuthenticated, TooManyAttempts
from app.services.context import Context
from app.services.people import sessions
from app.services.people.accounts import verify_password

log = logging.getLogger(__name__)
KEPT = 200
"""Counts are dropped when so many tries would have been forgotten since the last one."""


@dataclass(frozen=True)
class Attempt:
    """What a browser sends to log in: its cookies of an earlier session and of a known device besides."""

    name: str
    password: str
    address: str
    user_agent: str = ""
    device: str = ""
    session: str = ""


async def log_in(context: Context, attempt: Attempt) -> sessions.Entry:
    """Check a password and start a session.

    Raises:
        NotAuthenticated: the same words for an unknown name and a wrong password.
        TooManyAttempts: names the seconds to wait; the password was not looked at.
    """
    name = attempt.name.strip().lower()[:64]
    known, allowances = await _admit(context, name, attempt)
    async with context.database.read() as session:
        user = await users.by_name(session, name)
    right, better = await verify_password(context, attempt.password, user.password_hash if user and user.active else "")
    if user is None or not right:
        # An unknown name may be a password in the wrong field, so it is not logged.
        log.warning("wrong password for %s from %s", name if user else "an unknown name", network_of(attempt.address))
        raise NotAuthenticated("Name or password is wrong.", hint="Try again, or ask an admin for a new set-up link.")
    async with context.database.write() as session:
        if better is not None:
            await users.set_password_hash(session, user.id, better)
        await _take_back(session, allowances, context.clock.now())
        await _forget(context, session)
        device = attempt.device if known is not None else ""
        return await sessions.begin(context, session, user, attempt.user_agent, device, attempt.session)


async def _admit(context: Context, name: str, attempt: Attempt) -> tuple[Device | None, Mapping[str, Allowance]]:
    """Count a try, where one may be made now."""
    at, limits = context.clock.now(), context.settings.limits
    since = at - timedelta(days=limits.device_days)
    async with context.database.read() as session:
        known = await devices.of_user_named(session, digest(attempt.device), name, since) if attempt.device else None
        allowances = _allowances(context, name, network_of(attempt.address), known)
        _refuse_until(await throttles.blocked_until(session, allowances.keys(), at), at)
    forget = timedelta(minutes=limits.login_forget_minutes)
    async with context.database.write() as session:
        # Another try may have been counted since: of many that come at once only the free ones pass.
        _refuse_until(await throttles.blocked_until(session, allowances.keys(), at), at)
        for key, allowance in allowances.items():
            _count(await throttles.get(session, key, at), allowance, at, forget)
    return known, allowances


def _allowances(context: Context, name: str, network: str, known: Device | None) -> dict[str, Allowance]:
    limits = context.settings.limits
    if known is not None:
        return {digest(f"device {known.id}"): Allowance(limits.login_tries_device, limits.login_delay)}
    return {
        digest(f"name {name} from {network}"): Allowance(limits.login_tries, limits.login_delay),
        digest(f"name {name}"): Allowance(limits.login_tries_wide, limits.login_delay_name),
        digest(f"address {network}"): Allowance(limits.login_tries_wide, limits.login_delay),
    }


def _count(row: Throttle, allowance: Allowance, at: datetime, forget: timedelta) -> None:
    left, row.since = remembered(row.count, row.since, at, forget)
    row.count, row.last_at = left + 1, at
    row.until = until_after(row.count, allowance, at)


def _refuse_until(until: datetime | None, at: datetime) -> None:
    if until is None:
        return
    seconds = math.ceil((until - at).total_seconds())
    raise TooManyAttempts(
        "Too many wrong passwords for this name or from this address.",
        hint=f"Wait {seconds} s, then try again. A browser that you have logged in with before is not slowed down.",
        retry_after=seconds,
    )


async def _take_back(session: WriteSession, allowances: Mapping[str, Allowance], at: datetime) -> None:
    """The right password: what counts this person alone is cleared, what counts others too gets this try back."""
    for number, key in enumerate(allowances):
        row = await throttles.get(session, key, at)
        row.count, row.until = 0 if number == 0 else max(0, row.count - 1), None


async def _forget(context: Context, session: WriteSession) -> None:
    at, limits = context.clock.now(), context.settings.limits
    await sessions.forget_ended(context, session)
    await throttles.forget_older(session, at - timedelta(minutes=KEPT * limits.login_forget_minutes, hours=1))
    await devices.forget_older(session, at - timedelta(days=limits.device_days))
