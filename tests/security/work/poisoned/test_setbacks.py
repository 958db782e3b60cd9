"""What fails again and again rests ever longer, is set aside, and says why."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlmodel import col

from app.background import scheduler
from app.background.scheduler import Background
from app.db.repositories import batches as batch_rows
from app.db.tables import Batch, BatchItem
from app.domain.people.permissions import Actor, Role
from app.domain.setbacks import FIRST, LONGEST, SET_ASIDE, Setbacks
from app.services.batches import drafts as batches
from app.services.batches import rows as draft_rows
from app.services.batches import work as batch_work
from app.services.context import Context
from app.services.jobs import setbacks
from app.services.jobs.creation import JobRequest
from tests.support.app import make_actor, make_client
from tests.support.service import mgo
from tests.support.waiting import until


def test_what_fails_again_rests_ever_longer() -> None:
    found = Setbacks()
    moment, waits = 0.0, []
    for _ in range(12):
        setback = found.failed("x", moment, "why")
        waits.append(setback.wait)
        assert found.waits("x", moment + setback.wait - 0.01) and not found.waits("x", moment + setback.wait)
        moment += setback.wait
    assert waits[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST] and waits[-1] == LONGEST
    assert not found.waits("y", 0.0)
    assert found.over("x") and not found.over("x")
    assert found.failed("x", moment, "why").count == 1


async def test_a_tick_that_raises_is_logged_once_and_set_aside(
    quiet: Context, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    background = Background(quiet)
    runs, told = 0, []

    async def work() -> None:
        nonlocal runs
        runs += 1
        raise KeyError("poison")

    async def tell(reason: str, final: bool) -> None:
        told.append((reason, final))

    clock = 0.0
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(monotonic=lambda: clock))
    for _ in range(SET_ASIDE):
        clock += LONGEST
        background._spawn("x", work, tell=tell)
        await asyncio.gather(*background._tasks.values())
        await asyncio.sleep(0)
        for _ in range(5):
            background._spawn("x", work, tell=tell)
        await asyncio.gather(*background._tasks.values())
    assert runs == SET_ASIDE, "while it rests it is not tried"
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert [final for _, final in told] == [False] * (SET_ASIDE - 1) + [True]
    assert all("KeyError" in reason for reason, _ in told)


async def test_a_batch_that_was_set_aside_says_why_and_is_taken_up_again(app: FastAPI) -> None:
    context: Context = app.state.context
    client = await make_client(app)
    [ada] = [Actor(1, "ada", Role.ADMIN)]
    form = batches.common_form(context.templates.get("scf"), mgo(), {}) | {"cluster": "here"}
    batch = await batches.begin(context, ada, "scf", form, "poisoned")
    async with context.database.write() as session:
        row = await session.get(Batch, batch.id)
        assert row is not None
        # A sweep that is to stop by itself, without the tolerance that says when.
        row.state, row.busy, row.sweep = "making", True, {"stop": True}
        session.add(row)

    async def failing() -> bool:
        async with context.database.read() as session:
            found = await batch_rows.get(session, batch.id)
        return found is not None and "KeyError" in found.remark

    await until(failing)
    await setbacks.tell_batch(context, batch.id, "Internal error (KeyError).", True)
    shown = (await client.get(f"/api/v1/batches/{batch.id}")).json()
    assert (shown["busy"], shown["state"]) == (False, "making")
    assert shown["remark"].startswith("Set aside after several failures") and "KeyError" in shown["remark"]
    assert "Try again" in (await client.get(f"/batches/{batch.id}")).text
    async with context.database.write() as session:
        await session.exec(update(Batch).where(col(Batch.id) == batch.id).values(sweep={}))
    assert (await client.post(f"/api/v1/batches/{batch.id}/retry")).status_code == 200

    async def over() -> bool:
        return bool((await client.get(f"/api/v1/batches/{batch.id}")).json()["state"] == "made")

    await until(over)
    assert (await client.post(f"/api/v1/batches/{batch.id}/retry")).status_code == 409
    await client.aclose()


async def test_rows_of_a_batch_fail_alone(quiet: Context) -> None:
    ada = await make_actor(quiet)
    form = batches.common_form(quiet.templates.get("scf"), mgo(), {}) | {"cluster": "here"}
    batch = await batches.begin(quiet, ada, "scf", form, "rows")
    await draft_rows.add_rows(quiet, ada, batch.id, [{"a": 4.2}, {"a": 4.3, "cluster": "nowhere"}, {"a": 4.4}])
    async with quiet.database.write() as session:
        session.add(BatchItem(batch_id=batch.id, position=4, source="no reference"))
    await batches.submit(quiet, ada, batch.id)
    # The row's cluster is looked for twice: let it pass the first time, as if it was removed in between.
    monkey = pytest.MonkeyPatch()
    judged = batch_work._prepared

    async def late(context: Context, actor: Actor, row: Batch, item: BatchItem) -> Any:
        if item.position != 2:
            return await judged(context, actor, row, item)
        item.given = {"a": 4.3}
        made = await judged(context, actor, row, item)
        assert not isinstance(made, str)
        return type(made)(**{**vars(made), "request": JobRequest(**{**vars(made.request), "cluster": "nowhere"})})

    monkey.setattr(batch_work, "_prepared", late)
    try:
        await batch_work.work(quiet, batch.id)
    finally:
        monkey.undo()
    async with quiet.database.read() as session:
        items = await batch_rows.items(session, batch.id)
    assert [item.state for item in items] == ["made", "wrong", "made", "wrong"]
    assert "nowhere" in items[1].message and "not an uploaded file" in items[3].message
