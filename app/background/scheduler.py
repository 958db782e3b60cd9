"""Short ticks that start one task per cluster or account, never two for the same one; see `beats` for when they come."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from app.background.beats import Beats, Work
from app.background.leader import LeaderLock
from app.db.tables import now
from app.domain.setbacks import Setback, Setbacks
from app.errors import CrystalDeckError, RemoteFailure
from app.events import outbox
from app.events.model import Topic
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
EVENTS_PAUSE = 0.1
"""Seconds for which events are gathered: many at once wake what rests once."""
RUN_TICK = 1.0
"""Only for what no event tells: a back-off that is over."""
LEAD_TICK = 2.0
"""Between attempts of a process that does not lead to do so."""
USAGE_TICK = 15.0
FOLLOW_RETRY = 10.0
NOT_ALLOWED_RETRY = 900.0
REREAD_TICK = 3.0
"""Until all results are of this release's schema."""
KEYS_TICK = 30.0
TIDY_TICK = 600.0
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
        self._led = False
        self._beats = Beats(self._tick)
        self._listeners: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin all periodic work."""
        add = self._beats.add
        add(self._dispatch, self._context.settings.dispatch_interval, Topic.JOB, Topic.CLUSTER)
        add(self._poll, POLL_TICK, Topic.JOB, Topic.CLUSTER)
        add(self._batches, POLL_TICK, Topic.BATCH, Topic.JOB)
        add(self._runs, RUN_TICK, Topic.WORKFLOW, Topic.JOB)
        add(self._usage, USAGE_TICK, Topic.JOB, at_once=False)
        add(self._keys, KEYS_TICK, Topic.CLUSTER, Topic.JOB, at_once=False)
        add(self._reread, REREAD_TICK)
        add(self._tidy, TIDY_TICK)
        add(self._lead, LEAD_TICK)
        self._beats.begin()
        self._listeners = [
            asyncio.create_task(self._on_nudge(), name="nudges"),
            asyncio.create_task(self._on_events(), name="events that wake"),
        ]
        # What an earlier process left undone does not wait for the first tick either.
        self._context.nudge.set()

    async def _on_nudge(self) -> None:
        """Work that was just made does not wait for the next tick."""
        while True:
            await self._context.nudge.wait()
            self._context.nudge.clear()
            for work in (self._runs, self._dispatch):
                self._spawn(("tick", work.__name__), partial(self._beats.run, work), again=True)
            # Many nudges at once are one.
            await asyncio.sleep(NUDGE_PAUSE)

    async def _on_events(self) -> None:
        """What rests is woken by what happened, in this process or another one."""
        async with self._context.broker.subscribe() as queue:
            while True:
                topics = {(await queue.get()).topic}
                await asyncio.sleep(EVENTS_PAUSE)
                while not queue.empty():
                    topics.add(queue.get_nowait().topic)
                await self._beats.tell(topics)

    async def _tick(self, work: Work) -> None:
        """Ticks are tasks of ours too: a stop waits for them, which APScheduler's own shutdown does not."""
        self._spawn(("tick", work.__name__), partial(self._beats.run, work))

    async def stop(self) -> None:
        """Let no new work begin, then end what waits for a network; every step can be taken up again."""
        # A tick that APScheduler has already begun must not start anything either.
        self._stopping = True
        self._beats.pause()
        tasks = [*self._listeners, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._beats.end()
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

    # -- what is looked for; each answers whether more is to come --------------------------------------------------

    async def _leads(self) -> bool:
        """Does this process lead? One that does not, or no longer, tries to from now on."""
        leads = await self._leader.acquire()
        if leads != self._led:
            self._led = leads
            # All that rests looks anew: as the leader, or to become it.
            await self._beats.wake_all()
        return leads

    async def _lead(self) -> bool:
        return not (self._led or await self._leads())

    async def _dispatch(self) -> bool:
        if not await self._leads():
            return False
        found = await cluster_ids(self._context)
        for cluster_id in found:
            work = partial(self._dispatcher.run, cluster_id)
            tell = partial(self._tell_cluster, cluster_id)
            self._spawn(("dispatch", cluster_id), work, again=True, tell=tell)
        return bool(found)

    async def _poll(self) -> bool:
        if not await self._leads():
            return False
        accounts = await self._monitor.accounts()
        for account in accounts:
            tell = partial(self._tell_account, account)
            self._spawn(("poll", account.key), partial(self._monitor.run, account), tell=tell)
            self._spawn(("follow", account.key), partial(self._follow, account))
        return bool(accounts) or self._monitor.has_jobs

    async def _tell_cluster(self, cluster_id: int, reason: str, _final: bool) -> None:
        """A cluster is never set aside: its jobs are there."""
        if reason:
            await setbacks.tell_cluster(self._context, cluster_id, reason)

    async def _tell_account(self, account: Account, reason: str, _final: bool) -> None:
        if reason:
            await note_trouble(self._context, account, RemoteFailure(reason))

    async def _usage(self) -> bool:
        return await self._leads() and await self._usage_reader.read()

    async def _batches(self) -> bool:
        if not await self._leads():
            return False
        found = await batch_work.busy(self._context)
        for batch_id in found:
            tell = partial(setbacks.tell_batch, self._context, batch_id)
            self._spawn(("batch", batch_id), partial(batch_work.work, self._context, batch_id), tell=tell)
        return bool(found)

    async def _runs(self) -> bool:
        if not await self._leads():
            return False
        found = await orchestrator.busy(self._context)
        for run_id in found:
            tell = partial(setbacks.tell_run, self._context, run_id)
            self._spawn(("run", run_id), partial(orchestrator.work, self._context, run_id), again=True, tell=tell)
        return bool(found) or await orchestrator.any_later(self._context)

    async def _follow(self, account: Account) -> None:
        """Hold one channel on which jobs push their changes; each line makes the next poll come at once."""
        try:
            runner = await runner_for(self._context, account)
            async with runner.follow() as lines:
                async for _ in lines:
                    self._monitor.hurry(account.key)
        except CrystalDeckError as error:
            log.info("no events from %s: %s", account.cluster, error.message)
            if isinstance(error, RemoteFailure):
                # The machine does not allow it; its jobs are polled.
                await asyncio.sleep(NOT_ALLOWED_RETRY)
        await asyncio.sleep(FOLLOW_RETRY)

    async def _keys(self) -> bool:
        """Every process closes what it opened with keys that are gone; the leader throws away those that no job needs."""
        if await self._leads():
            await member_keys.forget_unneeded(self._context)
        else:
            await member_keys.close_stale(self._context)
        return False

    async def _reread(self) -> bool:
        if not self._all_read and await self._leads():
            self._all_read = not await rereading.reread(self._context)
        return self._led and not self._all_read

    async def _tidy(self) -> bool:
        if await self._leads():
            async with self._context.database.write() as session:
                await outbox.prune(session, now() - OUTBOX_KEPT)
        return True


def _log_setback(key: object, setback: Setback, error: Exception) -> None:
    """With a traceback the first time; afterwards one line."""
    told = f"{key} failed ({setback.count} times in a row), next try in {setback.wait:.0f} s: {setback.reason}"
    if isinstance(error, CrystalDeckError) or setback.known:
        log.warning(told)
    else:
        log.error(told, exc_info=error)
