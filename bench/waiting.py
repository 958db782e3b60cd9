"""Queue operations with 10,000 jobs waiting, in milliseconds; the limit is one bare UPDATE of one row in the same database."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import update
from sqlmodel import col, select

from app.db.engine import insert_rows
from app.db.repositories import queue as rows
from app.db.tables import Cluster, Job, User, now
from app.domain.jobs import JobFilter
from app.domain.queueing import Limits, choose
from app.services.jobs import actions, queue
from app.services.jobs import views as jobs
from app.services.jobs.actions import Selection
from tests.support.app import make_actor, running, settings_for

WAITING = 10_000
REPEATS = 9


async def timed(work: Callable[[], Awaitable[object]], repeats: int) -> float:
    """Median milliseconds."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        await work()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1000


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running(settings_for(Path(folder))) as app:
            context = app.state.context
            ada = await make_actor(context)
            await queue.pause(context, ada)
            async with context.database.write() as session:
                cluster, user = (await session.exec(select(Cluster))).one(), (await session.exec(select(User))).one()
                same = {
                    "owner_id": user.id, "cluster_id": cluster.id, "template_id": "scf", "template_revision": "r",
                    "parameters": {}, "decks": {"scf.d12": "t\n" * 200}, "resources": {}, "name": "n",
                }  # fmt: skip
                await insert_rows(
                    session, [Job(id=f"q{n:05d}", token=f"t{n}", place=n, **same) for n in range(WAITING)]
                )

            async def bare() -> None:
                async with context.database.write() as session:
                    await session.exec(update(Job).where(col(Job.id) == "q05000").values(name="m"))

            async def turn(fair: bool) -> None:
                async with context.database.read() as session:
                    there = await rows.count_occupying_by_owner(session, cluster.id)
                    depth = WAITING if fair else 200
                    waiting = await rows.waiting(session, cluster.id, [user.id], now(), depth)
                assert len(choose(waiting, there, Limits(500, fair=fair), 200).chosen) == 200

            async def everything(action: str, state: str) -> None:
                done = await actions.act(context, ada, action, Selection(matching=JobFilter(owner="ada")))
                assert len(done) == WAITING and all(entry.done for entry in done)
                assert (await jobs.get(context, ada, "q05000")).job.state == state

            async def held_and_released() -> None:
                await everything("hold", "held")
                await everything("release", "queued")

            one = Selection(("q05000",))
            job = (await jobs.get(context, ada, "q05000")).job
            limit = await timed(bare, REPEATS)
            print(f"{'one bare UPDATE':<34} {limit:8.1f} ms")
            for name, work in (
                ("whose turn is it: the next 200", lambda: turn(False)),
                ("the same, shared fairly", lambda: turn(True)),
                ("priority of one job", lambda: actions.act(context, ada, "priority", one, "high")),
                ("one job to the front", lambda: actions.act(context, ada, "first", one)),
                ("why one job waits", lambda: queue.explain(context, ada, job)),
                ("a page of the list of jobs", lambda: jobs.listing(context, ada, JobFilter())),
                ("all 10,000 to the end", lambda: everything("last", "queued")),
                ("all 10,000 held and released", held_and_released),
            ):
                took = await timed(work, 1 if name.startswith("all ") else REPEATS)
                print(f"{name:<34} {took:8.1f} ms   ratio {took / limit:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
