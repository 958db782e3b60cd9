"""A member's template says whose it is until a maintainer has read that very revision."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.db.repositories import clusters
from app.domain.people.permissions import Role
from app.services.catalogue.shelves import STARTER
from app.services.context import Context
from tests.support.app import PASSWORD, make_client, running, settings_for


@pytest.fixture
async def app(tmp_path: Path, database_url: str) -> AsyncIterator[FastAPI]:
    async with running(settings_for(tmp_path, data=tmp_path / "deck", database_url=database_url)) as app:
        yield app


@pytest.fixture
async def people(app: FastAPI) -> dict[str, httpx.AsyncClient]:
    roles = {"mia": Role.MEMBER, "max": Role.MEMBER, "tess": Role.MAINTAINER, "vera": Role.VIEWER}
    clients = {name: await make_client(app, name, role) for name, role in roles.items()}
    saved = await clients["mia"].post("/api/v1/templates", json={"files": STARTER})
    assert saved.status_code == 201, saved.text
    return clients


async def summary(client: httpx.AsyncClient) -> dict[str, str]:
    listed = (await client.get("/api/v1/templates")).json()
    found: dict[str, str] = next(entry for entry in listed if entry["id"] == "my_scf")
    return found


async def page(app: FastAPI, name: str, path: str) -> str:
    """A page as somebody sees it in a browser."""
    origin = {"origin": "http://testserver"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as browser:
        answer = await browser.post("/login", data={"name": name, "password": PASSWORD}, headers=origin)
        assert answer.status_code == 303, answer.text
        return (await browser.get(path)).text


async def test_only_a_maintainer_marks_it_and_a_change_removes_the_mark(people: dict[str, httpx.AsyncClient]) -> None:
    entry = await summary(people["vera"])
    assert (entry["author"], entry["reviewed_by"]) == ("mia", "")
    body = {"revision": entry["revision"]}
    for name in ("mia", "max", "vera"):
        assert (await people[name].put("/api/v1/templates/my_scf/review", json=body)).status_code == 403
    assert (await summary(people["mia"]))["reviewed_by"] == ""
    marked = await people["tess"].put("/api/v1/templates/my_scf/review", json=body)
    assert (marked.status_code, marked.json()["reviewed_by"]) == (200, "tess")
    changed = {name: text.replace("TOLDEE\n8", "TOLDEE\n9") for name, text in STARTER.items()}
    assert (await people["mia"].post("/api/v1/templates", json={"files": changed})).status_code == 201
    entry = await summary(people["vera"])
    assert entry["reviewed_by"] == ""
    # What was read is what is marked: the mark of the earlier revision cannot be put on this one.
    late = await people["tess"].put("/api/v1/templates/my_scf/review", json=body)
    assert late.status_code == 409 and entry["revision"][:12] in late.json()["detail"]
    assert (await summary(people["vera"]))["reviewed_by"] == ""


async def test_a_mark_can_be_taken_away(people: dict[str, httpx.AsyncClient]) -> None:
    revision = (await summary(people["tess"]))["revision"]
    for reviewed, expected in ((True, "tess"), (True, "tess"), (False, ""), (False, "")):
        body = {"revision": revision, "reviewed": reviewed}
        answer = await people["tess"].put("/api/v1/templates/my_scf/review", json=body)
        assert answer.json()["reviewed_by"] == expected


async def test_templates_of_the_installation_need_none(people: dict[str, httpx.AsyncClient]) -> None:
    answer = await people["tess"].put("/api/v1/templates/scf/review", json={"revision": "x"})
    assert answer.status_code == 409
    listed = (await people["vera"].get("/api/v1/templates")).json()
    assert {entry["author"] for entry in listed if entry["id"] != "my_scf"} == {""}


async def test_pages_and_the_composer_say_whose_it_is(app: FastAPI, people: dict[str, httpx.AsyncClient]) -> None:
    told = await page(app, "max", "/templates/my_scf")
    assert "Written by mia, not reviewed" in told and "runs crystal with its deck my_scf.d12" in told
    assert "Mark this revision as reviewed" not in told
    assert "no maintainer has reviewed it" in await page(app, "max", "/new/my_scf")
    assert "not reviewed" in await page(app, "max", "/templates")
    assert "Mark this revision as reviewed" in await page(app, "tess", "/templates/my_scf")
    revision = (await summary(people["tess"]))["revision"]
    await people["tess"].put("/api/v1/templates/my_scf/review", json={"revision": revision})
    assert "was reviewed by tess" in await page(app, "max", "/templates/my_scf")
    assert "no maintainer has reviewed it" not in await page(app, "max", "/new/my_scf")
    assert 'id="standing"' not in await page(app, "max", "/templates/scf")
    assert 'id="standing"' not in await page(app, "max", "/new/scf")


async def test_the_button_of_the_page_marks(app: FastAPI, people: dict[str, httpx.AsyncClient]) -> None:
    revision = (await summary(people["tess"]))["revision"]
    headers = {"origin": "http://testserver"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as browser:
        await browser.post("/login", data={"name": "tess", "password": PASSWORD}, headers=headers)
        sent = await browser.post(
            "/templates/my_scf/review", data={"revision": revision, "reviewed": "true"}, headers=headers
        )
        assert sent.status_code == 303, sent.text
    assert (await summary(people["vera"]))["reviewed_by"] == "tess"


async def test_the_page_of_this_server_says_as_whom_jobs_run(
    app: FastAPI, people: dict[str, httpx.AsyncClient]
) -> None:
    context: Context = app.state.context
    assert "Jobs here run as the service’s own account" in await page(app, "max", "/clusters/here")
    async with context.database.write() as session:
        row = await clusters.by_name(session, "here")
        assert row is not None
        row.settings = {**row.settings, "run_as": "cdjobs"}
        session.add(row)
    told = await page(app, "max", "/clusters/here")
    assert "own account" not in told and "<code>cdjobs</code>" in told
