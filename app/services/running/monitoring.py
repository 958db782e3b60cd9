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
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel.ext.asyncio.session import AsyncSession

from app.crystal.decks.rendering import written_roles
from app.crystal.files import output_name
from app.db.repositories import clusters, credentials, jobs
from app.db.repositories.jobs import Move
from app.db.savepoints import NOT_THE_ITEM, savepoint
from app.db.tables import Job, RemoteJob, now
from app.domain.people.credentials import CredentialKey
from app.domain.states import OCCUPYING, ON_CLUSTER, JobState
from app.domain.verdict import Phase, SchedulerWord, assess
from app.errors import Conflict, CrystalDeckError, RemoteFailure
from app.events.model import Topic
from app.events.outbox import announce, announce_jobs
from app.runners.base import BaseRunner, Glimpse, Handle
from app.runners.slurm_states import asks_for_patience
from app.services.clusters.access import note_problem, note_trouble, note_unwatched, runner_for
from app.services.clusters.remote_accounts import Account, account_of_job, cluster_settings, keys_of, submitted_as
from app.services.context import Context
from app.services.jobs.faults import Faults, mark_jobs
from app.services.jobs.outputs import SCF_LOG, writes_scf_log
from app.services.running.finishing import Finisher

HURRY = 0.5
"""Seconds between rounds where they are needed often or cost nothing."""
CANCEL_AGAIN = 30.0
_LOG = "+log"
"""Behind the id of a job: a look at the log of its SCFs."""
USAGE_ASKED = timedelta(minutes=15)
"""How long after a job's end the accounting is asked what it took."""
log = logging.getLogger(__name__)

STATE_WORDS = {
    JobState.SUBMITTED: "The scheduler has it.",
    JobState.RUNNING: "The calculation runs.",
    JobState.FINISHING: "The job has ended; its files are being fetched.",
}

Watched = list[tuple[Job, RemoteJob]]


@dataclass
class Sight:
    """What one round found out about an account's jobs, by job id."""

    queue: dict[str, SchedulerWord]
    accounting: dict[str, SchedulerWord]
    glimpses: dict[str, Glimpse]


