"""The queue under people's hands, with real processes: order, limits, pace, pauses, and why a job waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlmodel import select

from app.db.engine import insert_rows
from app.db.repositories import queue as rows
from app.db.tables import Cluster, Job, JobEvent, User, now
from app.domain.jobs import JobFilter
from app.domain.people.permissions import Actor, Role
from app.errors import InvalidInput, NotAllowed
from app.services.context import Context
from app.services.jobs import actions, queue
from app.services.jobs.actions import Selection
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.views import get
from tests.support.app import make_actor
from tests.support.jobs import job_in
from tests.support.service import TERMINAL, mgo

TITLE = "replay mgo-scf/main.out seconds=0.2"


async def make(context: Context, actor: Actor, count: int, priority: str = "normal") -> list[str]:
    requests = [JobRequest("scf", mgo(TITLE), "here", {}, f"n{index}", priority) for index in range(count)]
    return [job.id for job in await create_jobs(context, actor, requests)]


async def ended(context: Context, actor: Actor, ids: list[str]) -> None:
    for job_id in ids:
        await job_in(context, actor, job_id)


async def order(context: Context) -> list[str]:
    """Jobs as they were submitted."""
    async with context.database.read() as session:
        query = select(JobEvent.job_id).where(JobEvent.to_state == "staging").order_by(JobEvent.id)  # type: ignore[arg-type]
        return list((await session.exec(query)).all())


async def test_people_decide_the_order(start: Callable[..., Any]) -> None:
    async with start(max_jobs=1) as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        await queue.pause(context, ada, "here", "maintenance")
        a, b, c, d = await make(context, ada, 4)
        [low] = await make(context, ada, 1, "low")
        view = await get(context, ada, a)
        assert await queue.explain(context, ada, view.job) == ["Paused by ada: maintenance."]
        await actions.act(context, ada, "priority", Selection((d,)), "urgent")
        await actions.act(context, ada, "first", Selection((b, c)))
        await actions.act(context, ada, "hold", Selection((low,)))
        later = (now() + timedelta(hours=1)).isoformat()
        [late] = await make(context, ada, 1, "urgent")
        await actions.act(context, ada, "start", Selection((late,)), later)
        await queue.resume(context, ada, "here")
        await ended(context, ada, [a, b, c, d])
        assert await order(context) == [d, b, c, a]
        held, waiting = (await get(context, ada, low)).job, (await get(context, ada, late)).job
        assert (held.state, waiting.state) == ("held", "queued")
        assert "held" in (await queue.explain(context, ada, held))[0]
        assert "will start no earlier than" in (await queue.explain(context, ada, waiting))[0]
        # Released and allowed to start, they go.
        await actions.act(context, ada, "release", Selection((low,)))
        await actions.act(context, ada, "start", Selection((late,)))
        await ended(context, ada, [low, late])


async def test_one_job_that_cannot_take_part_stops_no_other(start: Callable[..., Any]) -> None:
    async with start() as app:
        context: Context = app.state.context
        ada, bob = await make_actor(context), await make_actor(context, "bob", Role.MEMBER)
        await queue.pause(context, ada)
        own, foreign = await make(context, bob, 2), await make(context, ada, 1)
        done = await actions.act(context, bob, "hold", Selection((*own, *foreign, "nothere1")))
        assert [(entry.done, entry.reason) for entry in done] == [
            (True, ""), (True, ""), (False, "It belongs to another user."), (False, "There is no such job."),
        ]  # fmt: skip
        again = await actions.act(context, bob, "hold", Selection((own[0],)))
        assert again[0].reason == "It is held, not waiting in the queue."
        everything = await actions.act(context, ada, "cancel", Selection(matching=JobFilter(owner="bob")))
        assert [entry.done for entry in everything] == [True, True]
        assert (await get(context, ada, foreign[0])).job.state == "queued"
        for action, value in (("explode", ""), ("priority", "very"), ("start", "tomorrow")):
            with pytest.raises(InvalidInput):
                await actions.act(context, ada, action, Selection((own[0],)), value)
        with pytest.raises(NotAllowed):
            await queue.resume(context, bob)
        assert "All clusters: Paused by ada." in await queue.explain(
            context, bob, (await get(context, ada, foreign[0])).job
        )


async def test_users_share_a_cluster_and_keep_their_limits(start: Callable[..., Any]) -> None:
    async with start(max_jobs=4, fair_share=True, max_jobs_per_user=3) as app:
        context: Context = app.state.context
        ada, bob = await make_actor(context), await make_actor(context, "bob", Role.MEMBER)
        await queue.pause(context, ada)
        hers, his = await make(context, ada, 8), await make(context, bob, 8)
        await queue.resume(context, ada)
        seen: set[tuple[int, int]] = set()
        async with asyncio.timeout(60):
            while True:
                async with context.database.read() as session:
                    there = await rows.count_occupying_by_owner(session, 1)
                seen.add((there.get(ada.user_id, 0), there.get(bob.user_id, 0)))
                states = [(await get(context, ada, job_id)).job.state for job_id in (hers[-1], his[-1])]
                if all(state in TERMINAL for state in states):
                    break
                await asyncio.sleep(0.02)
        assert all(a + b <= 4 and max(a, b) <= 3 for a, b in seen), seen
        # Of any eight that left one after the other each had four, but for one.
        handed = await order(context)
        assert abs(sum(job_id in hers for job_id in handed[:8]) - 4) <= 1


async def test_the_pace_is_kept(start: Callable[..., Any]) -> None:
    async with start(max_jobs=50, submit_delay=0.5) as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        begun = time.monotonic()
        ids = await make(context, ada, 5)
        await ended(context, ada, ids)
        assert time.monotonic() - begun > 4 * 0.5
        async with context.database.read() as session:
            query = select(JobEvent.at).where(JobEvent.to_state == "staging").order_by(JobEvent.at)  # type: ignore[arg-type]
            moments = list((await session.exec(query)).all())
        gaps = [(b - a).total_seconds() for a, b in pairwise(moments)]
        assert min(gaps) >= 0.5, gaps


async def test_more_jobs_than_two_chunks_are_held_and_released_at_once(start: Callable[..., Any]) -> None:
    """What ten thousand of them cost is measured in `bench/waiting.py`."""
    many = 2 * actions.CHUNK + 100
    async with start() as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        await queue.pause(context, ada)
        async with context.database.write() as session:
            cluster = (await session.exec(select(Cluster))).one()
            user = (await session.exec(select(User))).one()
            template = {"owner_id": user.id, "cluster_id": cluster.id, "template_id": "scf", "template_revision": "r",
                        "parameters": {}, "decks": {"scf.d12": "t"}, "resources": {}, "name": "n"}  # fmt: skip
            await insert_rows(session, [Job(id=f"q{n:05d}", token=f"t{n}", place=n, **template) for n in range(many)])
        for action, state in (("hold", "held"), ("release", "queued"), ("last", "queued")):
            done = await actions.act(context, ada, action, Selection(matching=JobFilter(owner="ada")))
            assert len(done) == many and all(entry.done for entry in done)
            assert (await get(context, ada, "q00700")).job.state == state
        last = (await get(context, ada, f"q{many - 1:05d}")).job
        assert f"{many - 1} jobs of this cluster come first." in await queue.explain(context, ada, last)
