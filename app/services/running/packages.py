"""What travels to a cluster for one job: decks byte for byte, the job script, and what it takes along."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.crystal.decks.rendering import for_trial, written_roles
from app.crystal.files import JOB_SCRIPT
from app.db.repositories import batches, users
from app.db.sessions import ReadSession
from app.db.tables import Job, JobFile, now
from app.domain.names import remote_name
from app.domain.resources import Resources
from app.domain.states import JobState
from app.library.kept import put_inside
from app.runners.base import Attached, Package
from app.runners.checks import package_fault
from app.runners.script import PREFLIGHT_DECK
from app.services.clusters.access import runner_kind
from app.services.clusters.remote_accounts import Account
from app.services.context import Context
from app.services.jobs.attachments import attached_files
from app.services.jobs.faults import Faults, blame, mark_jobs
from app.services.transitions.jobs import Move, transition_jobs
from app.settings import ClusterSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outgoing:
    """A job on its way: its row, where it goes and what travels."""

    job: Job
    account: Account
    package: Package
    fault: str = ""
    """Why it must not be sent; empty: it may."""
    broken: bool = False
    """The fault is one that nobody foresaw: a person may try again."""


def job_script(settings: ClusterSettings, name: str, token: str, decks: Sequence[str], resources: Resources) -> str:
    """The job script that would be sent; it does not need the cluster."""
    return runner_kind(settings).write_script(settings, name, token, decks, resources)


def make_package(account: Account, job: Job, owner: str, attached: Sequence[Attached] = (), group: str = "") -> Package:
    """What travels to the cluster for one job: decks byte for byte, and the job script."""
    name = remote_name(job.name, job.id)
    files = {deck: text.encode("ascii") for deck, text in job.decks.items()}
    files[JOB_SCRIPT] = job_script(
        account.settings, name, job.token, list(written_roles(job.decks)), Resources(**job.resources)
    ).encode()
    first = next((deck for deck, role in written_roles(job.decks).items() if role == "d12"), None)
    if account.settings.preflight and first is not None:
        files[PREFLIGHT_DECK] = for_trial(job.decks[first]).encode("ascii")
    return Package(job.token, f"{owner}/{name}", name, files, tuple(attached), group)


async def pack(context: Context, leaving: Sequence[tuple[Job, Account]], faults: Faults) -> list[Outgoing]:
    """Jobs with what travels. One that cannot be packed says why, and harms no other job."""
    async with context.database.read() as session:
        names = await users.names(session)
        attached = await _attached(context, session, leaving)
        groups = await batches.names(session, {job.batch_id for job, _ in leaving if job.batch_id})
    packed: list[Outgoing] = []
    broken: dict[str, str] = {}
    for job, account in leaving:
        owner = names[job.owner_id]
        try:
            along = attached[job.id]
            if isinstance(along, Exception):
                raise along
            package = make_package(account, job, owner, along, groups.get(job.batch_id or "", ""))
            packed.append(Outgoing(job, account, package, package_fault(package)))
        except Exception as error:
            # One that was begun can be asked for by its token and its directory all the same.
            name = remote_name(job.name, job.id)
            broken[job.id] = faults.blame(job.id, f"packing job {job.id}", error)
            packed.append(Outgoing(job, account, Package(job.token, f"{owner}/{name}", name, {}), broken[job.id], True))
    await mark_jobs(context, broken)
    return packed


async def _attached(
    context: Context, session: ReadSession, leaving: Sequence[tuple[Job, Account]]
) -> Mapping[str, Sequence[Attached] | Exception]:
    """What each job takes along, or why that cannot be told: all at once, and one by one only where that fails."""
    try:
        accounts = {job.id: account for job, account in leaving}
        attached = await attached_files(context, session, [job for job, _ in leaving], accounts)
        return {job.id: attached.get(job.id, ()) for job, _ in leaving}
    except Exception as error:
        if len(leaving) == 1:
            return {leaving[0][0].id: error}
    alone = [await _attached(context, session, [pair]) for pair in leaving]
    return {job_id: one for listed in alone for job_id, one in listed.items()}


async def keep_back(context: Context, faulty: Sequence[Outgoing]) -> None:
    """Jobs in the queue that cannot be sent leave it, with the reason.

    Those that can never be, such as one of an older release whose file would become our script, have failed. Those that
    raised something nobody foresaw are held: whoever releases one tries again.
    """
    if not faulty:
        return
    moves = []
    for out in faulty:
        message = f"It cannot be submitted: {out.fault.rstrip('.')}."
        if out.broken:
            moves.append(Move(out.job, JobState.HELD, message, {"attention": out.fault}))
        else:
            moves.append(Move(out.job, JobState.FAILED, message, {"ended_at": now()}))
    async with context.database.write() as session:
        await transition_jobs(session, moves)


def keep_sent(context: Context, sent: Sequence[Outgoing]) -> list[JobFile]:
    """Keep what was sent as files too: it can be read without the database."""
    files = []
    for out in sent:
        try:
            files += _keep_one(context, out)
        except Exception as error:
            # That the cluster has the job is what must be written down; this is only a copy.
            blame(log, f"keeping what was sent of job {out.job.id}", error)
    return files


def _keep_one(context: Context, out: Outgoing) -> list[JobFile]:
    folder = context.job_folder(out.job.id) / "sent"
    files = []
    for name, data in out.package.files.items():
        if name == PREFLIGHT_DECK:
            continue
        put_inside(folder, name, io.BytesIO(data))
        role = "script" if name == JOB_SCRIPT else "deck" if written_roles({name: ""}) else "geometry"
        digest = hashlib.sha256(data).hexdigest()
        files.append(JobFile(job_id=out.job.id, name=name, size=len(data), role=role, sha256=digest))
    return files