@dataclass
class Rhythm:
    """When an account is due, and since when it should be watched closely."""

    due: float = 0.0
    hurried: float = 0.0
    changed: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Monitor:
    """One per process; only the leader's runs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._finisher = Finisher(context)
        self._rhythms: dict[CredentialKey, Rhythm] = {}
        self._cancelled: dict[str, float] = {}
        self._faults = Faults(log)
        """Jobs and accounts with which something went wrong that nobody foresaw."""

    def hurry(self, key: CredentialKey) -> None:
        """Something happened at this account: look soon."""
        rhythm = self._rhythms.setdefault(key, Rhythm())
        rhythm.due, rhythm.hurried = 0.0, time.monotonic()

    async def accounts(self) -> list[Account]:
        """Accounts that have jobs on a cluster, each with the key that those were submitted with."""
        async with self._context.database.read() as session:
            active = {cluster.id: cluster for cluster in await clusters.all_active(session)}
            ways = await credentials.submitters(session, OCCUPYING)
        known = await keys_of(self._context, ways) if ways else {}
        found: dict[CredentialKey, Account] = {}
        for way in ways:
            if (cluster := active.get(way[0])) is None or self._faults.waits(way):
                continue
            try:
                account = submitted_as(cluster, way, known)
            except Conflict as error:
                await note_unwatched(self._context, way, error.sentence)
                continue
            except Exception as error:
                await note_unwatched(
                    self._context, way, self._faults.blame(way, f"an account on {cluster.name}", error)
                )
                continue
            found[account.key] = account
        return list(found.values())

    async def run(self, account: Account) -> None:
        """One round for one account, if it is due."""
        rhythm = self._rhythms.setdefault(account.key, Rhythm())
        if rhythm.lock.locked() or time.monotonic() < rhythm.due:
            return
        async with rhythm.lock:
            started = time.monotonic()
            rhythm.due = started + self._context.settings.poll_interval
            try:
                ending, changed = await self.look(account)
            except CrystalDeckError as error:
                if asks_for_patience(error.message):
                    rhythm.due = time.monotonic() + self._context.budget(account.key).refuse(time.monotonic())
                await note_trouble(self._context, account, error)
                return
            if changed:
                rhythm.changed = started
            rhythm.due = 0.0 if rhythm.hurried > started else time.monotonic() + self._pause(account, rhythm, ending)

    async def ask_usage(self) -> None:
        """What jobs took that ended lately: a scheduler's accounting knows it some seconds after their end."""
        async with self._context.database.read() as session:
            rows = await jobs.without_usage(session, now() - USAGE_ASKED)
            known = {cluster.id: cluster for cluster in await clusters.all_active(session)}
        groups: dict[CredentialKey, tuple[Account, list[Handle]]] = {}
        for job, remote in rows:
            cluster = known.get(job.cluster_id)
            if cluster is None or self._faults.waits(("usage", job.id)):
                continue
            try:
                if cluster_settings(cluster).runner_type != "slurm":
                    continue
                account = await account_of_job(self._context, cluster, job.owner_id, remote)
                handle = self._handle(job, remote)
            except CrystalDeckError:
                continue
            except Exception as error:
                self._faults.blame(("usage", job.id), f"asking what job {job.id} took", error)
                continue
            groups.setdefault(account.key, (account, []))[1].append(handle)
        await asyncio.gather(*(self._keep_usage(account, handles) for account, handles in groups.values()))

    async def _keep_usage(self, account: Account, handles: list[Handle]) -> None:
        try:
            words = await (await runner_for(self._context, account)).accounting(handles)
        except CrystalDeckError as error:
            log.info("no accounting from %s: %s", account.cluster, error.message)
            return
        except Exception as error:
            self._faults.blame(("usage", account.key), f"the accounting of {account.cluster}", error)
            return
        usages = {
            handle.job_id: word.usage
            for handle in handles
            if (word := words.get(handle.job_id)) and word.phase is Phase.ENDED and word.usage and word.usage.wall_s
        }
        async with self._context.database.write() as session:
            await jobs.keep_usage(session, usages)

    def _pause(self, account: Account, rhythm: Rhythm, ending: bool) -> float:
        """Half a second while jobs end or on this server, else longer the longer nothing changed."""
        if ending or account.is_local:
            return HURRY
        settings = self._context.settings
        quiet = (time.monotonic() - rhythm.changed) / 5
        return min(settings.poll_interval, max(settings.poll_interval_busy, quiet))

    async def look(self, account: Account) -> tuple[bool, bool]:
        """Ask all witnesses once and act on what they say. Are jobs ending? Did anything change?"""
        watched = await self._sound(await self._watched(account))
        if not watched:
            return False, False
        runner = await runner_for(self._context, account)
        await self._cancel_requested(runner, watched)
        sight = await self._ask(runner, watched)
        changed = await self._write(watched, sight)
        await note_problem(self._context, account.cluster, "")
        ending = await self._watched(account, [JobState.FINISHING])
        if ending:
            ended = {**sight.queue, **sight.accounting}
            ended = {job_id: word for job_id, word in ended.items() if word.phase is Phase.ENDED}
            markers = {job_id: glimpse.marker for job_id, glimpse in sight.glimpses.items()}
            await self._finisher.finish(runner, ending, ended, markers)
        return bool(ending), changed

    async def _sound(self, watched: Watched) -> Watched:
        """Jobs that can be looked at; the others say why not, and rest for a while."""
        sound, broken = [], {}
        for job, remote in watched:
            if self._faults.waits(job.id):
                continue
            try:
                self._handle(job, remote)
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
                await runner.cancel([scheduler_id for _, scheduler_id in wanted])
            except RemoteFailure as error:
                await mark_jobs(self._context, dict.fromkeys((job_id for job_id, _ in wanted), error.sentence))

    async def _ask(self, runner: BaseRunner, watched: Watched) -> Sight:
        handles = [self._handle(job, remote) for job, remote in watched]
        queue = await runner.queue(handles)
        started = [h for h in handles if queue.get(h.job_id) is None or queue[h.job_id].phase is not Phase.PENDING]
        began = {handle.job_id for handle in started}
        logs = [self._log_handle(job, remote) for job, remote in watched if job.id in began and writes_scf_log(job)]
        glimpses = await runner.peek(started + logs) if started else {}
        over = [h for h in handles if queue.get(h.job_id) is None or queue[h.job_id].phase is Phase.ENDED]
        accounting = await runner.accounting(over) if over else {}
        return Sight(queue, accounting, glimpses)

    def _handle(self, job: Job, remote: RemoteJob) -> Handle:
        since = (job.created_at - timedelta(days=1)).strftime("%Y-%m-%d")
        output = output_name(next(iter(written_roles(job.decks))))
        offset = self._live_file(job).stat().st_size if self._live_file(job).exists() else 0
        return Handle(job.id, remote.scheduler_id, remote.directory, output, offset, since)

    def _log_handle(self, job: Job, remote: RemoteJob) -> Handle:
        """The same look brings what the SCFs of an optimisation wrote beside the output."""
        live = self._live_file(job).with_name(SCF_LOG)
        offset = live.stat().st_size if live.exists() else 0
        return Handle(job.id + _LOG, remote.scheduler_id, remote.directory, SCF_LOG, offset)

    def _live_file(self, job: Job) -> Path:
        return self._context.job_folder(job.id) / "live" / output_name(next(iter(written_roles(job.decks))))

    async def _write(self, watched: Watched, sight: Sight) -> bool:
        """Keep the raw words, the progress and the new states in one transaction. True if anything changed."""
        looked = [pair for pair in watched if pair[0].id in sight.glimpses and pair[0].state != JobState.FINISHING]
        progress, broken = await asyncio.to_thread(self._progress, looked, sight)
        news = {job.id for job, remote in watched if self._is_news(job, remote, sight, progress.get(job.id))}
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
        self._context.broker.wake()
        return changed

    def _progress(self, looked: Watched, sight: Sight) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
        """What the outputs show, by job; and of which jobs it cannot be told, and why."""
        found, broken = {}, {}
        for job, _ in looked:
            try:
                found[job.id] = self._advance(job, sight.glimpses[job.id], sight.glimpses.get(job.id + _LOG))
            except Exception as error:
                broken[job.id] = self._faults.blame(("output", job.id), f"reading the output of job {job.id}", error)
        return found, broken

    async def _write_rows(
        self, session: AsyncSession, news: set[str], sight: Sight, progress: Mapping[str, dict[str, object]]
    ) -> bool:
        rows, remotes = await jobs.get_all(session, news), await jobs.remotes(session, news)
        moves: list[Move] = []
        changed = False
        for job_id in rows.keys() & remotes.keys():
            touched, move = self._write_one(session, rows[job_id], remotes[job_id], sight, progress.get(job_id))
            changed |= touched
            if move is not None:
                moves.append(move)
        moved = await jobs.transition_all(session, moves)
        await announce_jobs(session, [move.job for move in moved])
        return changed or bool(moved)

    @staticmethod
    def _is_news(job: Job, remote: RemoteJob, sight: Sight, progress: dict[str, object] | None) -> bool:
        """False for a job that the queue lists in the same words as before, and whose output has not grown."""
        queue = sight.queue.get(job.id)
        glimpse = sight.glimpses.get(job.id)
        return (
            queue is None
            or queue.phase not in (Phase.PENDING, Phase.RUNNING)
            or (queue.raw, queue.reason) != (remote.queue_state, remote.queue_reason)
            or _moment(queue) != remote.expected_start
            or (glimpse is not None and glimpse.marker is not None)
            or (progress is not None and progress != job.progress)
            or bool(job.attention)
        )

    @staticmethod
    def _write_one(
        session: AsyncSession, job: Job, remote: RemoteJob, sight: Sight, progress: dict[str, object] | None
    ) -> tuple[bool, Move | None]:
        """Write the witnesses' words on one job. Was anything told? Where does it go?"""
        queue, accounting = sight.queue.get(job.id), sight.accounting.get(job.id)
        glimpse = sight.glimpses.get(job.id)
        marker = glimpse.marker if glimpse else None
        remote.queue_state, remote.queue_reason = (queue.raw, queue.reason) if queue else ("", "")
        remote.expected_start = _moment(queue)
        if accounting and accounting.usage is not None:
            usage = accounting.usage
            remote.wall_s, remote.cpu_s = usage.wall_s, usage.cpu_s
            # The accounting of a job's last step may come late: what was known once stays.
            remote.memory_mb = max(remote.memory_mb, usage.memory_mb)
        if accounting:
            remote.accounting_state = accounting.raw
            remote.exit_code, remote.signal = accounting.exit_code, accounting.signal
        word = queue or accounting
        remote.nodes = (word.nodes if word else "") or remote.nodes
        remote.marker = f"{marker.status} {marker.signal or '-'}" if marker else remote.marker
        if word:
            remote.last_seen = now()
        moved = progress is not None and progress != job.progress
        if moved and progress is not None:
            job.progress = progress
            announce(session, Topic.PROGRESS, job.id, **progress)
        if job.state == JobState.FINISHING:
            return moved, None
        standing = assess(queue, accounting, marker)
        words = standing.reason or (STATE_WORDS[standing.state] if standing.state else job.reason)
        told = standing.attention != job.attention or (standing.state == job.state and words != job.reason)
        if told:
            job.attention = standing.attention
            job.reason = words if standing.state == job.state else job.reason
            announce(session, Topic.JOB, job.id, state=job.state)
        if standing.state is None or standing.state == job.state:
            return moved or told, None
        started = job.started_at or (now() if standing.state is JobState.RUNNING else None)
        return True, Move(job, standing.state, words, {"started_at": started})

    def _advance(self, job: Job, glimpse: Glimpse, log_glimpse: Glimpse | None) -> dict[str, object]:
        """Add the new bytes of the output to the live copy; returns the progress that it shows."""
        live = self._live_file(job)
        progress = self._grow(live, glimpse)
        if log_glimpse is not None and log_glimpse.size:
            log_progress = self._grow(live.with_name(SCF_LOG), log_glimpse)
            progress |= {key: log_progress[key] for key in ("cycle", "energy", "delta") if key in log_progress}
            progress["log_size"] = log_glimpse.size
        return {**progress, "output_size": glimpse.size, "output_mtime": glimpse.mtime}

    def _grow(self, live: Path, glimpse: Glimpse) -> dict[str, object]:
        if glimpse.data or not live.exists():
            live.parent.mkdir(parents=True, exist_ok=True)
            with live.open("ab") as file:
                file.write(glimpse.data)
        return self._context.readings.look(live, lambda reader: reader.progress.as_dict())


def _moment(word: SchedulerWord | None) -> datetime | None:
    return datetime.fromtimestamp(word.expected_start, UTC) if word and word.expected_start else None


async def cluster_ids(context: Context) -> list[int]:
    """Clusters whose queue is to be looked at."""
    async with context.database.read() as session:
        return [cluster.id for cluster in await clusters.all_active(session) if cluster.id is not None]
