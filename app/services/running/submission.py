"""From the queue to the cluster: each job once or not at all.

A token is in the database before anything leaves. It travels in the job's comment and directory, and the directory's
name is the job's name in the batch system. A job whose hand-over was interrupted stays `staging`; it is looked up on the
cluster before anything is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import update

from app.db.engine import insert_rows
from app.db.repositories import credentials, jobs, queue
from app.db.repositories.jobs import Move
from app.db.tables import Cluster, Job, RemoteJob, now
from app.domain.people.credentials import CredentialKey
from app.domain.queueing import DEFAULT_LIMIT, Limits, Pace, allowance, choose
from app.domain.states import JobState
from app.domain.verdict import NOT_TAKEN, Phase
from app.errors import Conflict, CrystalDeckError, RemoteFailure
from app.events.model import Topic
from app.events.outbox import announce, announce_jobs
from app.runners.base import BaseRunner, Receipt
from app.services.clusters.access import (
    concerns_everybody,
    lasting,
    note_attention,
    note_problem,
    note_trouble,
    note_unwatched,
    runner_for,
)
from app.services.clusters.registry import keep_partitions
from app.services.clusters.remote_accounts import Account, account_of, cluster_settings, keys_of, submitted_as
from app.services.context import Context
from app.services.jobs.faults import Faults, blame, mark_jobs
from app.services.running.packages import Outgoing, keep_back, keep_sent, pack
from app.settings import ClusterSettings

BATCH = 200
"""Most jobs handed over in one round trip."""
ELSEWHERE = 15.0
"""Seconds after which jobs that were submitted by other ways are counted again."""
PARTITIONS_KEPT = 3600.0
"""Seconds after which a cluster's partitions are asked for again."""
SETTLE_AGAIN = 1.0
"""Seconds after which a cluster is asked again about a hand-over that it could not confirm."""
AWAY = 5.0
"""Seconds for which jobs of an account that cannot be reached are passed over."""
MAX_QUEUE = 20_000
"""Most waiting jobs that are looked at when users share a cluster."""
Spawn = Callable[[object, Callable[[], Awaitable[None]]], bool]
"""Starts work under a name, unless the same is still going on; tells whether it did."""
log = logging.getLogger(__name__)


