"""Live streams per user, from a real server: so many and no more, and a closed one makes room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.support.service import Service
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("streams"), "[limits]\nstreams_per_user = 3\n")
    service.add_user()
    try:
        yield service.start()
    finally:
        service.stop()


@pytest.mark.parametrize("path", ["/live", "/api/v1/events"])
def test_one_user_holds_so_many_streams_and_no_more(service: Service, path: str) -> None:
    ada = {"Authorization": str(service.client.headers["Authorization"])}
    bob = {"Authorization": f"Bearer {service.token_of('bob' + path[-1])}"}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        with ExitStack() as held:
            for kind in ("/live", "/api/v1/events", path):
                answer = held.enter_context(client.stream("GET", kind, headers=ada))
                assert answer.status_code == 200
            refused = client.get(path, headers=ada)
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
            assert "3 live streams" in refused.text and "limits.streams_per_user" in refused.text
            with client.stream("GET", path, headers=bob) as other:
                assert other.status_code == 200

        def room() -> bool:
            with client.stream("GET", path, headers=ada) as answer:
                return answer.status_code == 200

        wait_until(room, "the closed streams to be counted no more", 20)
