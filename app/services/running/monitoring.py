"""Looking after jobs on a cluster: one round for all jobs of an account, whatever their number.

A round costs one look at the queue, one look into the directories of started jobs (exit markers and new output), and
at most one question to the accounting. Events that jobs push make the next round come sooner; they decide nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app.db.repositories import clusters, credentials, jobs
from app.db.savepoints import NOT_THE_ITEM, savepoint
from app.db.sessions import WriteSession
from app.db.tables import Job, RemoteJob, now
from app.domain.people.credentials import CredentialKey
from app.domain.states import OCCUPYING, ON_CLUSTER, JobState
from app.domain.verdict import Phase
from app.errors import Conflict, CrystalDeckError, RemoteFailure
from app.runners.base import BaseRunner
from app.services.clusters.access import note_problem, note_trouble, note_unwatched, runner_for, runner_kind
from app.services.clusters.remote_accounts import Account, keys_of, submitted_as
from app.services.context import Context
from app.services.jobs.faults import Faults, mark_jobs
from app.services.running.finishing import Finisher
from app.services.running.forgotten import Forgotten
from app.services.running.progress import LiveOutputs, log_key
from app.services.running.sightings import ALIVE, Sight, is_news, is_unknown, write_witnesses
from app.services.transitions.jobs import Move, transition_jobs

HURRY = 0.5
"""Seconds between rounds where they are needed often or cost nothing."""
CANCEL_AGAIN = 30.0
"""Seconds after which a batch system is asked again to end a job that goes on."""
log = logging.getLogger(__name__)

Watched = list[tuple[Job, RemoteJob]]


@dataclass
class Rhythm:
    """When an account is due, and since when it should be watched closely."""

    due: float = 0.0
    hurried: float = 0.0
    changed: float = 0.0
    rounds: int = 0
    """Rounds in a row in which jobs were ending."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Monitor:
    """One per process; only the leader's runs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._finisher = Finisher(context)
        self._outputs = LiveOutputs(context)
        self._rhythms: dict[CredentialKey, Rhythm] = {}
        self._cancelled: dict[str, float] = {}
        self._complaints: dict[str, str] = {}
        """What a batch system had against cancelling a job, by job id; empty where it had nothing."""
        self._forgotten = Forgotten()
        self._faults = Faults(log)
        """Jobs and accounts with which something went wrong that nobody foresaw."""
        self.has_jobs = False
        """Whether any job was on a cluster when `accounts` last looked, also where nobody can watch it now."""

    def hurry(self, key: CredentialKey) -> None:
        """Something happened at this account: look soon."""
        rhythm = self._rhythms.setdefault(key, Rhythm())
        rhythm.due, rhythm.hurried = 0.0, time.monotonic()

    async def accounts(self) -> list[Account]:
        """Accounts that have jobs on a cluster, each with the key that those were submitted with."""
        async with self._context.database.read() as session:
            ways = await credentials.submitters(session, OCCUPYING)
            active = {cluster.id: cluster for cluster in await clusters.all_active(session)} if ways else {}
        self.has_jobs = bool(ways)
        keys = await keys_of(self._context, ways) if ways else {}
        accounts: dict[CredentialKey, Account] = {}
        for way in ways:
            if (cluster := active.get(way[0])) is None or self._faults.waits(way):
                continue
            try:
                account = submitted_as(cluster, way, keys)
            except Conflict as error:
                await note_unwatched(self._context, way, error.sentence)
                continue
            except Exception as error:
                await note_unwatched(
                    self._context, way, self._faults.blame(way, f"an account on {cluster.name}", error)
                )
                continue
            accounts[account.key] = account
        return list(accounts.values())

    async def run(self, account: Account) -> None:
        """One round for one account, if it is due."""
        rhythm = self._rhythms.setdefault(account.key, Rhythm())
        if rhythm.lock.locked() or time.monotonic() < rhythm.due:
            return
        async with rhythm.lock:
            started = time.monotonic()
            rhythm.due = started + self._context.settings.poll_interval
            try:
                ending, changed = await self.poll_once(account)
            except CrystalDeckError as error:
                if runner_kind(account.settings).limits_rate(error.message):
                    rhythm.due = time.monotonic() + self._context.budget(account.key).refuse(time.monotonic())
                await note_trouble(self._context, account, error)
                return
            if changed:
                rhythm.changed = started
            rhythm.rounds = rhythm.rounds + 1 if ending else 0
            rhythm.due = 0.0 if rhythm.hurried > started else time.monotonic() + self._pause(account, rhythm, ending)

    def _pause(self, account: Account, rhythm: Rhythm, ending: bool) -> float:
        """Half a second on this server and while jobs begin to end, else longer the longer nothing changed."""
        if account.is_local:
            return HURRY
        settings = self._context.settings
        if ending:
            return min(HURRY * 1.3**rhythm.rounds, max(HURRY, settings.poll_interval_busy))
        quiet = (time.monotonic() - rhythm.changed) / 5
        return min(settings.poll_interval, max(settings.poll_interval_busy, quiet))

    async def poll_once(self, account: Account) -> tuple[bool, bool]:
        """Ask all witnesses once and act on what they say. Returns whether jobs are ending, and whether anything changed."""
        watched = await self._sound(await self._watched(account))
        if not watched:
            return False, False
        runner = await runner_for(self._context, account)
        await self._cancel_requested(runner, watched)
        sight = await self._ask(runner, watched)
        changed = await self._write(watched, sight)
        await note_problem(self._context, account.cluster, "")
        alive = {job_id for job_id, word in sight.queue.items() if word.phase in ALIVE}
        ending = [pair for pair in await self._watched(account, [JobState.FINISHING]) if pair[0].id not in alive]
        if ending:
            ended = {**sight.queue, **sight.accounting}
            ended = {job_id: word for job_id, word in ended.items() if word.phase is Phase.ENDED}
            markers = {job_id: glimpse.marker for job_id, glimpse in sight.glimpses.items()}
            await self._finisher.finish(runner, ending, ended, markers)
        return any(not self._finisher.rests(job.id) for job, _ in ending), changed

    async def _sound(self, watched: Watched) -> Watched:
        """Jobs that can be looked at; the others say why not, and rest for a while."""
        sound, broken = [], {}
        for job, remote in watched:
            if self._faults.waits(job.id):
                continue
            try:
                self._outputs.handle(job, remote)
            except Exception as error:
                broken[job.id] = self._faults.blame(job.id, f"looking at job {job.id}", error)
            else:
                sound.append((job, remote))
        await mark_jobs(self._context, broken)
        return sound

    async def _watched(self, account: Account, states: Iterable[JobState] = ON_CLUSTER) -> Watched:
        async with self._context.database.read() as session:
            return await jobs.with_remote(session, account.key, states)

    async def _cancel_requested(self, runner: BaseRunner, watched: Watched) -> None:
        moment = time.monotonic()
        wanted = [
            (job.id, remote.scheduler_id)
            for job, remote in watched
            if job.cancel_requested
            and job.state != JobState.FINISHING
            and moment - self._cancelled.get(job.id, -CANCEL_AGAIN) >= CANCEL_AGAIN
        ]
        if wanted:
            # Also where it fails: it is asked again after a while, and the look at all other jobs goes on.
            self._cancelled |= {job_id: moment for job_id, _ in wanted}
            try:
                complaints = await runner.cancel([scheduler_id for _, scheduler_id in wanted])
            except RemoteFailure as error:
                complaints = dict.fromkeys((scheduler_id for _, scheduler_id in wanted), error.sentence)
            for job_id, scheduler_id in wanted:
                self._complaints[job_id] = _not_cancelled(complaints.get(scheduler_id, ""))

    async def _ask(self, runner: BaseRunner, watched: Watched) -> Sight:
        handles = [self._outputs.handle(job, remote) for job, remote in watched]
        queue = await runner.queue(handles)
        started = [h for h in handles if queue.get(h.job_id) is None or queue[h.job_id].phase is not Phase.PENDING]
        began = {handle.job_id for handle in started}
        logs = [own for job, remote in watched if job.id in began for own in self._outputs.log_handles(job, remote)]
        glimpses = await runner.peek(started + logs) if started else {}
        # What exit markers say takes the part of an accounting only where the queue has no word.
        asks = runner.has_accounting
        over = [h for h in handles if (word := queue.get(h.job_id)) is None or (asks and word.phase is Phase.ENDED)]
        accounting = await runner.accounting(over) if over else {}
        self._complaints = {job.id: words for job, _ in watched if (words := self._complaints.get(job.id))}
        sight = Sight(queue, accounting, glimpses, self._complaints)
        sight.lost = self._lost(watched, sight)
        return sight

    def _lost(self, watched: Watched, sight: Sight) -> dict[str, str]:
        """Jobs that are looked for no longer, and why."""
        unknown = {job.id for job, _ in watched if job.state != JobState.FINISHING and is_unknown(job.id, sight)}
        self._forgotten.note([job.id for job, _ in watched], unknown)
        patience = timedelta(hours=self._context.settings.lost_after_hours)
        verdicts = {
            job.id: self._forgotten.verdict(
                job.id,
                remote.last_seen,
                now(),
                patience,
                cancelled=job.cancel_requested,
                disputed=job.id in sight.accounting,
            )
            for job, remote in watched
            if job.id in unknown
        }
        return {job_id: words for job_id, words in verdicts.items() if words}

    async def _write(self, watched: Watched, sight: Sight) -> bool:
        """Keep the raw words, the progress and the new states in one transaction. True if anything changed."""
        looked = [pair for pair in watched if pair[0].id in sight.glimpses and pair[0].state != JobState.FINISHING]
        progress, broken = await asyncio.to_thread(self._progress, looked, sight)
        news = {job.id for job, remote in watched if is_news(job, remote, sight, progress.get(job.id))}
        async with self._context.database.write() as session:
            await jobs.mark_seen(session, {job.id for job, _ in watched} - news)
            try:
                async with savepoint(session):
                    changed = await self._write_rows(session, news, sight, progress)
            except NOT_THE_ITEM:
                raise
            except Exception:
                changed = False
                for job_id in sorted(news):
                    try:
                        async with savepoint(session):
                            changed |= await self._write_rows(session, {job_id}, sight, progress)
                    except NOT_THE_ITEM:
                        raise
                    except Exception as error:
                        broken[job_id] = self._faults.blame(job_id, f"writing what is known of job {job_id}", error)
        await mark_jobs(self._context, broken)
        return changed

    def _progress(self, looked: Watched, sight: Sight) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
        """What the outputs show, by job; and of which jobs it cannot be told, and why."""
        found, broken = {}, {}
        for job, _ in looked:
            try:
                found[job.id] = self._outputs.advance(job, sight.glimpses[job.id], sight.glimpses.get(log_key(job.id)))
            except Exception as error:
                broken[job.id] = self._faults.blame(("output", job.id), f"reading the output of job {job.id}", error)
        return found, broken

    async def _write_rows(
        self, session: WriteSession, news: set[str], sight: Sight, progress: Mapping[str, dict[str, object]]
    ) -> bool:
        rows, remotes = await jobs.get_all(session, news, whole=False), await jobs.remotes(session, news)
        moves: list[Move] = []
        changed = False
        for job_id in rows.keys() & remotes.keys():
            touched, move = write_witnesses(session, rows[job_id], remotes[job_id], sight, progress.get(job_id))
            changed |= touched
            if move is not None:
                moves.append(move)
        return bool(await transition_jobs(session, moves)) or changed


def _not_cancelled(words: str) -> str:
    return f"Not cancelled yet: {words.rstrip('.')}. It is asked again." if words else ""


async def cluster_ids(context: Context) -> list[int]:
    """Clusters whose queue is to be looked at: those with jobs that wait to be submitted, or whose submission has begun."""
    async with context.database.read() as session:
        return await clusters.with_jobs(session, (JobState.QUEUED, JobState.STAGING))
