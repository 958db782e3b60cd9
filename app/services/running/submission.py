"""From the queue to the cluster: each job once or not at all.

A token is in the database before anything leaves. It travels in the job's comment and directory, and the directory's
name is the job's name in the batch system. A job whose submission was interrupted stays `staging`; it is looked up on the
cluster before anything is tried again. Whose turn it is, `turns` decides.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from app.crystal.files import JOB_SCRIPT
from app.db.engine import insert_rows
from app.db.repositories import jobs
from app.db.tables import Job, RemoteJob, now
from app.domain.people.credentials import CredentialKey
from app.domain.states import JobState
from app.domain.verdict import NOT_TAKEN
from app.errors import CrystalDeckError, RemoteFailure
from app.events.model import Topic
from app.events.outbox import announce
from app.runners.base import BaseRunner, Receipt
from app.services.clusters.access import note_trouble, runner_for, runner_kind
from app.services.clusters.registry import keep_partitions
from app.services.clusters.remote_accounts import Account
from app.services.context import Context
from app.services.jobs.faults import Faults, blame, mark_jobs
from app.services.running.packages import Outgoing, keep_back, keep_sent, pack
from app.services.running.turns import BATCH, Round, Turns, counts_elsewhere, read_round
from app.services.transitions.jobs import Move, transition_jobs

PARTITIONS_KEPT = 3600.0
"""Seconds after which a cluster's partitions are asked for again."""
Spawn = Callable[[object, Callable[[], Awaitable[None]]], bool]
"""Starts work under a name, unless the same is still going on; tells whether it did."""
log = logging.getLogger(__name__)


