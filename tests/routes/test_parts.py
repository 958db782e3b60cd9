"""The parts of a job's page: each is a file that the page includes, and that the answer to an event carries to its place."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI

from app.domain.people.permissions import Role
from app.services.context import Context
from tests.support.app import make_actor, make_client
from tests.support.jobs import ended_job

PARTS = {"change": ["status", "course", "progress", "record"], "progress": ["course", "progress"]}
"""What the page fetches, and the parts in it."""


def without_ages(html: str) -> str:
    return re.sub(r">(\d+ \w+ ago|never)</", "></", html).strip()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_part_alone_is_what_the_page_shows(app: FastAPI) -> None:
    context: Context = app.state.context
    client = await make_client(app)
    job = await ended_job(context, await make_actor(context, "max", Role.MEMBER), {"scf.out": b"TOTAL CPU TIME\n"})
    page = without_ages((await client.get(f"/jobs/{job}")).text)
    for part, places in PARTS.items():
        answer = without_ages((await client.get(f"/jobs/{job}?part={part}")).text)
        carried = re.findall(
            r'<hx-partial hx-target="#(\w+)" hx-swap="innerMorph">(.*?)</hx-partial>', answer, re.DOTALL
        )
        assert "<html" not in answer and [place for place, _ in carried] == places
        for place, text in carried:
            assert f'id="{place}"' in page and text.strip() in page, place
    assert (await client.get(f"/jobs/{job}?part=page")).status_code == 422
