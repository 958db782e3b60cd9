"""By which name and from which address a request may come, where a redirect may lead, and which headers answers carry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import ValidationError

from app.domain.people.addresses import network_of
from app.settings import Settings, host_name
from tests.support.app import PASSWORD, make_app, make_client, running, settings_for

Start = Callable[..., AbstractAsyncContextManager[FastAPI]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    @asynccontextmanager
    async def started(**changes: object) -> AsyncIterator[FastAPI]:
        async with running(settings_for(tmp_path, **changes)) as app:
            yield app

    return started


def client_of(app: FastAPI, base: str = "http://testserver", peer: str = "192.0.2.1") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 1234)), base_url=base)


# -- Host ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "deck.example.org.evil.example", "", "deck.example.org@evil.example", "a b"]
)
@pytest.mark.parametrize("path", ["/login", "/api/v1/jobs", "/static/css/tokens.css", "/healthz"])
async def test_a_foreign_host_is_refused(tmp_path: Path, host: str, path: str) -> None:
    app = make_app(settings_for(tmp_path, base_url="https://deck.example.org"))
    async with client_of(app) as client:
        answer = await client.get(path, headers={"host": host})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "unknown-host" and "allowed_hosts" in problem["hint"]


@pytest.mark.parametrize(
    "host", ["deck.example.org", "DECK.example.org:443", "localhost:8000", "127.0.0.1", "[::1]:8000", "deck.local"]
)
async def test_own_names_and_loopback_are_answered(tmp_path: Path, host: str) -> None:
    app = make_app(settings_for(tmp_path, base_url="https://deck.example.org", allowed_hosts=["deck.local"]))
    async with client_of(app) as client:
        assert (await client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("name", ["*", "https://deck.example.org", "deck.example.org:80", ""])
def test_a_wrong_name_stops_the_start(name: str) -> None:
    with pytest.raises(ValidationError, match="allowed_hosts"):
        Settings(allowed_hosts=[name])


def test_what_a_browser_is_told_can_be_opened() -> None:
    for host in ("0.0.0.0", "::", "::1", "192.0.2.7", "localhost"):
        settings = Settings(host=host, allow_insecure=True)
        assert host_name(settings.public_url.removeprefix("http://")) in settings.hosts


# -- proxies ---------------------------------------------------------------------------------------------------------------


async def address_seen(settings: Settings, peer: str, **headers: str) -> str:
    app = make_app(settings)

    @app.get("/address")
    async def address(request: Request) -> str:
        return f"{request.url.scheme} {request.client.host if request.client else ''}"

    async with client_of(app, peer=peer) as client:
        answer: str = (
            await client.get("/address", headers={k.replace("_", "-"): v for k, v in headers.items()})
        ).json()
    return answer


async def test_forwarded_addresses_count_only_from_trusted_proxies(tmp_path: Path) -> None:
    nobody, proxy = settings_for(tmp_path), settings_for(tmp_path, trusted_proxies=["10.0.0.0/8", "2001:db8::/32"])
    told = {"x_forwarded_for": "203.0.113.9", "x_forwarded_proto": "https"}
    assert await address_seen(nobody, "127.0.0.1", **told) == "http 127.0.0.1"
    assert await address_seen(proxy, "192.0.2.1", **told) == "http 192.0.2.1"
    assert await address_seen(proxy, "10.1.2.3", **told) == "https 203.0.113.9"
    assert await address_seen(proxy, "2001:db8::5", **told) == "https 203.0.113.9"
    # What the client wrote itself stands on the left of what the proxy added.
    assert (
        await address_seen(proxy, "10.1.2.3", x_forwarded_for="198.51.100.1, 203.0.113.9, 10.9.9.9")
        == "http 203.0.113.9"
    )
    # No proxy is asked to remove this one, so it is never believed.
    assert await address_seen(proxy, "10.1.2.3", forwarded="for=198.51.100.1") == "http 10.1.2.3"


@pytest.mark.parametrize("text", ["*", "proxy.example.org", "10.0.0.1/8"])
def test_a_wrong_proxy_stops_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(trusted_proxies=[text])


def test_ipv6_clients_are_counted_by_their_network() -> None:
    assert network_of("2001:db8:1:2:aaaa::1") == network_of("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::1") != network_of("2001:db8:1:2::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("testclient") == "testclient"


# -- redirects, cross-site requests, headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example",
        "javascript:alert(1)", "evil.example", "", "///evil.example", "/%5Cevil.example/..//evil.example\r\nx: y",
    ],
)  # fmt: skip
async def test_a_login_leads_only_to_a_path_of_this_service(start: Start, target: str) -> None:
    async with start() as app:
        await make_client(app)
        async with client_of(app) as client:
            answer = await client.post("/login", data={"name": "ada", "password": PASSWORD, "next": target})
        assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")


async def test_a_login_leads_back_to_the_page_that_was_asked_for(start: Start) -> None:
    async with start() as app:
        await make_client(app)
        async with client_of(app) as client:
            first = await client.get("/jobs?state=failed&tag=a%26b")
            assert first.headers["location"] == "/login?next=%2Fjobs%3Fstate%3Dfailed%26tag%3Da%2526b"
            form = await client.get(first.headers["location"])
            assert 'value="/jobs?state=failed&amp;tag=a%26b"' in form.text
            target = "/jobs?state=failed&tag=a%26b"
            answer = await client.post("/login", data={"name": "ada", "password": PASSWORD, "next": target})
            assert answer.headers["location"] == target


async def test_another_site_cannot_log_a_browser_in(start: Start) -> None:
    async with start() as app:
        await make_client(app)
        form = {"name": "ada", "password": PASSWORD}
        for headers in (
            {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "http://evil.example"},
            {"origin": "null"},
        ):  # fmt: skip
            async with client_of(app) as client:
                answer = await client.post("/login", data=form, headers=headers)
                assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_every_answer_is_fenced_in(start: Start) -> None:
    async with start() as app, client_of(app) as client:
        for path in ("/login", "/healthz", "/static/css/tokens.css", "/nowhere", "/api/v1/jobs"):
            headers = (await client.get(path)).headers
            assert headers["cross-origin-resource-policy"] == "same-origin", path
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "unsafe" not in headers["content-security-policy"]
        for path in ("/api/v1/jobs", "/clusters"):
            refused = await client.post(path)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="CrystalDeck"')
        wrong = await client.get("/api/v1/jobs", headers={"authorization": "Bearer cdk_wrong"})
        assert wrong.headers["www-authenticate"] == 'Bearer realm="CrystalDeck"'
        failed = await client.post("/login", data={"name": "ada", "password": "wrong"})
        assert (failed.status_code, "www-authenticate" in failed.headers) == (401, True)
