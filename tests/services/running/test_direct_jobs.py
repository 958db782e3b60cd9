"""Jobs without a scheduler, through the whole service in this process: cancelling, time limits, restarts."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.views import cancel, counts
from tests.support.app import make_actor, place_replay, running, settings_for
from tests.support.jobs import job_in
from tests.support.service import TERMINAL, mgo

SCF_OUTPUT = "mgo-scf/main.out"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place_replay(tmp_path)
    return tmp_path


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[FastAPI]:
    async with running(settings_for(folder, data=folder / "deck")) as app:
        yield app


def request(options: str = "", walltime: str = "00:10:00", **changes: Any) -> JobRequest:
    values = {"template": "scf", "parameters": mgo(f"replay {SCF_OUTPUT} {options}".strip()), "cluster": "here",
              "resources": {"walltime": walltime}, "name": "direct"} | changes  # fmt: skip
    return JobRequest(**values)


async def test_a_running_job_is_ended_with_its_whole_group(app: FastAPI) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    [job] = await create_jobs(context, actor, [request("seconds=60")])
    await job_in(context, actor, job.id, "running")
    await cancel(context, actor, job.id)
    view = await job_in(context, actor, job.id)
    assert view.job.state == "cancelled"
    assert view.remote is not None and view.remote.marker.endswith("TERM")
    assert "scf.out" in {file.name for file in view.files}


async def test_a_cancellation_at_any_moment_ends_the_job(app: FastAPI) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    for delay in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8):
        [job] = await create_jobs(context, actor, [request("seconds=60")])
        await asyncio.sleep(delay)
        await cancel(context, actor, job.id)
        assert (await job_in(context, actor, job.id)).job.state == "cancelled", delay


async def test_many_at_once_respect_the_limit(app: FastAPI) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    made = await create_jobs(context, actor, [request("seconds=0.5") for _ in range(12)])
    most = 0
    while True:
        # One query: what is read job by job was never true at one moment.
        found = await counts(context, actor)
        most = max(most, sum(found.get(state, 0) for state in ("staging", "submitted", "running", "finishing")))
        if sum(found.get(state, 0) for state in TERMINAL) == len(made):
            break
        await asyncio.sleep(0.05)
    assert found == {"completed": 12}
    assert 1 <= most <= 4


async def test_a_job_survives_the_restart_of_the_service(folder: Path) -> None:
    settings = settings_for(folder, data=folder / "deck")
    async with running(settings) as app:
        actor = await make_actor(app.state.context)
        [job] = await create_jobs(app.state.context, actor, [request("seconds=3")])
        await job_in(app.state.context, actor, job.id, "running")
    async with running(settings) as app:
        view = await job_in(app.state.context, actor, job.id)
        assert view.job.state == "completed", view.job.reason
        starts = [event for event in view.events if event.to_state == "submitted"]
        assert len(starts) == 1


async def test_a_lost_directory_is_said_and_not_guessed(app: FastAPI, folder: Path) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    [job] = await create_jobs(context, actor, [request("seconds=2")])
    view = await job_in(context, actor, job.id, "running")
    assert view.remote is not None
    shutil.rmtree(folder / "work" / view.remote.directory)
    ended = await job_in(context, actor, job.id)
    assert ended.job.state == "failed"
    assert "is gone" in ended.job.reason


async def test_large_files_come_alone_and_whole(app: FastAPI, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.running.fetching.BLOCK_SIZE", 500)
    context: Context = app.state.context
    actor = await make_actor(context)
    [job] = await create_jobs(context, actor, [request("seconds=0.2")])
    view = await job_in(context, actor, job.id)
    assert view.job.state == "completed" and view.job.attention == ""
    wave = next(file for file in view.files if file.name == "fort.9")
    assert (wave.size, wave.role) == (21 * 40, "wavefunction")
    assert (context.job_folder(job.id) / "files" / "fort.9").stat().st_size == wave.size
