"""What travels to a cluster for one job: decks byte for byte, the job script, and what it takes along."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.crystal.decks import for_trial, written_roles
from app.db.repositories import jobs
from app.db.repositories.jobs import Move
from app.db.tables import Job, now
from app.domain.names import remote_name
from app.domain.resources import Resources
from app.domain.states import JobState
from app.events.outbox import announce_jobs
from app.runners.base import Attached, Package
from app.runners.checks import package_fault
from app.runners.script import PREFLIGHT_DECK
from app.services.access import runner_kind
from app.services.context import Context
from app.services.faults import blame
from app.services.remote_accounts import Account
from app.settings import ClusterSettings

log = logging.getLogger(__name__)


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


def pack(
    account: Account, job: Job, owner: str, attached: Sequence[Attached] = (), group: str = ""
) -> tuple[Package, str]:
    """The same, and why it must not be sent; empty: it may. What cannot even be packed harms no other job."""
    try:
        package = make_package(account, job, owner, attached, group)
    except Exception as error:
        name = remote_name(job.name, job.id)
        return Package(job.token, f"{owner}/{name}", name, {}), blame(log, f"packing job {job.id}", error)
    return package, package_fault(package)


async def fail_all(context: Context, faulty: Sequence[tuple[Job, str]]) -> None:
    """Fail jobs in the queue that can never be sent, such as one of an older release whose file would become our script."""
    if not faulty:
        return
    moves = [
        Move(job, JobState.FAILED, f"It cannot be submitted: {reason.rstrip('.')}.", {"ended_at": now()})
        for job, reason in faulty
    ]
    async with context.database.write() as session:
        moved = await jobs.transition_all(session, moves)
        await announce_jobs(session, [move.job for move in moved])
    context.broker.wake()
