"""A job that cannot be sent, read or looked at fails alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.db.tables import JobResult
from app.runners.base import BaseRunner
from app.services.context import Context
from app.services.jobs import actions, queue
from app.services.jobs.selections import Selection
from app.services.jobs.views import get
from app.services.running import reading as results
from app.services.running import rereading
from tests.security.work.poisoned.poison import PROGRAM, are_in, are_over, change, row_of, three_jobs
from tests.support.app import make_actor
from tests.support.waiting import until


async def test_a_job_that_cannot_be_sent_is_held_and_the_others_run(app: FastAPI) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    await queue.pause(context, ada)
    first, poisoned, last = await three_jobs(context, ada)
    await change(context, poisoned, decks={"scf.d12": "a deck with an ä\n"})
    await queue.resume(context, ada)

    async def ended() -> bool:
        states = [(await get(context, ada, job_id)).job.state for job_id in (first, last)]
        return all(state in ("completed", "failed") for state in states)

    await until(ended)
    held = (await get(context, ada, poisoned)).job
    assert held.state == "held" and "UnicodeEncodeError" in held.reason and "UnicodeEncodeError" in held.attention
    # A person corrects what was wrong, and lets it go again.
    await change(context, poisoned, decks={"scf.d12": "a deck\n"})
    assert (await actions.act(context, ada, "release", Selection((poisoned,))))[0].done

    async def gone() -> bool:
        return (await get(context, ada, poisoned)).job.state in ("completed", "failed")

    await until(gone)


async def test_a_file_that_is_gone_fails_its_own_job(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    await queue.pause(context, ada)
    first, poisoned, last = await three_jobs(context, ada)
    stage = BaseRunner.stage

    async def broken(self: BaseRunner, batch: Any) -> None:
        if any(poisoned in package.name for package in batch):
            raise FileNotFoundError("fort.9 is gone")
        await stage(self, batch)

    monkeypatch.setattr(BaseRunner, "stage", broken)
    await queue.resume(context, ada)

    async def ended() -> bool:
        return await are_over(context, first, last, poisoned)

    await until(ended)
    failed = (await get(context, ada, poisoned)).job
    assert failed.state == "failed" and "fort.9 is gone" in failed.reason
    for job_id in (first, last):
        assert (await get(context, ada, job_id)).remote is not None


async def test_an_output_that_cannot_be_read_ends_its_own_job(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    read = results.read_file

    def broken(path: Path) -> Any:
        if path.parent.parent.name == poisoned:
            raise RecursionError("poison")
        return read(path)

    await queue.pause(context, ada)
    first, poisoned, last = await three_jobs(context, ada)
    monkeypatch.setattr(results, "read_file", broken)
    await queue.resume(context, ada)

    async def ended() -> bool:
        return await are_over(context, first, poisoned, last)

    await until(ended)
    found = await get(context, ada, poisoned)
    assert found.job.state == "failed" and "RecursionError" in found.job.reason
    assert any(file.name == "scf.out" for file in found.files), "its files are here all the same"
    assert "RecursionError" not in (await get(context, ada, last)).job.reason


async def test_a_job_with_an_impossible_date_does_not_stop_the_look_at_the_others(app: FastAPI) -> None:
    """The accounting is asked from the day before it was made, and there is none before the first."""
    context: Context = app.state.context
    ada = await make_actor(context)
    program = Path(context.settings.clusters["here"].crystal)
    go = program.with_name("go")
    program.write_text(f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.1; done\n" + PROGRAM.partition("\n")[2])
    first, poisoned, last = await three_jobs(context, ada)

    async def there() -> bool:
        return await are_in(context, ("running",), first, poisoned, last)

    await until(there)
    await change(context, poisoned, created_at=datetime(1, 1, 1, tzinfo=UTC))
    go.touch()

    async def ended() -> bool:
        return await are_over(context, first, last)

    await until(ended)

    async def told() -> bool:
        return "OverflowError" in (await row_of(context, poisoned)).attention

    await until(told)


async def test_results_are_read_again_past_one_that_cannot_be(quiet: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    async with quiet.database.write() as session:
        for job_id in ids:
            session.add(JobResult(job_id=job_id, output="scf.out", verdict="completed", results={"schema_version": 0}))
    for job_id in ids:
        path = quiet.job_folder(job_id) / "files" / "scf.out"
        path.parent.mkdir(parents=True)
        path.write_text("an output\n")
    read = rereading.read_file

    def broken(path: Path) -> Any:
        if path.parent.parent.name == ids[1]:
            raise IndexError("poison")
        return read(path)

    monkeypatch.setattr(rereading, "read_file", broken)
    assert await rereading.reread(quiet) == 3
    assert await rereading.reread(quiet) == 0, "it is not tried for ever"
    assert "cannot be read again" in (await row_of(quiet, ids[1])).attention
    assert (await row_of(quiet, ids[0])).attention == ""
