"""Guessing passwords is slow, the right person gets in, and nobody learns which names exist. Hours pass by a turned clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import select

from app.db.tables import Device, Throttle
from app.domain.people.permissions import Role
from app.domain.people.throttling import Allowance, delay_after, remembered
from app.errors import CrystalDeckError, InvalidInput, NotAuthenticated, TooManyAttempts
from app.services.context import Context, make_context
from app.services.people import accounts, logins
from app.services.people.logins import Attempt, log_in
from app.services.people.passwords import objection
from app.services.people.sessions import Entry
from tests.support.app import PASSWORD, running, settings_for

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


class Hands:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_by(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def context(
    tmp_path: Path, database_url: str, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Context]:
    """Services without background work, with an account of ada's."""
    settings = settings_for(tmp_path, database_url=database_url)
    made = make_context(settings)
    monkeypatch.setattr(made.clock, "now", clock.now)
    await accounts.add_user(made, "ada", PASSWORD, Role.MEMBER)
    yield made
    await made.pool.close()
    await made.database.close()


async def guess(context: Context, name: str = "ada", address: str = ELSEWHERE, **more: str) -> CrystalDeckError:
    """One wrong password; the answer to it."""
    with pytest.raises(CrystalDeckError) as caught:
        await log_in(context, Attempt(name, "not the password of anybody", address, **more))
    return caught.value


async def enter(context: Context, address: str = HOME, **more: str) -> Entry:
    return await log_in(context, Attempt("ada", PASSWORD, address, **more))


async def guess_until_refused(context: Context, **more: str) -> tuple[int, TooManyAttempts]:
    for number in range(100):
        error = await guess(context, **more)
        if isinstance(error, TooManyAttempts):
            return number, error
        assert isinstance(error, NotAuthenticated)
    raise AssertionError("a hundred wrong passwords were looked at")


# -- what is slowed down, and what is not ----------------------------------------------------------------------------------


async def test_delays_double_and_nobody_is_locked_out(context: Context, clock: Hands) -> None:
    passed, error = await guess_until_refused(context)
    assert passed == context.settings.limits.login_tries
    assert error.retry_after == 1 and "Wait 1 s" in error.hint
    waits = []
    for _ in range(6):
        clock.pass_by(seconds=error.retry_after)
        assert isinstance(await guess(context), NotAuthenticated)
        refused = await guess(context)
        assert isinstance(refused, TooManyAttempts)
        waits.append(refused.retry_after)
        error = refused
    assert waits == [2, 4, 8, 16, 32, 64]
    clock.pass_by(seconds=64)
    assert (await enter(context, ELSEWHERE)).session


async def test_the_right_password_is_not_looked_at_while_it_waits(context: Context, clock: Hands) -> None:
    await guess_until_refused(context)
    with pytest.raises(TooManyAttempts):
        await enter(context, ELSEWHERE)
    clock.pass_by(seconds=1)
    await enter(context, ELSEWHERE)
    # It cleared what was counted against ada here: all free tries are there again.
    assert (await guess_until_refused(context))[0] == context.settings.limits.login_tries


async def test_guesses_from_one_place_do_not_slow_down_the_same_name_elsewhere(context: Context) -> None:
    await guess_until_refused(context)
    await enter(context, HOME)


async def test_a_known_device_passes_whatever_others_try(context: Context, clock: Hands) -> None:
    device = (await enter(context)).device
    for number in range(60):
        await guess(context, address=f"203.0.113.{number}")
        clock.pass_by(seconds=70)
        await guess(context, address=HOME)
    with pytest.raises(TooManyAttempts):
        for number in range(60):
            await guess(context, address=f"198.51.100.{number}")
            await enter(context, address="203.0.113.200")
    assert (await enter(context, device=device)).device == device
    assert (await enter(context, address=ELSEWHERE, device=device)).device == device


