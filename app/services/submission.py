"""From answers to jobs, and from the queue to the cluster: each job once or not at all.

A token is in the database before anything leaves. It travels in the job's comment and directory, and the directory's
name is the job's name in the batch system. A job whose hand-over was interrupted stays `staging`; it is looked up on the
cluster before anything is tried again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.repositories import clusters, jobs, users
from app.db.tables import Cluster, IdempotencyKey, Job, JobEvent, JobFile, RemoteJob, now
from app.domain.names import SHORT_ID, check_job_name, remote_name, suggest_name
from app.domain.permissions import Actor, require
from app.domain.resources import Resources, read_resources
from app.domain.states import JobState, Priority
from app.errors import ClusterError, Conflict, CrystalDeckError, FieldError, InvalidInput, NotFound, RemoteFailure
from app.events.model import Topic
from app.events.outbox import announce
from app.runners.base import BaseRunner, Package, Receipt
from app.services.access import Account, account_of, cluster_settings, note_problem, runner_for, runner_kind
from app.services.context import Context
from app.services.templates import Rendering
from app.settings import ClusterSettings

BATCH = 100
"""Most jobs handed over in one round trip."""
MAX_JOBS_PER_REQUEST = 1000
DEFAULT_LIMIT = {"slurm": 500, "ssh": 1, "local": 1}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobRequest:
    """What a form or a notebook asks for."""

    template: str
    parameters: dict[str, Any]
    cluster: str
    resources: dict[str, Any]
    name: str = ""
    priority: str = "normal"
    parent: str | None = None


async def create_jobs(
    context: Context, actor: Actor, requests: Sequence[JobRequest], idempotency_key: str = ""
) -> list[Job]:
    """Validate all requests, then queue them all in one transaction, or none.

    Raises:
        InvalidInput, NotFound: names the request and the field. Conflict: the key was used for another request.
    """
    require(actor, "job.create")
    if not 1 <= len(requests) <= MAX_JOBS_PER_REQUEST:
        raise InvalidInput(f"A request must hold 1 to {MAX_JOBS_PER_REQUEST} jobs.", hint="Split it.")
    if len(idempotency_key) > 200:
        raise InvalidInput("The Idempotency-Key is longer than 200 characters.", hint="Use a UUID.")
    request_digest = hashlib.sha256(json.dumps([vars(r) for r in requests], sort_keys=True).encode()).hexdigest()
    async with context.database.read() as session:
        if earlier := await _earlier(session, actor, idempotency_key, request_digest):
            return earlier
    made = await asyncio.to_thread(_render_all, context, requests)
    async with context.database.write() as session:
        if earlier := await _earlier(session, actor, idempotency_key, request_digest):
            return earlier
        created = [
            await _insert(session, actor, request, made[i], i, len(requests)) for i, request in enumerate(requests)
        ]
        if idempotency_key:
            ids = [job.id for job in created]
            session.add(IdempotencyKey(user_id=actor.user_id, key=idempotency_key, digest=request_digest, job_ids=ids))
    for job in created:
        _store_decks(context, job)
    context.broker.wake()
    return created


async def _earlier(session: AsyncSession, actor: Actor, key: str, request_digest: str) -> list[Job] | None:
    if not key:
        return None
    query = select(IdempotencyKey).where(IdempotencyKey.user_id == actor.user_id, IdempotencyKey.key == key)
    row = (await session.exec(query)).first()
    if row is None:
        return None
    if row.digest != request_digest:
        raise Conflict(
            "This Idempotency-Key was used for a different request.", hint="Use a new key for a new request."
        )
    found = [await jobs.get(session, job_id) for job_id in row.job_ids]
    return [job for job in found if job is not None]


def _render_all(context: Context, requests: Sequence[JobRequest]) -> list[tuple[Rendering, Resources]]:
    made = []
    for index, request in enumerate(requests):
        try:
            if request.priority not in set(Priority):
                raise InvalidInput(
                    f"There is no priority {request.priority!r}.",
                    hint=f"Priorities: {', '.join(Priority)}.",
                    fields=[FieldError("priority", f"must be one of {', '.join(Priority)}", request.priority)],
                )
            if request.name:
                check_job_name(request.name)
            rendering = context.templates.render(request.template, request.parameters)
            made.append((rendering, read_resources(request.resources)))
        except CrystalDeckError as error:
            if len(requests) > 1:
                error.message = f"Job {index + 1} of {len(requests)}: {error.message}"
            raise
    return made


async def _insert(
    session: AsyncSession, actor: Actor, request: JobRequest, made: tuple[Rendering, Resources], index: int, of: int
) -> Job:
    rendering, resources = made
    cluster = await clusters.by_name(session, request.cluster)
    if cluster is None or cluster.id is None or not cluster.active:
        known = ", ".join(row.name for row in await clusters.all_active(session))
        raise InvalidInput(
            f"There is no cluster {request.cluster[:60]!r}.",
            hint=f"Known clusters: {known or 'none; add one on the clusters page'}.",
            fields=[FieldError("cluster", "is not known", request.cluster[:60])],
        )
    check_fits(cluster, resources)
    if request.parent and await jobs.get(session, request.parent) is None:
        raise NotFound(f"There is no job {request.parent!r} to clone.", hint="Leave the parent out.")
    title = str(rendering.values.get("title") or request.template)
    job = Job(
        id=base64.b32encode(secrets.token_bytes(8)).decode().lower()[:SHORT_ID],
        token=secrets.token_hex(16),
        name=request.name or suggest_name(f"{title}-{request.template}"),
        owner_id=actor.user_id,
        cluster_id=cluster.id,
        parent_id=request.parent,
        template_id=rendering.template.spec.id,
        template_revision=rendering.template.revision,
        parameters=rendering.values,
        decks=rendering.decks,
        resources=resources.model_dump(),
        priority=Priority(request.priority).rank,
        state=str(JobState.QUEUED),
        reason="Waiting to be handed to the cluster.",
    )
    session.add(job)
    await session.flush()
    session.add(JobEvent(job_id=job.id, to_state=str(JobState.QUEUED), message="Created.", actor=actor.name))
    announce(session, Topic.JOB, job.id, state=job.state)
    return job


def check_fits(cluster: Cluster, resources: Resources) -> None:
    """Raise InvalidInput when a job asks for more cores than a machine without scheduler has."""
    settings = cluster_settings(cluster)
    if settings.cores and -(-resources.cores // resources.nodes) > settings.cores:
        raise InvalidInput(
            f"{resources.cores} cores on {resources.nodes} node(s) were asked for, but a node of {cluster.name} has "
            f"{settings.cores}.",
            hint="Ask for fewer ranks or threads.",
            fields=[FieldError("resources.ntasks", f"ranks × threads must be at most {settings.cores} per node")],
        )


def _store_decks(context: Context, job: Job) -> None:
    """Keep the decks as files too: what was sent can be read without the database."""
    folder = context.job_folder(job.id) / "sent"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in job.decks.items():
        (folder / name).write_text(text, encoding="ascii", newline="")


# -- handing over ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outgoing:
    """A job on its way: its row and what travels."""

    job: Job
    package: Package


class Dispatcher:
    """Hands queued jobs over, cluster by cluster. One instance per process; only the leader's runs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self, cluster_id: int) -> None:
        """One round for one cluster: first settle interrupted hand-overs, then take new jobs from the queue."""
        await self._settle(cluster_id)
        for account, batch in await self._take(cluster_id):
            await self._hand_over(account, batch)

    async def _settle(self, cluster_id: int) -> None:
        """Jobs left in `staging` by a crash or a broken connection: ask the cluster before doing anything."""
        async with self._context.database.read() as session:
            stuck = await jobs.in_states(session, cluster_id, [JobState.STAGING])
        for account, batch in await self._by_account(cluster_id, stuck):
            runner = await self._runner(account)
            if runner is None:
                continue
            try:
                found = await runner.find([out.package for out in batch])
                begun = [out for out in batch if found.get(out.package.token, Receipt("absent")).word == "claimed"]
                receipts = await runner.submit([out.package for out in begun]) if begun else {}
            except ClusterError as error:
                await note_problem(self._context, account.cluster, error.sentence)
                continue
            await self._record(account, [out for out in batch if out not in begun], {}, absent_is_new=True)
            await self._record(account, begun, receipts)

    async def _take(self, cluster_id: int) -> list[tuple[Account, list[Outgoing]]]:
        """Move as many jobs from the queue to `staging` as the cluster's limit has room for."""
        async with self._context.database.read() as session:
            cluster = await session.get(Cluster, cluster_id)
            assert cluster is not None
            settings = cluster_settings(cluster)
            limit = settings.max_jobs or DEFAULT_LIMIT[settings.runner_type]
            room = min(BATCH, limit - await jobs.occupying(session, cluster_id))
            waiting = await jobs.in_states(session, cluster_id, [JobState.QUEUED]) if room > 0 else []
        if not waiting:
            return []
        groups = await self._by_account(cluster_id, waiting, room)
        taken = []
        for account, batch in groups:
            runner = await self._runner(account)
            if runner is not None and (own := await self._begin(runner, batch)):
                taken.append((account, own))
        return taken

    async def _begin(self, runner: BaseRunner, batch: list[Outgoing]) -> list[Outgoing]:
        """Write down that the hand-over begins, before anything leaves."""
        own = []
        async with self._context.database.write() as session:
            for out in batch:
                script = out.package.files["job.sh"].decode()
                if await jobs.transition(
                    session, out.job, JobState.STAGING, f"Copying files to {runner.transport.where}.",
                    script=script, attempts=out.job.attempts + 1, attention="",
                ):  # fmt: skip
                    if await jobs.remote(session, out.job.id) is None:
                        session.add(RemoteJob(job_id=out.job.id, directory=out.package.directory))
                    announce(session, Topic.JOB, out.job.id, state=out.job.state)
                    own.append(out)
        self._context.broker.wake()
        return own

    async def _hand_over(self, account: Account, batch: list[Outgoing]) -> None:
        packages = [out.package for out in batch]
        try:
            runner = await runner_for(self._context, account)
            await runner.stage(packages)
            receipts = await runner.submit(packages)
        except RemoteFailure as error:
            # The machine answered and said no while files were copied: nothing was submitted from this batch.
            await self._record(account, batch, {out.package.token: Receipt("failed", error.sentence) for out in batch})
        except CrystalDeckError as error:
            # Nobody knows how far it came: the jobs stay in `staging` until the cluster was asked.
            await note_problem(self._context, account.cluster, error.sentence)
        else:
            await self._record(account, batch, receipts)

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
        async with self._context.database.write() as session:
            for out in batch:
                receipt = receipts.get(out.package.token, default)
                await self._settle_one(session, account, out, receipt)
        self._context.broker.wake()

    async def _settle_one(self, session: AsyncSession, account: Account, out: Outgoing, receipt: Receipt) -> None:
        job = await jobs.get(session, out.job.id)
        if job is None or job.state != JobState.STAGING:
            return
        match receipt.word:
            case "id":
                remote = await jobs.remote(session, job.id) or RemoteJob(job_id=job.id, directory=out.package.directory)
                remote.scheduler_id, remote.last_seen = receipt.detail, now()
                session.add(remote)
                message = f"Handed to {account.cluster} as job {receipt.detail}."
                await jobs.transition(session, job, JobState.SUBMITTED, message, attention="")
                self._store_files(session, out)
            case "refused" | "failed":
                what = "refused the job" if receipt.word == "refused" else "could not take the job"
                await jobs.transition(
                    session, job, JobState.FAILED, f"{account.cluster} {what}: {receipt.detail}", ended_at=now()
                )
            case "absent":
                target = JobState.CANCELLED if job.cancel_requested else JobState.QUEUED
                message = "Cancelled before it was submitted." if job.cancel_requested else (
                    "The hand-over was interrupted before anything was submitted; it begins again."
                )  # fmt: skip
                await jobs.transition(session, job, target, message)
            case _:
                job.attention = f"The hand-over is not confirmed yet ({receipt.detail or receipt.word}); asking again."
                session.add(job)
        announce(session, Topic.JOB, job.id, state=job.state)

    def _store_files(self, session: AsyncSession, out: Outgoing) -> None:
        folder = self._context.job_folder(out.job.id) / "sent"
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in out.package.files.items():
            (folder / name).write_bytes(data)
            role = "script" if name == "job.sh" else "deck"
            session.add(
                JobFile(
                    job_id=out.job.id, name=name, size=len(data), role=role, sha256=hashlib.sha256(data).hexdigest()
                )
            )

    async def _runner(self, account: Account) -> BaseRunner | None:
        """The runner of an account, or None where it cannot be reached; the reason is noted on the cluster."""
        try:
            return await runner_for(self._context, account)
        except CrystalDeckError as error:
            await note_problem(self._context, account.cluster, error.sentence)
            return None

    async def _by_account(
        self, cluster_id: int, rows: Sequence[Job], room: int = BATCH
    ) -> list[tuple[Account, list[Outgoing]]]:
        """Group the first jobs that have a usable account, at most `room`; those without one say why they wait."""
        async with self._context.database.read() as session:
            cluster = await session.get(Cluster, cluster_id)
            names = await users.names(session)
        assert cluster is not None
        groups: dict[tuple[str, str], tuple[Account, list[Outgoing]]] = {}
        known: dict[int, Account | CrystalDeckError] = {}
        taken = 0
        for job in rows:
            if job.owner_id not in known:
                known[job.owner_id] = await self._account_or_reason(cluster, job.owner_id)
            account = known[job.owner_id]
            if isinstance(account, CrystalDeckError):
                await self._explain_wait(job, account.sentence)
                continue
            if taken == room:
                break
            taken += 1
            out = Outgoing(job, make_package(account, job, names[job.owner_id]))
            groups.setdefault(account.key, (account, []))[1].append(out)
        return list(groups.values())

    async def _account_or_reason(self, cluster: Cluster, owner_id: int) -> Account | CrystalDeckError:
        try:
            return await account_of(self._context, cluster, owner_id)
        except CrystalDeckError as error:
            return error

    async def _explain_wait(self, job: Job, reason: str) -> None:
        if job.attention == reason:
            return
        async with self._context.database.write() as session:
            row = await jobs.get(session, job.id)
            if row is not None:
                row.attention = reason
                session.add(row)
                announce(session, Topic.JOB, row.id, state=row.state)
        self._context.broker.wake()


def job_script(settings: ClusterSettings, name: str, token: str, decks: Sequence[str], resources: Resources) -> str:
    """The job script that would be sent; it does not need the cluster."""
    return runner_kind(settings).write_script(settings, name, token, decks, resources)


def make_package(account: Account, job: Job, owner: str) -> Package:
    """What travels to the cluster for one job: decks byte for byte, and the job script."""
    name = remote_name(job.name, job.id)
    files = {deck: text.encode("ascii") for deck, text in job.decks.items()}
    files["job.sh"] = job_script(
        account.settings, name, job.token, list(job.decks), Resources(**job.resources)
    ).encode()
    return Package(job.token, f"{owner}/{name}", name, files)
