"""From the queue to the cluster: each job once or not at all.

A token is in the database before anything leaves. It travels in the job's comment and directory, and the directory's
name is the job's name in the batch system. A job whose hand-over was interrupted stays `staging`; it is looked up on the
cluster before anything is tried again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update

from app.crystal.decks import for_trial, written_roles
from app.db.engine import insert_rows
from app.db.repositories import batches, jobs, queue, users
from app.db.repositories.jobs import Move
from app.db.tables import Cluster, Job, JobFile, RemoteJob, now
from app.domain.names import remote_name
from app.domain.queueing import Limits, Pace, allowance, choose
from app.domain.resources import Resources
from app.domain.states import JobState
from app.domain.verdict import NOT_TAKEN, Phase
from app.errors import ClusterError, CrystalDeckError, RemoteFailure
from app.events.model import Topic
from app.events.outbox import announce, announce_jobs
from app.runners.base import Attached, BaseRunner, Package, Receipt
from app.runners.script import PREFLIGHT_DECK
from app.services.access import Account, account_of, cluster_settings, note_problem, runner_for, runner_kind
from app.services.attachments import attached_files
from app.services.clusters import keep_partitions
from app.services.context import Context
from app.settings import ClusterSettings

BATCH = 200
"""Most jobs handed over in one round trip."""
ELSEWHERE = 15.0
"""Seconds after which jobs that were submitted by other ways are counted again."""
PARTITIONS_KEPT = 3600.0
"""Seconds after which a cluster's partitions are asked for again."""
AWAY = 5.0
"""Seconds for which jobs of an account that cannot be reached are passed over."""
MAX_QUEUE = 20_000
"""Most waiting jobs that are looked at when users share a cluster."""
DEFAULT_LIMIT = {"slurm": 500, "ssh": 1, "local": 1}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outgoing:
    """A job on its way: its row and what travels."""

    job: Job
    package: Package