async def test_a_stolen_device_token_buys_few_guesses_and_only_for_its_name(context: Context) -> None:
    await accounts.add_user(context, "bob", PASSWORD, Role.MEMBER)
    device = (await enter(context)).device
    tries = context.settings.limits
    assert (await guess_until_refused(context, device=device))[0] == tries.login_tries_device
    assert (await guess_until_refused(context, name="bob", device=device))[0] == tries.login_tries


async def test_one_address_cannot_walk_through_all_names(context: Context) -> None:
    wide = context.settings.limits.login_tries_wide
    answers = [await guess(context, name=f"name{number}") for number in range(wide + 1)]
    assert [type(answer) for answer in answers] == [NotAuthenticated] * wide + [TooManyAttempts]
    # A customer's whole IPv6 network is one address.
    answers = [await guess(context, name=f"v{n}", address=f"2001:db8:1:2::{n}") for n in range(wide + 1)]
    assert isinstance(answers[-1], TooManyAttempts)
    assert isinstance(await guess(context, name="other", address="2001:db8:1:3::1"), NotAuthenticated)


async def test_many_at_once_are_no_way_around(context: Context) -> None:
    answers = await asyncio.gather(*(guess(context) for _ in range(25)))
    looked_at = [answer for answer in answers if isinstance(answer, NotAuthenticated)]
    assert len(looked_at) == context.settings.limits.login_tries


async def test_limits_survive_a_restart_and_hold_for_several_processes(context: Context, clock: Hands) -> None:
    await guess_until_refused(context)
    other = make_context(context.settings)
    other.clock.now = clock.now  # type: ignore[method-assign]
    assert isinstance(await guess(other), TooManyAttempts)
    await other.database.close()


async def test_wrong_passwords_are_forgotten_and_their_counts_swept(context: Context, clock: Hands) -> None:
    await guess_until_refused(context)
    for number in range(10):
        await guess(context, name=f"nobody{number}", address=f"203.0.113.{number}")
    clock.pass_by(minutes=context.settings.limits.login_forget_minutes * 2)
    assert (await guess_until_refused(context))[0] == 2
    clock.pass_by(days=3)
    await enter(context)
    async with context.database.read() as session:
        rows = (await session.exec(select(Throttle))).all()
    assert len(rows) == 3 and all(row.count == 0 for row in rows)


async def test_a_device_that_is_not_used_is_forgotten(context: Context, clock: Hands) -> None:
    device = (await enter(context)).device
    clock.pass_by(days=context.settings.limits.device_days + 1)
    assert (await enter(context, device=device)).device != device
    for _ in range(40):
        clock.pass_by(minutes=1)
        await enter(context)
    async with context.database.read() as session:
        rows = (await session.exec(select(Device))).all()
    assert len(rows) == 30


# -- what the answer tells ----------------------------------------------------------------------------------------------------