class Dispatcher:
    """Hands queued jobs over, cluster by cluster. One instance per process; only the leader's runs.

    A round decides; everything that waits for a network is an errand of one account. No account waits for another one's,
    and an account has one errand at a time: what is under way is never settled or chosen anew.
    """

    def __init__(
        self, context: Context, spawn: Spawn, submitted: Callable[[CredentialKey], None] = lambda _: None
    ) -> None:
        self._context = context
        self._spawn = spawn
        self._submitted = submitted
        """Told when a cluster took jobs of an account: quick ones may have ended before anybody looked."""
        self._handed: dict[int, list[float]] = {}
        """When jobs were handed over lately, by cluster with a pace: seconds since 1970, ascending."""
        self._busy: set[CredentialKey] = set()
        self._passed_over: set[CredentialKey] = set()
        """Accounts that had something to do while an errand of theirs was under way."""
        self._away: dict[CredentialKey, float] = {}
        """Accounts that could not be reached, and until when they are passed over."""
        self._troubled: set[CredentialKey] = set()
        """Accounts whose waiting jobs say what stands in their way."""
        self._settled: dict[CredentialKey, float] = {}
        """When interrupted hand-overs of an account were asked for."""
        self._asked: dict[int, float] = {}
        """When each cluster's partitions were asked for."""
        self._elsewhere: dict[CredentialKey, tuple[float, int]] = {}
        """Jobs of an account that others than this service submitted: when they were counted, and how many."""
        self._faults = Faults(log)
        """Accounts and jobs with which something went wrong that nobody foresaw."""

    async def run(self, cluster_id: int) -> None:
        """One round for one cluster: first settle interrupted hand-overs, then take new jobs from the queue."""
        async with self._context.database.read() as session:
            cluster = await session.get(Cluster, cluster_id)
            paused = await queue.pause_of_all(session)
        assert cluster is not None
        for account in await self._interrupted(cluster):
            self._send(account, self._settle)
        if paused or cluster.paused:
            return
        settings = cluster_settings(cluster)
        room = await self._pace(cluster_id, settings)
        for account, batch in await self._choose(cluster, settings, room) if room > 0 else []:
            if own := await self._begin(account, batch):
                if settings.submit_delay or settings.submit_per_minute:
                    self._handed.setdefault(cluster_id, []).extend([time.time()] * len(own))
                self._send(account, partial(self._hand_over, batch=own))

    # -- errands -------------------------------------------------------------------------------------------------

    def _send(self, account: Account, work: Callable[[Account], Awaitable[None]]) -> None:
        if self._spawn(("errand", account.key), partial(self._run_errand, account, work)):
            self._busy.add(account.key)

    async def _run_errand(self, account: Account, work: Callable[[Account], Awaitable[None]]) -> None:
        """Whatever it raises stays here, since an account must not be busy for ever; it is tried again ever less often."""
        try:
            await work(account)
        except Exception as error:
            words = self._faults.blame(account.key, f"an errand to {account.cluster}", error)
            await note_trouble(self._context, account, RemoteFailure(words))
            await self._tell_waiting(account, RemoteFailure(words))
        else:
            self._faults.over(account.key)
        finally:
            self._busy.discard(account.key)
            if account.key in self._passed_over:
                self._passed_over.discard(account.key)
                self._context.nudge.set()

    def _is_busy(self, account: Account) -> bool:
        if account.key in self._busy:
            self._passed_over.add(account.key)
            return True
        return self._away.get(account.key, 0.0) >= time.monotonic()

    async def _interrupted(self, cluster: Cluster) -> list[Account]:
        """Accounts with jobs left in `staging` by a crash or a broken connection, as they were when those began."""
        async with self._context.database.read() as session:
            ways = await credentials.submitters(session, [JobState.STAGING], cluster.id)
        known = await keys_of(self._context, ways) if ways else {}
        found: dict[CredentialKey, Account] = {}
        for way in ways:
            try:
                account = submitted_as(cluster, way, known)
            except Conflict as error:
                await note_unwatched(self._context, way, error.sentence)
                continue
            due = self._settled.get(account.key, -SETTLE_AGAIN) + SETTLE_AGAIN <= time.monotonic()
            patient = self._context.budget(account.key).allowance(time.monotonic()) == 0
            if due and not patient and account.key not in self._busy and not self._faults.waits(account.key):
                found[account.key] = account
        return list(found.values())

    async def _settle(self, account: Account) -> None:
        """Ask the cluster what became of interrupted hand-overs, before anything is done."""
        self._settled[account.key] = time.monotonic()
        async with self._context.database.read() as session:
            rows = await jobs.with_remote(session, account.key, [JobState.STAGING])
        batch = await pack(self._context, [(job, account) for job, _ in rows[:BATCH]], self._faults)
        try:
            runner = await runner_for(self._context, account)
            found = await runner.find([out.package for out in batch])
            claimed = {token for token, receipt in found.items() if receipt.word == "claimed"}
            # What must not be sent, or cannot be packed any more, is not handed over again.
            await mark_jobs(self._context, {o.job.id: o.fault for o in batch if o.fault and o.package.token in claimed})
            begun = [out for out in batch if out.package.token in claimed and not out.fault]
            receipts = await runner.hand_over([out.package for out in begun]) if begun else {}
        except CrystalDeckError as error:
            await note_trouble(self._context, account, error)
            return
        self._learn(account, receipts)
        absent = [out for out in batch if out.package.token not in claimed]
        await self._record(account, absent, {}, absent_is_new=True)
        await self._record(account, begun, receipts)

    async def _prepare(self, account: Account) -> None:
        """Connect, and count what the account has there where a limit needs it; then the next round may choose its jobs."""
        try:
            runner = await runner_for(self._context, account)
            if _counts(account.settings):
                await self._count_elsewhere(account, runner)
        except CrystalDeckError as error:
            # Whose account cannot be reached must not keep the place of those behind.
            self._away[account.key] = time.monotonic() + AWAY
            await self._tell_waiting(account, error)
            return
        if account.key in self._troubled and account.key.user_id is not None:
            self._troubled.discard(account.key)
            await self._explain_wait(account.cluster_id, account.key.user_id, "")
        self._context.nudge.set()

    async def _tell_waiting(self, account: Account, error: CrystalDeckError) -> None:
        if account.key.user_id is None or concerns_everybody(account, error):
            await note_problem(self._context, account.cluster, lasting(error).sentence)
        else:
            self._troubled.add(account.key)
            await self._explain_wait(account.cluster_id, account.key.user_id, lasting(error).sentence)

    async def _count_elsewhere(self, account: Account, runner: BaseRunner) -> None:
        """Jobs that users submitted by other ways count too where somebody set a limit."""
        listed = await runner.listed()
        active = {key for key, word in listed.items() if word.phase in (Phase.PENDING, Phase.RUNNING)}
        async with self._context.database.read() as session:
            count = len(active) - len(await queue.known_ids(session, account.cluster_id, active))
        self._elsewhere[account.key] = (time.monotonic(), count)

    # -- choosing ------------------------------------------------------------------------------------------------

    async def _pace(self, cluster_id: int, settings: ClusterSettings) -> int:
        """How many jobs may leave now."""
        pace = Pace(settings.submit_delay, settings.submit_per_minute)
        if not pace.limited:
            return BATCH
        if cluster_id not in self._handed:
            # After a restart the database knows what left before it.
            since = now() - timedelta(seconds=max(60.0, pace.delay))
            async with self._context.database.read() as session:
                moments = await queue.handed_since(session, cluster_id, since)
            self._handed[cluster_id] = [moment.timestamp() for moment in moments]
        moment = time.time()
        kept = [earlier for earlier in self._handed[cluster_id] if moment - earlier < max(60.0, pace.delay)]
        self._handed[cluster_id] = kept
        allowed = allowance(pace, kept, moment)
        return BATCH if allowed is None else min(BATCH, allowed)

    async def _choose(
        self, cluster: Cluster, settings: ClusterSettings, room: int
    ) -> list[tuple[Account, list[Outgoing]]]:
        """The jobs whose turn it is, by account. Accounts that must be connected first are, and let the others pass."""
        accounts = await self._candidates(cluster)
        while accounts:
            chosen = await self._next(cluster, settings, accounts, room)
            unready = {account.key: account for job in chosen if not self._is_ready(account := accounts[job.owner_id])}
            if not unready:
                leaving = await pack(self._context, [(job, accounts[job.owner_id]) for job in chosen], self._faults)
                await keep_back(self._context, [out for out in leaving if out.fault])
                return _by_account([out for out in leaving if not out.fault])
            for account in unready.values():
                self._send(account, self._prepare)
            accounts = {owner: account for owner, account in accounts.items() if account.key not in unready}
        return []

    async def _candidates(self, cluster: Cluster) -> dict[int, Account]:
        """Usable accounts, by user, of all who have jobs in the queue; the jobs of the others say why they wait."""
        assert cluster.id is not None
        async with self._context.database.read() as session:
            owners = await jobs.owners_in_states(session, cluster.id, [JobState.QUEUED])
        found: dict[int, Account] = {}
        for owner_id in owners:
            try:
                account = await account_of(self._context, cluster, owner_id)
            except CrystalDeckError as error:
                await self._explain_wait(cluster.id, owner_id, error.sentence)
                continue
            if self._faults.waits(account.key):
                continue
            if not self._is_busy(account):
                found[owner_id] = account
        return found

    def _is_ready(self, account: Account) -> bool:
        """Connected, and counted where a limit needs it: nothing of a choice has to wait for a network."""
        if not account.is_local and not self._context.pool.is_open(account.key):
            return False
        moment, _ = self._elsewhere.get(account.key, (-ELSEWHERE, 0))
        return not _counts(account.settings) or time.monotonic() - moment < ELSEWHERE

    async def _next(
        self, cluster: Cluster, settings: ClusterSettings, accounts: dict[int, Account], room: int
    ) -> list[Job]:
        assert cluster.id is not None
        allowed = {
            owner: room if (own := self._context.budget(account.key).allowance(time.monotonic())) is None else own
            for owner, account in accounts.items()
        }
        owners = [owner for owner in accounts if allowed[owner] > 0]
        if not owners:
            return []
        room = min(room, max(allowed[owner] for owner in owners))
        limits = Limits(
            settings.max_jobs or DEFAULT_LIMIT[settings.runner_type], settings.max_jobs_per_user, settings.fair_share
        )
        # Where users are told apart the whole queue counts, else its head is enough.
        depth = MAX_QUEUE if limits.per_user or limits.fair else room
        async with self._context.database.read() as session:
            there = await queue.there(session, cluster.id)
            for owner, count in self._counted(settings, accounts).items():
                there[owner] = there.get(owner, 0) + count
            if sum(there.values()) >= limits.jobs:
                return []
            waiting = await queue.waiting(session, cluster.id, owners, now(), depth)
            chosen = [job.id for job in choose(waiting, there, limits, room).chosen]
            found = await jobs.get_all(session, chosen)
        return [found[job_id] for job_id in chosen if job_id in found]

    def _counted(self, settings: ClusterSettings, accounts: Mapping[int, Account]) -> dict[int, int]:
        """Jobs submitted by other ways, by user; a shared account's count once."""
        if not _counts(settings):
            return {}
        owners = {account.key: owner for owner, account in reversed(list(accounts.items()))}
        return {owner: self._elsewhere[key][1] for key, owner in owners.items() if key in self._elsewhere}

    # -- handing over --------------------------------------------------------------------------------------------

    async def _begin(self, account: Account, batch: list[Outgoing]) -> list[Outgoing]:
        """Write down that the hand-over begins, before anything leaves."""
        where = f"{account.username}@{account.settings.hostname}" if account.settings.hostname else "this server"
        message = f"Copying files to {where}."
        moves = [
            Move(
                out.job,
                JobState.STAGING,
                message,
                {"script": out.package.files["job.sh"].decode(), "attempts": out.job.attempts + 1, "attention": ""},
            )
            for out in batch
        ]
        async with self._context.database.write() as session:
            won = {move.job.id for move in await jobs.transition_all(session, moves)}
            own = [out for out in batch if out.job.id in won]
            known = await jobs.remotes(session, won)
            fresh = [out for out in own if out.job.id not in known]
            key, name = account.key.credential_id, account.username
            rows = [
                RemoteJob(job_id=out.job.id, directory=out.package.directory, credential_id=key, account=name)
                for out in fresh
            ]
            await insert_rows(session, rows)
            if known:
                # An earlier attempt left nothing on its cluster; this one may be made with another key.
                again = [{"job_id": job_id, "credential_id": key, "account": name} for job_id in known]
                await session.exec(update(RemoteJob), params=again)
            await announce_jobs(session, [out.job for out in own])
        self._context.broker.wake()
        return own

    async def _hand_over(self, account: Account, batch: list[Outgoing]) -> None:
        packages = [out.package for out in batch]
        try:
            runner = await runner_for(self._context, account)
            await self._ask_partitions(account, runner)
            if not await self._staged(account, runner, batch):
                return
            receipts = await runner.submit(packages)
        except RemoteFailure as error:
            # The machine answered and said no while files were copied: nothing was submitted from this batch.
            await self._record(account, batch, {out.package.token: Receipt("failed", error.sentence) for out in batch})
        except CrystalDeckError as error:
            # Nobody knows how far it came: the jobs stay in `staging` until the cluster was asked.
            await note_trouble(self._context, account, error)
        else:
            self._learn(account, receipts)
            await self._record(account, batch, receipts)

    async def _staged(self, account: Account, runner: BaseRunner, batch: list[Outgoing]) -> bool:
        """Copy the files. A job whose files cannot be read here fails alone; the others are handed over one by one.

        False: each was dealt with already.
        """
        try:
            await runner.stage([out.package for out in batch])
            return True
        except CrystalDeckError:
            raise
        except Exception as error:
            # Nothing was submitted: that comes after.
            if len(batch) == 1:
                reason = blame(log, f"copying the files of job {batch[0].job.id}", error)
                await self._record(account, batch, {batch[0].package.token: Receipt("failed", reason)})
                return False
        for out in batch:
            await self._hand_over(account, [out])
        return False

    async def _ask_partitions(self, account: Account, runner: BaseRunner) -> None:
        """Once in a while: what the partitions allow, so that the next forms are checked against it."""
        if time.monotonic() - self._asked.get(account.cluster_id, -PARTITIONS_KEPT) >= PARTITIONS_KEPT:
            self._asked[account.cluster_id] = time.monotonic()
            if found := await runner.partitions():
                await keep_partitions(self._context, account.cluster, found)

    def _learn(self, account: Account, receipts: Mapping[str, Receipt]) -> None:
        """A scheduler that asks for patience is asked less often from now on."""
        words = Counter(receipt.word for receipt in receipts.values())
        budget = self._context.budget(account.key)
        if words["later"] or any(r.word == "uncertain" and "imed out" in r.detail for r in receipts.values()):
            pause = budget.refuse(time.monotonic())
            log.warning("%s asks for patience: nothing more is handed over for %.0f s", account.cluster, pause)
        elif words["id"]:
            budget.spend(time.monotonic(), words["id"])

    async def _record(
        self,
        account: Account,
        batch: list[Outgoing],
        receipts: dict[str, Receipt],
        *,
        absent_is_new: bool = False,
    ) -> None:
        """Write the cluster's answers down."""
        default = Receipt("absent") if absent_is_new else Receipt("uncertain", "no answer for this job")
        answers = [(out, receipts.get(out.package.token, default)) for out in batch]
        accepted = {out.job.id: receipt.detail for out, receipt in answers if receipt.word == "id"}
        files = await asyncio.to_thread(keep_sent, self._context, [out for out in batch if out.job.id in accepted])
        async with self._context.database.write() as session:
            rows = await jobs.get_all(session, [out.job.id for out in batch])
            moves = []
            for out, receipt in answers:
                job = rows.get(out.job.id)
                if job is None or job.state != JobState.STAGING:
                    continue
                if move := _answer(account.cluster, job, receipt):
                    moves.append(move)
                else:
                    reason = receipt.detail or receipt.word
                    job.attention = f"The hand-over is not confirmed yet ({reason}); asking again."
                    session.add(job)
                    announce(session, Topic.JOB, job.id, state=job.state)
            moved = {move.job.id: move.job for move in await jobs.transition_all(session, moves)}
            known = [
                {"job_id": job_id, "scheduler_id": scheduler_id, "last_seen": now()}
                for job_id, scheduler_id in accepted.items()
                if job_id in moved
            ]
            if known:
                await session.exec(update(RemoteJob), params=known)
            await insert_rows(session, [file for file in files if file.job_id in moved])
            await announce_jobs(session, moved.values())
        if known:
            self._submitted(account.key)
        self._context.broker.wake()

    async def _explain_wait(self, cluster_id: int, owner_id: int, reason: str) -> None:
        """Let the waiting jobs of one user say why they wait."""
        async with self._context.database.read() as session:
            rows = await jobs.in_states(
                session, cluster_id, [JobState.QUEUED], owners=[owner_id], attention_not=reason[:1000]
            )
        await note_attention(self._context, rows, reason)


