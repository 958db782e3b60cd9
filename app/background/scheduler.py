"""APScheduler's cadence: short ticks that start one task per cluster or account, never two for the same one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.background.leader import LeaderLock
from app.db.tables import now
from app.domain.setbacks import Setback, Setbacks
from app.errors import CrystalDeckError, RemoteFailure
from app.events import outbox
from app.services.batches import work as batch_work
from app.services.clusters import member_keys
from app.services.clusters.access import note_trouble, runner_for
from app.services.clusters.remote_accounts import Account
from app.services.context import Context
from app.services.jobs import setbacks
from app.services.jobs.faults import reason_of
from app.services.running import rereading
from app.services.running.monitoring import Monitor, cluster_ids
from app.services.running.submission import Dispatcher
from app.services.running.usage import UsageReader
from app.services.workflows import orchestrator

POLL_TICK = 0.25
NUDGE_PAUSE = 0.05
RUN_TICK = 1.0
"""Only for what no event tells: a back-off that is over, or a change that another process made."""
USAGE_TICK = 15.0
FOLLOW_RETRY = 10.0
REREAD_TICK = 3.0
"""Until all results are of this release's schema."""
KEYS_TICK = 30.0
OUTBOX_KEPT = timedelta(hours=6)
log = logging.getLogger(__name__)
Tell = Callable[[str, bool], Awaitable[None]]
"""Where the reason of a failure is shown (empty: it is over), and whether the work is set aside for it."""