async def test_names_that_nobody_has_look_like_others(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words, the same work (one comparison with a hash of the same cost), the same counts."""
    compared: list[str] = []
    verify = accounts._HASHER.verify_and_update

    def spied(password: str, password_hash: str) -> Any:
        compared.append(password_hash)
        return verify(password, password_hash)

    monkeypatch.setattr(accounts._HASHER, "verify_and_update", spied)
    async with context.database.write() as session:
        closed = accounts.User(
            name="closed", password_hash=await accounts.hash_password(context, PASSWORD), active=False
        )
        session.add_all([closed, accounts.User(name="sso", password_hash="")])
    said = {}
    for name in ("ada", "nobody", "closed", "sso", "Bad Name!", ""):
        error = await guess(context, name=name, address=f"{HOME}{len(name)}")
        said[name] = (type(error), error.message, error.hint)
    assert len(set(said.values())) == 1
    cost = {password_hash.rpartition("$")[0].rpartition("$")[0] for password_hash in compared}
    assert len(compared) == len(said) and len(cost) == 1 and cost.pop().startswith("$argon2id$")
    with pytest.raises(NotAuthenticated):
        await log_in(context, Attempt("closed", PASSWORD, "203.0.113.1"))


async def test_wrong_passwords_are_in_the_log_without_what_was_typed(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    await guess(context)
    await guess(context, name="my secret typed into the wrong field")
    said = [record.getMessage() for record in caplog.records if record.name == "app.services.people.logins"]
    assert said == [f"wrong password for ada from {ELSEWHERE}", f"wrong password for an unknown name from {ELSEWHERE}"]


async def test_an_endless_password_is_refused_without_much_work(context: Context) -> None:
    assert isinstance(await guess(context, name="ada"), NotAuthenticated)
    with pytest.raises(NotAuthenticated):
        await log_in(context, Attempt("ada", PASSWORD * 100_000, HOME))


async def test_the_page_says_how_long(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as app:
        context: Context = app.state.context
        await accounts.add_user(context, "ada", PASSWORD, Role.MEMBER)
        hands = Hands()
        context.clock.now = hands.now  # type: ignore[method-assign]
        async with client_of(app) as client:
            for _ in range(context.settings.limits.login_tries):
                assert (await client.post("/login", data={"name": "ada", "password": "x"})).status_code == 401
            refused = await client.post("/login", data={"name": "ada", "password": PASSWORD})
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert "Wait 1 s" in refused.text


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")


# -- which passwords may be used -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        "short but fine", "password1234567", "P@ssw0rdP@ssw0rd", "aaaaaaaaaaaaaaaaaaaa", "qwertyuiopasdfgh", "123456789012345678",
        "crystaldeck crystaldeck", "ada-ada-ada-ada-ada", "deck.example.org", "adaadaCrystalDeck1", "iloveyouiloveyou", "x" * 257,
        "line\nbreaks in a password", "abcdefghijklmnopqrst", "letmein letmein letmein",
    ],
)  # fmt: skip
def test_what_is_easy_to_guess_is_refused(password: str) -> None:
    assert objection(password, ("ada", "deck", "example", "org"))


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD, "correct horse battery staple", "mauve tractor sings", "ümlaut straße größe", "пустой синий трактор",
        "正しい馬の電池の留め金です確認",
        "nine small words that only she would ever put together like this, honestly" * 3,
    ],
)  # fmt: skip
def test_no_rules_of_composition(password: str) -> None:
    assert objection(password, ("ada", "deck", "example", "org")) == ""


async def test_one_password_from_any_keyboard(context: Context) -> None:
    composed, decomposed = "caf\u00e9 noir sans sucre", "cafe\u0301 noir sans sucre"
    await accounts.add_user(context, "eve", composed, Role.MEMBER)
    assert await log_in(context, Attempt("eve", decomposed, HOME))
    with pytest.raises(NotAuthenticated):
        await log_in(context, Attempt("eve", "cafe noir sans sucre", HOME))


async def test_the_account_s_own_name_is_refused_with_the_reason(context: Context) -> None:
    with pytest.raises(InvalidInput) as caught:
        await accounts.add_user(context, "emmynoether", "emmynoether-emmynoether", Role.MEMBER)
    assert caught.value.fields[0].field == "password"
    assert "names that everyone here knows" in caught.value.message and "emmynoether-" not in caught.value.message


# -- the arithmetic --------------------------------------------------------------------------------------------------------


def test_delays() -> None:
    allowance = Allowance(5, 900)
    assert [delay_after(n, allowance).total_seconds() for n in (1, 4, 5, 6, 14, 15, 10_000)] == [
        0,
        0,
        1,
        2,
        512,
        900,
        900,
    ]


def test_tries_are_forgotten_one_by_one() -> None:
    start, step = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=10)
    assert remembered(7, start, start + timedelta(minutes=25), step) == (5, start + timedelta(minutes=20))
    assert remembered(2, start, start + timedelta(hours=9), step) == (0, start + timedelta(hours=9))
    assert remembered(3, start, start - timedelta(hours=1), step) == (3, start)
    assert logins.KEPT * 10 > 60
