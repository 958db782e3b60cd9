"""How much one person may upload and keep: the limit is named, the rest goes on, the next hour begins anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.db.tables import JobFile
from app.domain.people.permissions import Role
from app.services.context import Context
from app.settings import LimitSettings
from tests.support import databases
from tests.support.app import make_app, make_client, settings_for
from tests.support.service import mgo


@pytest.fixture
async def app(tmp_path: Path, database_url: str) -> AsyncIterator[FastAPI]:
    limits = LimitSettings.model_validate({"uploads_per_hour": 5, "upload_mb_per_hour": 1, "disk_gb_per_user": 0.002})
    settings = settings_for(tmp_path, database_url=database_url, limits=limits)
    databases.prepare(settings)
    app = make_app(settings)
    async with app.router.lifespan_context(app):
        yield app


async def upload(client: httpx.AsyncClient, data: bytes) -> httpx.Response:
    return await client.post("/api/v1/files", files={"file": ("geometry.gui", data)})


def turn(app: FastAPI) -> list[datetime]:
    shown = [datetime(2026, 1, 1, tzinfo=UTC)]
    app.state.context.clock.now = lambda: shown[-1]
    return shown


async def test_uploads_in_an_hour(app: FastAPI) -> None:
    clock = turn(app)
    ada, bob = await make_client(app), await make_client(app, "bob", Role.MEMBER)
    for number in range(5):
        assert (await upload(ada, b"%d" % number)).status_code == 201
    clock.append(clock[-1] + timedelta(minutes=20))
    refused = await upload(ada, b"one more")
    assert refused.status_code == 429
    problem = refused.json()
    assert problem["code"] == "limit-reached" and "5 files (limits.uploads_per_hour)" in problem["detail"]
    assert "Wait 40 min" in problem["hint"] and refused.headers["retry-after"] == "2400"
    assert (await upload(bob, b"one more")).status_code == 201
    clock.append(clock[-1] + timedelta(minutes=40))
    assert (await upload(ada, b"one more")).status_code == 201


async def test_bytes_in_an_hour(app: FastAPI) -> None:
    client = await make_client(app)
    assert (await upload(client, b"a" * 600_000)).status_code == 201
    refused = await upload(client, b"b" * 600_000)
    assert (refused.status_code, "1 MB (limits.upload_mb_per_hour)" in refused.json()["detail"]) == (429, True)
    assert (await upload(client, b"c" * 300_000)).status_code == 201


async def test_a_full_share_takes_no_more(app: FastAPI) -> None:
    context: Context = app.state.context
    clock = turn(app)
    ada, bob = await make_client(app), await make_client(app, "bob", Role.MEMBER)
    body = {"template": "scf", "parameters": mgo(), "cluster": "here"}
    made = await ada.post("/api/v1/jobs", json=body)
    assert made.status_code == 201, made.text
    async with context.database.write() as session:
        session.add(JobFile(job_id=made.json()["id"], name="big.out", size=1_900_000, sha256="0", role="output"))
    clock.append(clock[-1] + timedelta(minutes=2))
    assert (await upload(ada, b"x" * 90_000)).status_code == 201
    refused = await upload(ada, b"y" * 90_000)
    assert (refused.status_code, refused.json()["code"]) == (409, "quota-exceeded")
    assert "of ada take up 0.0 GB; one user may keep 0.002 GB (limits.disk_gb_per_user)" in refused.json()["detail"]
    async with context.database.write() as session:
        session.add(JobFile(job_id=made.json()["id"], name="more.out", size=500_000, sha256="0", role="output"))
    clock.append(clock[-1] + timedelta(minutes=2))
    row = {"template": "scf", "cluster": "here", "rows": [{"parameters": mgo()}]}
    for method, path, sent in (
        ("POST", "/api/v1/jobs", body),
        ("POST", "/api/v1/batches", row),
        ("POST", "/api/v1/runs", {"workflow": "convergence", "cluster": "here"}),
    ):
        answer = await ada.request(method, path, json=sent)
        assert answer.json()["code"] == "quota-exceeded", (path, answer.text)
    # Told no means not done.
    assert (await ada.get("/api/v1/batches")).json() == [] == (await ada.get("/api/v1/runs")).json()
    assert (await bob.post("/api/v1/jobs", json=body)).status_code == 201