def _by_account(leaving: Sequence[Outgoing]) -> list[tuple[Account, list[Outgoing]]]:
    groups: dict[CredentialKey, tuple[Account, list[Outgoing]]] = {}
    for out in leaving:
        groups.setdefault(out.account.key, (out.account, []))[1].append(out)
    return list(groups.values())


def _counts(settings: ClusterSettings) -> bool:
    """Whether jobs that were submitted by other ways count."""
    return bool(settings.max_jobs or settings.max_jobs_per_user)


def _answer(cluster: str, job: Job, receipt: Receipt) -> Move | None:
    """Where a job goes by what the cluster said of it; None while that is not certain."""
    match receipt.word:
        case "id":
            message = f"Handed to {cluster} as job {receipt.detail}."
            return Move(job, JobState.SUBMITTED, message, {"attention": ""})
        case "refused" | "failed":
            what = "refused the job" if receipt.word == "refused" else NOT_TAKEN
            return Move(job, JobState.FAILED, f"{cluster} {what}: {receipt.detail}", {"ended_at": now()})
        case "absent" | "later" if job.cancel_requested:
            return Move(job, JobState.CANCELLED, "Cancelled before it was submitted.", {"ended_at": now()})
        case "absent":
            message = "The hand-over was interrupted before anything was submitted; it begins again."
            return Move(job, JobState.QUEUED, message)
        case "later":
            message = f"{cluster} asks for patience ({receipt.detail[:200]}); nothing was submitted, it is tried again."
            return Move(job, JobState.QUEUED, message)
        case _:
            return None
