"""Every route × every role × one's own and somebody else's object × every way to come in.

`ROUTES` in `tests/support/route_table.py` names each route as `METHOD path` with the least role, the scope, whether its object
has an owner, and a request that is right. For a new route add an entry there: `read`, `write`, `own`, `machine` and `public`
make the usual ones, `{job}`, `{batch}`, `{run}` … stand for objects that `tests/support/world.py` makes for each person. A
route without an entry fails by its name, and so does an entry whose route is gone.

A request that is allowed gets the status of its entry; one that is not gets 401 or 403 (a browser without a session is sent
to the login), and has changed no row of any table and no file.
"""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import update
from sqlmodel import col

from app.db.tables import ApiToken
from app.domain.people.permissions import Role, Scope
from app.services.clusters import checks
from app.services.context import Context
from app.services.people import accounts
from tests.support.route_table import ROUTES, Entry
from tests.support.world import PEOPLE, STRANGER, World, job_states, starter

WAYS = ("session", *(str(scope) for scope in Scope))
LADDER = ("jobs:read", "jobs:write", "clusters:write", "admin")
"""Each scope includes those before it."""


def test_every_route_has_an_entry(world: World) -> None:
    there = {
        f"{method} {context.path}"
        for context in iter_route_contexts(world.app.routes)
        for method in (context.methods or ()) if method != "HEAD"
    }  # fmt: skip
    assert there - ROUTES.keys() == set(), "routes without an entry in tests/support/route_table.py"
    assert ROUTES.keys() - there == set(), "entries whose route is gone"


def filled(value: Any, ids: dict[str, str]) -> Any:
    """The request with the ids of one person's objects."""
    if isinstance(value, str):
        for key, one in ids.items():
            value = value.replace(f"{{{key}}}", one)
        return value
    if isinstance(value, dict):
        return {key: filled(one, ids) for key, one in value.items()}
    return [filled(one, ids) for one in value] if isinstance(value, list) else value


def request_of(name: str, entry: Entry, ids: dict[str, str]) -> tuple[str, dict[str, Any]]:
    send = filled(dict(entry.send), ids)
    # What is saved belongs to whoever saved the id before: the texts carry it.
    if name == "POST /api/v1/templates":
        send = {"json": {"files": starter(ids["template"])}}
    if name == "POST /templates":
        send = {"data": {f"text_{file}": text for file, text in starter(ids["template"]).items()} | {"version": "1"}}
    if name == "POST /workflows":
        fields = {"was": "scf", "name": "scf", "kind": "template:scf", "on_failure": "ask"}
        send = {"data": {"name": ids["workflow"], "version": "1"} | {f"s0_{key}": text for key, text in fields.items()}}
    return filled(entry.path, ids), send


def may(entry: Entry, who: str, way: str, owner: str) -> bool:
    """By the table alone, without asking the code that is tested."""
    if entry.role is None:
        return True
    role = PEOPLE[who]
    enough = way == "session" or LADDER.index(way) >= LADDER.index(str(entry.scope))
    theirs = not entry.owned or owner == who or role.rank >= Role.MAINTAINER.rank
    return enough and role.rank >= entry.role.rank and theirs


def judged(world: World, entry: Entry, answer: httpx.Response, allowed: bool, foreign: bool) -> str:
    """What is wrong with an answer; empty: nothing."""
    if not allowed:
        if answer.status_code not in (401, 403) and answer.headers.get("location", "").partition("?")[0] != "/login":
            return f"was let in: {answer.status_code}"
        if changed := world.changes():
            return f"was refused ({answer.status_code}), but changed {', '.join(changed)}"
        return ""
    if answer.status_code != entry.ok:
        said = re.sub(r"<head>.*</head>|<[^>]+>", " ", answer.text, flags=re.S)
        return f"{answer.status_code} instead of {entry.ok}: {' '.join(said.split())[:400]}"
    if entry.each and foreign and job_states(world.rows()) != job_states(world.before):
        return "changed a job of somebody else"
    return ""


@pytest.mark.parametrize("name", ROUTES)
def test_who_may(world: World, name: str) -> None:
    entry, method = ROUTES[name], name.partition(" ")[0]
    wrong = []
    # At what is open to everybody it makes no difference who comes.
    people = [person for person in PEOPLE if person != STRANGER] if entry.role is not None else []
    for who in ("", *people):
        for owner in (who or STRANGER, STRANGER) if who and (entry.owned or entry.each) else (who or STRANGER,):
            path, send = request_of(name, entry, world.ids[owner])
            for way in WAYS if who else ("",):
                allowed = may(entry, who, way, owner) if who else entry.role is None
                answer = world.ask(who, way, method, path, send)
                foreign = owner != who and PEOPLE.get(who, Role.VIEWER).rank < Role.MAINTAINER.rank
                if problem := judged(world, entry, answer, allowed, foreign):
                    wrong.append(f"{who or 'nobody'} by {way or 'nothing'} at an object of {owner} {problem}")
                world.run(checks.stop_tests())
                world.restore()
    assert wrong == []


async def _token_without_scopes(context: Context, name: str) -> str:
    token = await accounts.make_token(context, name, [str(Scope.ADMIN)])
    async with context.database.write() as session:
        await session.exec(update(ApiToken).where(col(ApiToken.token_hash) == accounts.digest(token)).values(scopes=""))
    return token


def test_a_refused_token_is_told_so_in_a_document(world: World) -> None:
    """Before the first byte of a stream, not by a traceback behind it."""
    bare = world.run(_token_without_scopes(world.context, "ada"))
    for path in ("/live", "/api/v1/events"):
        for token, status, code in ((bare, 403, "not-allowed"), ("cdk_nothing", 401, "not-authenticated")):
            answer = world.ask("", "", "GET", path, {"headers": {"Authorization": f"Bearer {token}"}})
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == code
    world.restore()


def test_the_table_says_something() -> None:
    """A guard for the guard: an emptied table would pass everything."""
    assert all(entry.scope is not None for entry in ROUTES.values() if entry.role is not None)
    assert sum(entry.owned for entry in ROUTES.values()) > 25
