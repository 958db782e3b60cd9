"""An action on many jobs: one poisoned job stops none of the others."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from app.db.tables import Batch, Job
from app.domain.people.permissions import Actor
from app.errors import InvalidInput
from app.services.batches import work as batch_work
from app.services.context import Context
from app.services.jobs import actions
from app.services.jobs.selections import Selection
from app.services.jobs.views import get
from tests.security.work.poisoned.poison import change, three_jobs
from tests.support.app import make_actor


@pytest.mark.parametrize(
    ("action", "value"),
    [("move", "here:bad part!"), ("move", "here:-x"), ("move", "here:" + "p" * 99), ("move", "he re"), ("move", "here\0"),
     ("start", "0001-01-01T00:00+14:00"), ("start", "9999-12-31T23:59-23:00"), ("start", "soon"), ("tag", "two words"),
     ("tag", ""), ("priority", "now"), ("explode", "")],
)  # fmt: skip
async def test_a_value_is_judged_when_the_action_begins(quiet: Context, action: str, value: str) -> None:
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    with pytest.raises(InvalidInput):
        await actions.begin(quiet, ada, action, Selection(tuple(ids)), value)
    async with quiet.database.read() as session:
        assert (await session.exec(select(Batch))).all() == []


async def test_one_poisoned_job_stops_none_of_the_others(quiet: Context, caplog: pytest.LogCaptureFixture) -> None:
    ada = await make_actor(quiet)
    first, poisoned, last = await three_jobs(quiet, ada)
    await change(quiet, poisoned, resources={"nodes": 0, "nonsense": True})
    done = await actions.act(quiet, ada, "move", Selection((first, poisoned, last)), "here:part")
    assert [entry.done for entry in done] == [True, False, True]
    assert "nonsense" in done[1].reason
    moved = [(await get(quiet, ada, job_id)).job.resources.get("partition") for job_id in (first, last)]
    assert moved == ["part", "part"]
    # What raises something that nobody foresaw is logged once, with its traceback.
    monkey = pytest.MonkeyPatch()

    async def apply(session: Any, actor: Actor, action: str, rows: list[Job], wanted: Any) -> dict[str, str]:
        await session.exec(update(Job), params=[{"id": job.id, "archived": True} for job in rows])
        if poisoned in [job.id for job in rows]:
            raise ZeroDivisionError("poison")
        return {}

    monkey.setattr(actions, "apply_action", apply)
    try:
        done = await actions.act(quiet, ada, "tag", Selection((first, poisoned, last)), "seen")
    finally:
        monkey.undo()
    assert [entry.done for entry in done] == [True, False, True]
    assert "ZeroDivisionError: poison" in done[1].reason
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    archived = [(await get(quiet, ada, job_id)).job.archived for job_id in (first, poisoned, last)]
    assert archived == [True, False, True], "what the failing one had changed was undone"


async def test_an_action_of_an_earlier_release_with_a_bad_value_ends(quiet: Context) -> None:
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    batch = await actions.begin(quiet, ada, "move", Selection(tuple(ids)), "here")
    async with quiet.database.write() as session:
        await session.exec(update(Batch).where(col(Batch.id) == batch.id).values(value="dead:bad part!"))
    await batch_work.work(quiet, batch.id)
    found = await actions.outcomes(quiet, ada, batch.id)
    assert [(entry.done, "dead" in entry.reason) for entry in found] == [(False, True)] * 3
    assert batch.id not in await batch_work.busy(quiet)
