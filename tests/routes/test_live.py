"""The streams, from a real server: named events, resuming, an end when the service stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.service import Service, mgo


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    config = f'[clusters.here]\nrunner_type = "local"\ncrystal = "cat"\nproperties = "cat"\nworkdir = "{tmp_path}/w"\n'
    service = Service(tmp_path / "s", config)
    service.add_user()
    yield service.start()
    service.stop()


async def read(client: httpx.AsyncClient, path: str, count: int, **headers: str) -> list[dict[str, str]]:
    """The first `count` events of a stream."""
    events: list[dict[str, str]] = []
    async with asyncio.timeout(20), client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line and not line.startswith(":"):
                key, _, value = line.partition(": ")
                event[key] = value
            elif event:
                events.append(event)
                event = {}
                if len(events) == count:
                    return events
    return events


async def test_a_job_s_life_is_told_and_can_be_resumed(service: Service) -> None:
    headers = {"Authorization": str(service.client.headers["Authorization"])}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client:
        stream = asyncio.create_task(read(client, "/api/v1/events", 3))
        await asyncio.sleep(0.5)
        job = {"template": "scf", "parameters": mgo(), "cluster": "here"}
        job_id = (await client.post("/api/v1/jobs", json=job)).json()["id"]
        events = [event for event in await stream if event["event"] == "job"]
        assert [json.loads(event["data"])["id"] for event in events] == [job_id] * len(events)
        assert json.loads(events[0]["data"])["state"] == "queued"
        ids = [int(event["id"]) for event in events]
        assert ids == sorted(ids)
        again = await read(client, "/api/v1/events", 1, **{"Last-Event-ID": str(ids[0])})
        assert int(again[0]["id"]) == ids[0] + 1
        named = await read(client, f"/live?since=0&job={job_id}", 1)
        assert named[0]["event"] in ("cd-job", "cd-end", "cd-progress", "cd-clusters")
        listed = await read(client, "/live?since=0", 1)
        assert listed[0]["event"] in ("cd-jobs", "cd-clusters")


async def test_a_stop_ends_open_streams_at_once(service: Service) -> None:
    headers = {"Authorization": str(service.client.headers["Authorization"])}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client:
        stream = asyncio.create_task(read(client, "/api/v1/events", 999))
        await asyncio.sleep(0.5)
        assert service.process is not None
        service.process.terminate()
        async with asyncio.timeout(8):
            await stream
            await asyncio.to_thread(service.process.wait)