class Background:
    """All periodic work of one process. Only the leader does any."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._leader = LeaderLock(context.database, context.settings.data)
        self._monitor = Monitor(context)
        self._usage_reader = UsageReader(context)
        self._dispatcher = Dispatcher(context, self._spawn, self._monitor.hurry)
        self._tasks: dict[object, asyncio.Task[None]] = {}
        self._again: dict[object, Callable[[], Awaitable[None]]] = {}
        self._setbacks = Setbacks()
        self._stopping = False
        self._all_read = False
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    async def start(self) -> None:
        ticks: list[tuple[Callable[[], Awaitable[None]], float]] = [
            (self._dispatch, self._context.settings.dispatch_interval),
            (self._poll, POLL_TICK),
            (self._batches, POLL_TICK),
            (self._runs, RUN_TICK),
            (self._usage, USAGE_TICK),
            (self._tidy, 600.0),
            (self._keys, KEYS_TICK),
            (self._reread, REREAD_TICK),
        ]
        for work, seconds in ticks:
            self._scheduler.add_job(
                self._tick,
                "interval",
                args=[work],
                seconds=seconds,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        self._scheduler.start()
        self._nudges = asyncio.create_task(self._on_nudge(), name="nudges")
        # What an earlier process left undone does not wait for the first tick either.
        self._context.nudge.set()

    async def _on_nudge(self) -> None:
        """Work that was just made does not wait for the next tick."""
        while True:
            await self._context.nudge.wait()
            self._context.nudge.clear()
            for work in (self._runs, self._dispatch):
                self._spawn(("tick", work.__name__), work, again=True)
            # Many nudges at once are one.
            await asyncio.sleep(NUDGE_PAUSE)

    async def _tick(self, work: Callable[[], Awaitable[None]]) -> None:
        """Ticks are tasks of ours too: a stop waits for them, which APScheduler's own shutdown does not."""
        self._spawn(("tick", work.__name__), work)

    async def stop(self) -> None:
        """Let no new work begin, then end what waits for a network; every step can be taken up again."""
        # A tick that APScheduler has already begun must not start anything either.
        self._stopping = True
        self._scheduler.pause()
        self._nudges.cancel()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._scheduler.shutdown(wait=False)
        await self._leader.release()

    def _spawn(
        self, key: object, work: Callable[[], Awaitable[None]], *, again: bool = False, tell: Tell | None = None
    ) -> bool:
        """Start `work` unless the same is still going on: a hanging cluster holds up nothing else. What failed rests first.

        With `again` it is started once more when that has ended: it may have looked before there was something to do. Returns
        whether it was started.
        """
        if self._stopping or self._setbacks.waits(key, time.monotonic()):
            return False
        if key in self._tasks:
            if again:
                self._again[key] = work
            return False
        task = asyncio.create_task(self._guard(key, work, tell), name=str(key))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._done(key, tell))
        return True

    def _done(self, key: object, tell: Tell | None) -> None:
        self._tasks.pop(key, None)
        if work := self._again.pop(key, None):
            self._spawn(key, work, tell=tell)

    async def _guard(self, key: object, work: Callable[[], Awaitable[None]], tell: Tell | None) -> None:
        """Whatever it raises stays here: it is logged once, shown where people look, and tried again ever less often."""
        try:
            await work()
        except Exception as error:
            setback = self._setbacks.failed(key, time.monotonic(), reason_of(error))
            _log_setback(key, setback, error)
            await self._tell(key, tell, setback.reason, setback.is_final)
        else:
            if self._setbacks.over(key):
                await self._tell(key, tell, "", False)

    @staticmethod
    async def _tell(key: object, tell: Tell | None, reason: str, final: bool) -> None:
        if tell is None:
            return
        try:
            await tell(reason, final)
        except Exception:
            log.exception("the setback of %s cannot be shown", key)

    async def _dispatch(self) -> None:
        if await self._leader.acquire():
            for cluster_id in await cluster_ids(self._context):
                work = partial(self._dispatcher.run, cluster_id)
                tell = partial(self._tell_cluster, cluster_id)
                self._spawn(("dispatch", cluster_id), work, again=True, tell=tell)

    async def _poll(self) -> None:
        if not await self._leader.acquire():
            return
        for account in await self._monitor.accounts():
            tell = partial(self._tell_account, account)
            self._spawn(("poll", account.key), partial(self._monitor.run, account), tell=tell)
            self._spawn(("follow", account.key), partial(self._follow, account))

    async def _tell_cluster(self, cluster_id: int, reason: str, _final: bool) -> None:
        """A cluster is never set aside: its jobs are there."""
        if reason:
            await setbacks.tell_cluster(self._context, cluster_id, reason)

    async def _tell_account(self, account: Account, reason: str, _final: bool) -> None:
        if reason:
            await note_trouble(self._context, account, RemoteFailure(reason))

    async def _usage(self) -> None:
        if await self._leader.acquire():
            await self._usage_reader.read()

    async def _batches(self) -> None:
        if await self._leader.acquire():
            for batch_id in await batch_work.busy(self._context):
                tell = partial(setbacks.tell_batch, self._context, batch_id)
                self._spawn(("batch", batch_id), partial(batch_work.work, self._context, batch_id), tell=tell)

    async def _runs(self) -> None:
        if await self._leader.acquire():
            for run_id in await orchestrator.busy(self._context):
                tell = partial(setbacks.tell_run, self._context, run_id)
                self._spawn(("run", run_id), partial(orchestrator.work, self._context, run_id), again=True, tell=tell)

    async def _follow(self, account: Account) -> None:
        """Hold one channel on which jobs push their changes; each line makes the next poll come at once."""
        try:
            runner = await runner_for(self._context, account)
            async with runner.follow() as lines:
                async for _ in lines:
                    self._monitor.hurry(account.key)
        except CrystalDeckError as error:
            log.info("no events from %s: %s", account.cluster, error.message)
        await asyncio.sleep(FOLLOW_RETRY)

    async def _keys(self) -> None:
        """Every process closes what it opened with keys that are gone; the leader throws away those that no job needs."""
        if await self._leader.acquire():
            await member_keys.forget_unneeded(self._context)
        else:
            await member_keys.close_stale(self._context)

    async def _reread(self) -> None:
        if not self._all_read and await self._leader.acquire():
            self._all_read = not await rereading.reread(self._context)

    async def _tidy(self) -> None:
        if await self._leader.acquire():
            async with self._context.database.write() as session:
                await outbox.prune(session, now() - OUTBOX_KEPT)


def _log_setback(key: object, setback: Setback, error: Exception) -> None:
    """With a traceback the first time; afterwards one line."""
    told = f"{key} failed ({setback.count} times in a row), next try in {setback.wait:.0f} s: {setback.reason}"
    if isinstance(error, CrystalDeckError) or setback.known:
        log.warning(told)
    else:
        log.error(told, exc_info=error)