class Dispatcher:
    """Submits queued jobs, cluster by cluster. One instance per process; only the leader's runs.

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
        self._asked: dict[int, float] = {}
        """When each cluster's partitions were asked for."""
        self._faults = Faults(log)
        """Accounts and jobs with which something went wrong that nobody foresaw."""
        self._turns = Turns(context, self._faults)

    async def run(self, cluster_id: int) -> None:
        """One round for one cluster: first settle interrupted submissions, then take new jobs from the queue."""
        current = await read_round(self._context, cluster_id)
        for account in await self._turns.interrupted(current):
            self._send(account, self._settle)
        if current.paused:
            return
        room = await self._turns.room(current)
        for account, batch in await self._take(current, room) if room > 0 else []:
            if begun := await self._begin(account, batch):
                self._turns.spend(current, len(begun))
                self._send(account, partial(self._submit, batch=begun))

    async def _take(self, current: Round, room: int) -> list[tuple[Account, list[Outgoing]]]:
        """The jobs whose turn it is, by account. Accounts that must be connected first are, and let the others pass."""
        accounts = await self._turns.candidates(current)
        while accounts:
            chosen = await self._turns.next_jobs(current, accounts, room)
            owners = {job.owner_id for job in chosen}
            unready = {accounts[o].key: accounts[o] for o in owners if not self._turns.is_ready(accounts[o])}
            if not unready:
                leaving = await pack(self._context, [(job, accounts[job.owner_id]) for job in chosen], self._faults)
                await keep_back(self._context, [out for out in leaving if out.fault])
                return _by_account([out for out in leaving if not out.fault])
            for account in unready.values():
                self._send(account, self._prepare)
            accounts = {owner: account for owner, account in accounts.items() if account.key not in unready}
        return []

    # -- errands -------------------------------------------------------------------------------------------------

    def _send(self, account: Account, work: Callable[[Account], Awaitable[None]]) -> None:
        if self._spawn(("errand", account.key), partial(self._run_errand, account, work)):
            self._turns.take(account)

    async def _run_errand(self, account: Account, work: Callable[[Account], Awaitable[None]]) -> None:
        """Whatever it raises stays here, since an account must not be busy for ever; it is tried again ever less often."""
        try:
            await work(account)
        except Exception as error:
            reason = RemoteFailure(self._faults.blame(account.key, f"an errand to {account.cluster}", error))
            await note_trouble(self._context, account, reason)
            await self._turns.tell_waiting(account, reason)
        else:
            self._faults.over(account.key)
        finally:
            if self._turns.release(account):
                self._context.nudge.set()

    async def _settle(self, account: Account) -> None:
        """Ask the cluster what became of interrupted submissions, before anything is done."""
        self._turns.settling(account)
        async with self._context.database.read() as session:
            rows = await jobs.with_remote(session, account.key, [JobState.STAGING], whole=True)
        batch = await pack(self._context, [(job, account) for job, _ in rows[:BATCH]], self._faults)
        try:
            runner = await runner_for(self._context, account)
            answers = await runner.find([out.package for out in batch])
            claimed = {token for token, receipt in answers.items() if receipt.word == "claimed"}
            # What must not be sent, or cannot be packed any more, is not submitted again.
            await mark_jobs(self._context, {o.job.id: o.fault for o in batch if o.fault and o.package.token in claimed})
            begun = [out for out in batch if out.package.token in claimed and not out.fault]
            receipts = await runner.submit_each([out.package for out in begun]) if begun else {}
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
            if counts_elsewhere(account.settings):
                await self._turns.count_elsewhere(account, runner)
        except CrystalDeckError as error:
            await self._turns.unreachable(account, error)
            return
        await self._turns.reached(account)
        self._context.nudge.set()

    # -- submitting ----------------------------------------------------------------------------------------------

    async def _begin(self, account: Account, batch: list[Outgoing]) -> list[Outgoing]:
        """Write down that the submission begins, before anything leaves. Those of the batch that nobody else moved."""
        where = f"{account.username}@{account.settings.hostname}" if account.settings.hostname else "this server"
        message = f"Copying files to {where}."
        moves = [
            Move(
                out.job,
                JobState.STAGING,
                message,
                {"script": out.package.files[JOB_SCRIPT].decode(), "attempts": out.job.attempts + 1, "attention": ""},
            )
            for out in batch
        ]
        async with self._context.database.write() as session:
            won = {move.job.id for move in await transition_jobs(session, moves)}
            own = [out for out in batch if out.job.id in won]
            earlier = await jobs.remotes(session, won)
            fresh = [out for out in own if out.job.id not in earlier]
            key, name = account.key.credential_id, account.username
            rows = [
                RemoteJob(job_id=out.job.id, directory=out.package.directory, credential_id=key, account=name)
                for out in fresh
            ]
            await insert_rows(session, rows)
            # An earlier attempt left nothing on its cluster; this one may be made with another key.
            again = [{"job_id": job_id, "credential_id": key, "account": name} for job_id in earlier]
            await jobs.change_remotes(session, again)
        return own

    async def _submit(self, account: Account, batch: list[Outgoing]) -> None:
        try:
            runner = await runner_for(self._context, account)
            await self._ask_partitions(account, runner)
            if not await self._staged(account, runner, batch):
                return
        except RemoteFailure as error:
            # The machine answered and said no while files were copied: nothing was submitted from this batch.
            word = "later" if passes(error.message) else "failed"
            receipts = {out.package.token: Receipt(word, error.sentence) for out in batch}
            self._learn(account, receipts)
            await self._record(account, batch, receipts)
            return
        except CrystalDeckError as error:
            await note_trouble(self._context, account, error)
            return
        try:
            receipts = await runner.submit([out.package for out in batch])
        except CrystalDeckError as error:
            # Nobody knows how far it came: the jobs stay in `staging` until the cluster was asked.
            await note_trouble(self._context, account, error)
        else:
            self._learn(account, receipts)
            await self._record(account, batch, receipts)

    async def _staged(self, account: Account, runner: BaseRunner, batch: list[Outgoing]) -> bool:
        """Copy the files. A job whose files cannot be read here fails alone; the others are submitted one by one.

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
            await self._submit(account, [out])
        return False

    async def _ask_partitions(self, account: Account, runner: BaseRunner) -> None:
        """Once in a while: what the partitions allow, so that the next forms are checked against it."""
        if time.monotonic() - self._asked.get(account.cluster_id, -PARTITIONS_KEPT) >= PARTITIONS_KEPT:
            self._asked[account.cluster_id] = time.monotonic()
            if partitions := await runner.partitions():
                await keep_partitions(self._context, account.cluster, partitions)

    def _learn(self, account: Account, receipts: Mapping[str, Receipt]) -> None:
        """A scheduler that limits our rate is asked less often from now on."""
        words = Counter(receipt.word for receipt in receipts.values())
        budget = self._context.budget(account.key)
        slower = runner_kind(account.settings).limits_rate
        limits = any(r.word in ("later", "uncertain") and slower(r.detail) for r in receipts.values())
        if limits or words["later"]:
            pause = (budget.refuse if limits else budget.rest)(time.monotonic())
            log.warning("%s cannot take jobs now: nothing more is submitted for %.0f s", account.cluster, pause)
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
            rows = await jobs.get_all(session, [out.job.id for out in batch], whole=False)
            moves = []
            for out, receipt in answers:
                job = rows.get(out.job.id)
                if job is None or job.state != JobState.STAGING:
                    continue
                if move := _answer(account.cluster, job, receipt):
                    moves.append(move)
                else:
                    reason = receipt.detail or receipt.word
                    job.attention = f"Submission not confirmed yet ({reason}); checking again."
                    session.add(job)
                    announce(session, Topic.JOB, job.id, state=job.state)
            moved = {move.job.id for move in await transition_jobs(session, moves)}
            taken = [
                {"job_id": job_id, "scheduler_id": scheduler_id, "last_seen": now()}
                for job_id, scheduler_id in accepted.items()
                if job_id in moved
            ]
            await jobs.change_remotes(session, taken)
            await insert_rows(session, [file for file in files if file.job_id in moved])
        if taken:
            self._submitted(account.key)


PASSING = (
    "quota", "no space left", "input/output error", "stale file handle", "read-only file system", "transport endpoint",
    "timed out", "cannot allocate memory", "temporarily unavailable", "device or resource busy",
)  # fmt: skip
"""What a file system says that may be better later, in lower case."""


def passes(words: str) -> bool:
    """Whether files that could not be copied may be copied later."""
    lower = words.lower()
    return any(sign in lower for sign in PASSING)


def _by_account(leaving: Sequence[Outgoing]) -> list[tuple[Account, list[Outgoing]]]:
    groups: dict[CredentialKey, tuple[Account, list[Outgoing]]] = {}
    for out in leaving:
        groups.setdefault(out.account.key, (out.account, []))[1].append(out)
    return list(groups.values())


def _answer(cluster: str, job: Job, receipt: Receipt) -> Move | None:
    """Where a job goes by what the cluster answered for it; None while that is not certain."""
    match receipt.word:
        case "id":
            message = f"Submitted to {cluster} as job {receipt.detail}."
            return Move(job, JobState.SUBMITTED, message, {"attention": ""})
        case "refused" | "failed":
            what = "refused the job" if receipt.word == "refused" else NOT_TAKEN
            return Move(job, JobState.FAILED, f"{cluster} {what}: {receipt.detail}", {"ended_at": now()})
        case "absent" | "later" if job.cancel_requested:
            return Move(job, JobState.CANCELLED, "Cancelled before it was submitted.", {"ended_at": now()})
        case "absent":
            message = "Submission was interrupted before the cluster got anything; it starts again."
            return Move(job, JobState.QUEUED, message)
        case "later":
            message = (
                f"{cluster} cannot take the job now ({receipt.detail[:400]}). Nothing was submitted; it is tried again."
            )
            return Move(job, JobState.QUEUED, message)
        case _:
            return None
