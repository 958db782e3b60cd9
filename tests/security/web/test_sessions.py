"""Sessions of browsers: their cookies, their ends; and that looking at a page changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import select
from sqlmodel import SQLModel

from app.domain.people.permissions import Role
from app.services.batches.drafts import begin as begin_batch
from app.services.clusters import changes as cluster_changes
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.people import accounts
from tests.support import databases
from tests.support.app import PASSWORD, make_actor, make_app, make_client, settings_for
from tests.support.service import mgo


@asynccontextmanager
async def still(tmp_path: Path, **changes: object) -> AsyncIterator[FastAPI]:
    """The application without its background work, so that nothing but requests changes anything."""
    settings = settings_for(tmp_path, **changes)
    databases.prepare(settings)
    app = make_app(settings)
    context: Context = app.state.context
    await cluster_changes.sync_configuration(context)
    yield app
    await context.workers.close()
    await context.pool.close()
    await context.database.close()


@pytest.fixture
async def app(tmp_path: Path, database_url: str) -> AsyncIterator[FastAPI]:
    async with still(tmp_path, database_url=database_url) as made:
        yield made


def browser(app: FastAPI, base: str = "http://testserver") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)


async def log_in(client: httpx.AsyncClient, name: str = "ada") -> httpx.Response:
    answer = await client.post("/login", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return answer


def turn(app: FastAPI) -> list[datetime]:
    """A clock that shows the last of these moments."""
    shown = [datetime(2026, 1, 1, tzinfo=UTC)]
    app.state.context.clock.now = lambda: shown[-1]
    return shown


# -- cookies -----------------------------------------------------------------------------------------------------------------


async def test_cookies_are_bound_to_this_host(tmp_path: Path) -> None:
    async with still(tmp_path, base_url="https://deck.example.org") as app:
        await accounts.add_user(app.state.context, "ada", PASSWORD, Role.MEMBER)
        async with browser(app, "https://deck.example.org") as client:
            cookies = (await log_in(client)).headers.get_list("set-cookie")
            assert {cookie.partition("=")[0] for cookie in cookies} == {
                "__Host-crystaldeck",
                "__Host-crystaldeck-device",
            }
            for cookie in cookies:
                flags = {part.strip().lower() for part in cookie.split(";")[1:]}
                assert {"secure", "httponly", "path=/", "samesite=lax"} <= flags
                assert not any(flag.startswith("domain") for flag in flags)
            assert (await client.get("/jobs")).status_code == 200
            # The name without the prefix can be planted by a neighbour on the same domain, so it is not read.
            token = client.cookies["__Host-crystaldeck"]
        planted = httpx.Cookies({"crystaldeck": token})
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://deck.example.org", cookies=planted
        ) as c:
            assert (await c.get("/jobs")).status_code == 303


async def test_plain_http_on_loopback_has_names_without_the_prefix(app: FastAPI) -> None:
    await accounts.add_user(app.state.context, "ada", PASSWORD, Role.MEMBER)
    async with browser(app) as client:
        await log_in(client)
        assert set(client.cookies) == {"crystaldeck", "crystaldeck-device"}


# -- beginnings and ends -----------------------------------------------------------------------------------------------------


async def test_a_login_gives_a_new_token_and_ends_the_old_one(app: FastAPI) -> None:
    await accounts.add_user(app.state.context, "ada", PASSWORD, Role.MEMBER)
    async with browser(app) as client:
        client.cookies.set("crystaldeck", "planted-by-somebody", domain="testserver.local")
        await log_in(client)
        first = client.cookies["crystaldeck"]
        assert first != "planted-by-somebody"
        await log_in(client)
        assert client.cookies["crystaldeck"] != first
    for token, status in ((first, 303), ("planted-by-somebody", 303)):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://testserver", cookies={"crystaldeck": token}
        ) as client:
            assert (await client.get("/jobs")).status_code == status


async def test_logging_out_ends_the_session_and_empties_the_browser(app: FastAPI) -> None:
    await accounts.add_user(app.state.context, "ada", PASSWORD, Role.MEMBER)
    async with browser(app) as client:
        await log_in(client)
        token, device = client.cookies["crystaldeck"], client.cookies["crystaldeck-device"]
        answer = await client.post("/logout")
        assert answer.headers["clear-site-data"] == '"cache", "storage"'
        assert set(client.cookies) == {"crystaldeck-device"}
        client.cookies.set("crystaldeck", token, domain="testserver.local")
        assert (await client.get("/jobs")).status_code == 303
        await log_in(client)
        assert client.cookies["crystaldeck-device"] == device


async def test_a_session_ends_when_nobody_opens_a_page(app: FastAPI) -> None:
    clock = turn(app)
    await accounts.add_user(app.state.context, "ada", PASSWORD, Role.MEMBER)
    idle = timedelta(hours=app.state.context.settings.session_idle_hours)
    async with browser(app) as client:
        await log_in(client)
        clock.append(clock[-1] + idle * 0.9)
        assert (await client.get("/jobs")).status_code == 200
        clock.append(clock[-1] + idle * 0.9)
        # What the page fetches by itself shows nobody who sits before it.
        assert (await client.get("/jobs", headers={"hx-request": "true"})).status_code == 200
        clock.append(clock[-1] + idle * 0.2)
        assert (await client.get("/jobs")).status_code == 303


async def test_a_session_ends_at_its_limit_though_it_is_used(app: FastAPI) -> None:
    clock = turn(app)
    await accounts.add_user(app.state.context, "ada", PASSWORD, Role.MEMBER)
    async with browser(app) as client:
        await log_in(client)
        client.cookies = httpx.Cookies({"crystaldeck": client.cookies["crystaldeck"]})
        end = clock[-1] + timedelta(hours=app.state.context.settings.session_hours)
        while clock[-1] + timedelta(hours=24) < end:
            clock.append(clock[-1] + timedelta(hours=24))
            assert (await client.get("/jobs")).status_code == 200
        clock.append(end + timedelta(seconds=1))
        assert (await client.get("/jobs")).status_code == 303


async def test_a_closed_account_is_logged_out(app: FastAPI) -> None:
    context: Context = app.state.context
    user = await accounts.add_user(context, "ada", PASSWORD, Role.MEMBER)
    async with browser(app) as client:
        await log_in(client)
        async with context.database.write() as session:
            row = await session.get(type(user), user.id)
            assert row is not None
            row.active = False
        assert (await client.get("/jobs")).status_code == 303


# -- a GET changes nothing ---------------------------------------------------------------------------------------------------


async def everything(context: Context) -> dict[str, Any]:
    """All rows of all tables."""
    found = {}
    async with context.database.engine.connect() as connection:
        for name, table in SQLModel.metadata.tables.items():
            rows = (await connection.execute(select(table))).all()
            found[name] = sorted(json.dumps(list(row), default=str) for row in rows)
        await connection.rollback()
    return found


def gets(app: FastAPI) -> list[APIRoute]:
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    return [
        route
        for route in routes
        if isinstance(route, APIRoute) and "GET" in route.methods and route.path not in ("/live", "/api/v1/events")
    ]


async def test_no_get_changes_anything(app: FastAPI) -> None:
    context: Context = app.state.context
    client = await make_client(app)
    actor = await make_actor(context, "max")
    [job] = await create_jobs(context, actor, [JobRequest("scf", mgo(), "here", {}, "first")])
    batch = await begin_batch(context, actor, "scf", {})
    link = (await accounts.make_link(context)).rpartition("/")[2]
    form = {f"p_{key}": str(value) for key, value in mgo("Draft").items() if key != "atoms"}
    assert (await client.post("/new/scf/preview", data=form)).status_code == 200
    filled = {
        "job_id": job.id, "template_id": "scf", "batch_id": batch.id, "token": link, "run_id": "none", "step": "scf",
        "mode": "1", "kind": "zip", "basis": "STO-3G",
    }  # fmt: skip
    routes = gets(app)
    assert len(routes) > 60
    before = await everything(context)
    assert before["form_drafts"] and before["jobs"]
    answered = set()
    for route in routes:
        path = re.sub(r"{(\w+)(?::\w+)?}", lambda found: filled.get(found[1], "here"), route.path)
        switches = {
            param.alias: "true" for param in route.dependant.query_params if param.field_info.annotation is bool
        }
        for query in ({}, switches, {"id": job.id}):
            answer = await client.get(path, params=query)
            assert answer.status_code < 500, (path, query, answer.text[-300:])
            answered.add((route.path, answer.status_code == 200))
        after = await everything(context)
        assert after == before, route.path
    assert sum(good for _, good in answered) > 35, sorted(answered)
    again = await client.get("/new/scf")
    assert "This is the form as you left it" in again.text
