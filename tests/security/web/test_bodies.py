"""Bodies of requests: a stranger's is not read, a large one is refused by the limit's name, JSON is looked through first."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.errors import TooLarge
from app.routes import bodies
from app.routes.bodies import JSON, MAX_DEPTH, MAX_FIELDS, MAX_VALUES, OF_ONE, PUBLIC, limit_of, refuse_json
from tests.support.app import make_client, running, settings_for

STRANGERS = ("/login", "/logout", "/setup/{token}")
"""Routes that may be sent something by who is not logged in."""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    async with running(settings_for(tmp_path, clusters={})) as app:
        yield app


class Tap:
    """A body in pieces of 64 kB that counts how much of it was taken."""

    def __init__(self, pieces: int, first: bytes = b"") -> None:
        self.pieces = pieces
        self.first = first
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.first
        for _ in range(self.pieces):
            self.taken += 1
            yield b" " * 65536


def senders(app: FastAPI) -> Iterator[tuple[str, str]]:
    """All routes that take a body."""
    for route in _routes(app.routes):
        for method in sorted(route.methods & {"POST", "PUT", "PATCH", "DELETE"}):
            yield method, route.path


def _routes(listed: Any) -> Iterator[APIRoute]:
    for route in listed:
        if isinstance(route, APIRoute):
            yield route
        elif inner := getattr(route, "routes", None) or getattr(
            getattr(route, "original_router", None), "routes", None
        ):
            yield from _routes(inner)


async def test_no_body_of_a_stranger_is_read(app: FastAPI) -> None:
    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")
    listed = list(senders(app))
    assert len(listed) > 40
    for method, path in listed:
        if path in STRANGERS:
            continue
        tap = Tap(1000)
        kind = {"content-type": "application/json"}
        answer = await stranger.request(method, re.sub(r"\{.*?\}", "x", path), content=tap, headers=kind)
        assert (answer.status_code, tap.taken) == (401, 0), (method, path)


@pytest.mark.parametrize("path", STRANGERS)
async def test_what_a_stranger_may_send_is_short(app: FastAPI, path: str) -> None:
    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")
    told = await stranger.post(path.format(token="x"), content=b"n" * (PUBLIC + 1))
    assert told.status_code == 413 and str(PUBLIC) in told.text
    tap = Tap(1000)
    counted = await stranger.post(path.format(token="x"), content=tap)
    assert counted.status_code == 413 and tap.taken <= 2


async def test_every_route_has_a_limit_that_is_told(app: FastAPI) -> None:
    client = await make_client(app)
    for method, path in senders(app):
        if path in STRANGERS:
            continue
        plain = re.sub(r"\{.*?\}", "x", path)
        limit = limit_of(plain)
        assert limit <= 24 << 20, path
        announced = await client.request(
            method, plain, content=b"", headers={"content-length": str(limit + 1), "content-type": "application/json"}
        )
        assert announced.status_code == 413 and str(limit) in announced.text, (method, path)


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"]
)
async def test_what_announces_nothing_is_counted(app: FastAPI, kind: str) -> None:
    client = await make_client(app)
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' if "multipart" in kind else b""
    tap = Tap(1000, head)
    answer = await client.post("/api/v1/structures", content=tap, headers={"content-type": kind})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (
        problem["code"] == "too-large" and str(limit_of("/api/v1/structures")) in problem["detail"] and problem["hint"]
    )
    assert tap.taken < 100


async def test_a_page_says_it_too(app: FastAPI) -> None:
    client = await make_client(app)
    answer = await client.post("/new/scf/preview", content=Tap(1000), headers={"content-type": "text/plain"})
    assert answer.status_code == 413 and "bytes" in answer.text and "<html" in answer.text


async def test_uploads_of_one_user_on_the_way_are_limited(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2 * limit_of("/api/v1/files") <= OF_ONE
    monkeypatch.setattr(bodies, "OF_ONE", 100_000)
    client = await make_client(app)
    answer = await client.post("/api/v1/files", files={"file": ("fort.34", b"x" * 200_000)})
    assert (answer.status_code, answer.json()["code"]) == (429, "limit-reached")
    monkeypatch.setattr(bodies, "OF_ONE", 400_000)
    for _ in range(3):
        # What has arrived no longer counts.
        answer = await client.post("/api/v1/files", files={"file": ("fort.34", b"x" * 200_000)})
        assert answer.status_code == 201, answer.text


async def test_json_is_looked_through_before_it_is_parsed(app: FastAPI) -> None:
    client = await make_client(app)
    for body, words in (
        (b"[" * 100_000, None), (b'{"a":' * 40 + b"1" + b"}" * 40, str(MAX_DEPTH)),
        (b'{"parameters": {"a": [' + b"0," * 200_000 + b"0]}}", str(MAX_VALUES)),
    ):  # fmt: skip
        answer = await client.post(
            "/api/v1/templates/scf/render", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in ((413,) if words else (400, 413, 422)), answer.text
        assert words is None or words in answer.json()["detail"]
    fine = await client.post(
        "/api/v1/templates/scf/render", json={"parameters": {"title": 'brackets "[[[[" in \\ texts'}}
    )
    assert fine.status_code == 422 and fine.json()["code"] == "invalid-input"


async def test_fields_of_a_form_are_counted(app: FastAPI) -> None:
    client = await make_client(app)
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.post("/new/scf/preview", content=b"a&" * (MAX_FIELDS + 1), headers=kind)
    assert answer.status_code == 413 and str(MAX_FIELDS) in answer.text


@pytest.mark.parametrize(
    "value",
    [
        {}, [], "[" * 100, {"a": "\\\"]" * 50}, ["\\", "\"", "{", {"x": ["]"]}], [[[[]]], [[]], {}],
        {str(n): [n, str(n)] for n in range(1000)}, "\u2028\\u", [[i] for i in range(1000)],
    ],
)  # fmt: skip
def test_json_within_the_limits_passes(value: Any) -> None:
    refuse_json(json.dumps(value).encode())
    refuse_json(json.dumps(value, indent=1).encode())


def test_depth_is_counted_exactly() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    refuse_json(json.dumps(deep).encode())
    with pytest.raises(TooLarge, match="deep"):
        refuse_json(json.dumps([deep]).encode())
    assert limit_of("/api/v1/anything") == JSON