class Dispatcher:
    """Hands queued jobs over, cluster by cluster. One instance per process; only the leader's runs."""

    def __init__(self, context: Context, submitted: Callable[[tuple[str, str]], None] = lambda _: None) -> None:
        self._context = context
        self._submitted = submitted
        """Told when a cluster took jobs of an account: quick ones may have ended before anybody looked."""
        self._handed: dict[int, list[float]] = {}
        """When jobs were handed over lately, by cluster with a pace: seconds since 1970, ascending."""
        self._away: dict[tuple[str, str], float] = {}
        """Accounts that could not be reached, and until when they are passed over."""
        self._asked: dict[int, float] = {}
        """When each cluster's partitions were asked for."""
        self._elsewhere: dict[tuple[str, str], tuple[float, int]] = {}
        """Jobs of an account that others than this service submitted: when they were counted, and how many."""

    async def run(self, cluster_id: int) -> None:
        """One round for one cluster: first settle interrupted hand-overs, then take new jobs from the queue."""
        await self._settle(cluster_id)
        for account, batch in await self._take(cluster_id):
            await self._hand_over(account, batch)

    async def _settle(self, cluster_id: int) -> None:
        """Jobs left in `staging` by a crash or a broken connection: ask the cluster before doing anything."""
        for account, batch in await self._batches(cluster_id, JobState.STAGING, BATCH):
            if self._context.budget(account.key).allowance(time.monotonic()) == 0:
                continue
            runner = await self._runner(account)
            if runner is None:
                continue
            try:
                found = await runner.find([out.package for out in batch])
                begun = [out for out in batch if found.get(out.package.token, Receipt("absent")).word == "claimed"]
                receipts = await runner.hand_over([out.package for out in begun]) if begun else {}
            except ClusterError as error:
                await note_problem(self._context, account.cluster, error.sentence)
                continue
            self._learn(account, receipts)
            await self._record(account, [out for out in batch if out not in begun], {}, absent_is_new=True)
            await self._record(account, begun, receipts)

    async def _take(self, cluster_id: int) -> list[tuple[Account, list[Outgoing]]]:
        """Move as many jobs from the queue to `staging` as the cluster's limits and its pace have room for."""
        async with self._context.database.read() as session:
            cluster = await session.get(Cluster, cluster_id)
            paused = await queue.pause_of_all(session)
        assert cluster is not None
        if paused or cluster.paused:
            return []
        settings = cluster_settings(cluster)
        room = await self._pace(cluster_id, settings)
        if room <= 0:
            return []
        taken = []
        for account, batch in await self._next(cluster, settings, room):
            runner = await self._runner(account)
            if runner is None:
                # Whose account cannot be reached must not keep the place of those behind.
                self._away[account.key] = time.monotonic() + AWAY
            elif own := await self._begin(runner, batch):
                if settings.submit_delay or settings.submit_per_minute:
                    self._handed.setdefault(cluster_id, []).extend([time.time()] * len(own))
                taken.append((account, own))
        return taken

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

    async def _next(
        self, cluster: Cluster, settings: ClusterSettings, room: int
    ) -> list[tuple[Account, list[Outgoing]]]:
        """The jobs whose turn it is, by account."""
        assert cluster.id is not None
        accounts = {
            owner: account
            for owner, account in (await self._accounts(cluster, JobState.QUEUED)).items()
            if self._away.get(account.key, 0.0) < time.monotonic()
        }
        allowed = {
            owner: room if (own := self._context.budget(account.key).allowance(time.monotonic())) is None else own
            for owner, account in accounts.items()
        }
        accounts = {owner: account for owner, account in accounts.items() if allowed[owner] > 0}
        if not accounts:
            return []
        room = min(room, max(allowed[owner] for owner in accounts))
        limits = Limits(
            settings.max_jobs or DEFAULT_LIMIT[settings.runner_type], settings.max_jobs_per_user, settings.fair_share
        )
        # Where users are told apart the whole queue counts, else its head is enough.
        depth = MAX_QUEUE if limits.per_user or limits.fair else room
        async with self._context.database.read() as session:
            there = await queue.there(session, cluster.id)
            for owner, count in (await self._count_elsewhere(settings, accounts)).items():
                there[owner] = there.get(owner, 0) + count
            if sum(there.values()) >= limits.jobs:
                return []
            waiting = await queue.waiting(session, cluster.id, accounts, now(), depth)
            chosen = [job.id for job in choose(waiting, there, limits, room).chosen]
            found = await jobs.get_all(session, chosen)
        return await self._outgoing(accounts, [found[job_id] for job_id in chosen if job_id in found])

    async def _count_elsewhere(self, settings: ClusterSettings, accounts: Mapping[int, Account]) -> dict[int, int]:
        """Where somebody set a limit, jobs that users submitted by other ways count too; a shared account's count once."""
        if not settings.max_jobs and not settings.max_jobs_per_user:
            return {}
        counted: dict[tuple[str, str], int] = {}
        found = {}
        for owner, account in accounts.items():
            if account.key in counted:
                continue
            moment, count = self._elsewhere.get(account.key, (-ELSEWHERE, 0))
            if time.monotonic() - moment >= ELSEWHERE:
                runner = await self._runner(account)
                if runner is None:
                    continue
                try:
                    listed = await runner.listed()
                except CrystalDeckError as error:
                    await note_problem(self._context, account.cluster, error.sentence)
                    continue
                active = {key for key, word in listed.items() if word.phase in (Phase.PENDING, Phase.RUNNING)}
                async with self._context.database.read() as session:
                    count = len(active) - len(await queue.known_ids(session, account.cluster_id, active))
                self._elsewhere[account.key] = (time.monotonic(), count)
            counted[account.key] = count
            found[owner] = count
        return found

    async def _begin(self, runner: BaseRunner, batch: list[Outgoing]) -> list[Outgoing]:
        """Write down that the hand-over begins, before anything leaves."""
        message = f"Copying files to {runner.transport.where}."
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
            await insert_rows(session, [RemoteJob(job_id=out.job.id, directory=out.package.directory) for out in fresh])
            await announce_jobs(session, [out.job for out in own])
        self._context.broker.wake()
        return own

    async def _hand_over(self, account: Account, batch: list[Outgoing]) -> None:
        packages = [out.package for out in batch]
        try:
            runner = await runner_for(self._context, account)
            await self._ask_partitions(account, runner)
            await runner.stage(packages)
            receipts = await runner.submit(packages)
        except RemoteFailure as error:
            # The machine answered and said no while files were copied: nothing was submitted from this batch.
            await self._record(account, batch, {out.package.token: Receipt("failed", error.sentence) for out in batch})
        except CrystalDeckError as error:
            # Nobody knows how far it came: the jobs stay in `staging` until the cluster was asked.
            await note_problem(self._context, account.cluster, error.sentence)
        else:
            self._learn(account, receipts)
            await self._record(account, batch, receipts)

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
        files = await asyncio.to_thread(self._keep_sent, [out for out in batch if out.job.id in accepted])
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

    def _keep_sent(self, batch: Sequence[Outgoing]) -> list[JobFile]:
        """Keep what was sent as files too: it can be read without the database."""
        files = []
        for out in batch:
            folder = self._context.job_folder(out.job.id) / "sent"
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in out.package.files.items():
                if name == PREFLIGHT_DECK:
                    continue
                (folder / name).write_bytes(data)
                role = "script" if name == "job.sh" else "deck" if written_roles({name: ""}) else "geometry"
                digest = hashlib.sha256(data).hexdigest()
                files.append(JobFile(job_id=out.job.id, name=name, size=len(data), role=role, sha256=digest))
        return files

    async def _runner(self, account: Account) -> BaseRunner | None:
        """The runner of an account, or None where it cannot be reached; the reason is noted on the cluster."""
        try:
            return await runner_for(self._context, account)
        except CrystalDeckError as error:
            await note_problem(self._context, account.cluster, error.sentence)
            return None

    async def _batches(self, cluster_id: int, state: JobState, room: int) -> list[tuple[Account, list[Outgoing]]]:
        """The first `room` jobs in a state whose owners have a usable account, by account."""
        async with self._context.database.read() as session:
            cluster = await session.get(Cluster, cluster_id)
        assert cluster is not None
        accounts = await self._accounts(cluster, state)
        if not accounts:
            return []
        async with self._context.database.read() as session:
            rows = await jobs.in_states(session, cluster_id, [state], owners=accounts, limit=room)
        return await self._outgoing(accounts, rows)

    async def _accounts(self, cluster: Cluster, state: JobState) -> dict[int, Account]:
        """Usable accounts by user, of all who have jobs in a state; the jobs of the others say why they wait."""
        assert cluster.id is not None
        async with self._context.database.read() as session:
            owners = await jobs.owners_in_states(session, cluster.id, [state])
        accounts: dict[int, Account] = {}
        for owner_id in owners:
            try:
                accounts[owner_id] = await account_of(self._context, cluster, owner_id)
            except CrystalDeckError as error:
                await self._explain_wait(cluster.id, owner_id, state, error.sentence)
        return accounts

    async def _outgoing(
        self, accounts: dict[int, Account], rows: Sequence[Job]
    ) -> list[tuple[Account, list[Outgoing]]]:
        """Jobs with what travels, by account."""
        async with self._context.database.read() as session:
            names = await users.names(session)
            attached = await attached_files(self._context, session, rows, accounts)
            groups_of = await batches.names(session, {job.batch_id for job in rows if job.batch_id})
        groups: dict[tuple[str, str], tuple[Account, list[Outgoing]]] = {}
        for job in rows:
            account = accounts[job.owner_id]
            group = groups_of.get(job.batch_id or "", "")
            out = Outgoing(job, make_package(account, job, names[job.owner_id], attached.get(job.id, ()), group))
            groups.setdefault(account.key, (account, []))[1].append(out)
        return list(groups.values())

    async def _explain_wait(self, cluster_id: int, owner_id: int, state: JobState, reason: str) -> None:
        """Let the jobs of one user say why they wait."""
        async with self._context.database.read() as session:
            rows = await jobs.in_states(session, cluster_id, [state], owners=[owner_id], attention_not=reason)
        if not rows:
            return
        async with self._context.database.write() as session:
            await session.exec(update(Job), params=[{"id": row.id, "attention": reason} for row in rows])
            await announce_jobs(session, rows)
        self._context.broker.wake()


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


def job_script(settings: ClusterSettings, name: str, token: str, decks: Sequence[str], resources: Resources) -> str:
    """The job script that would be sent; it does not need the cluster."""
    return runner_kind(settings).write_script(settings, name, token, decks, resources)


def make_package(account: Account, job: Job, owner: str, attached: Sequence[Attached] = (), group: str = "") -> Package:
    """What travels to the cluster for one job: decks byte for byte, and the job script."""
    name = remote_name(job.name, job.id)
    files = {deck: text.encode("ascii") for deck, text in job.decks.items()}
    files["job.sh"] = job_script(
        account.settings, name, job.token, list(written_roles(job.decks)), Resources(**job.resources)
    ).encode()
    first = next((deck for deck, role in written_roles(job.decks).items() if role == "d12"), None)
    if account.settings.preflight and first is not None:
        files[PREFLIGHT_DECK] = for_trial(job.decks[first]).encode("ascii")
    return Package(job.token, f"{owner}/{name}", name, files, tuple(attached), group)
