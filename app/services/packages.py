"""What travels to a cluster for one job: decks byte for byte, the job script, and what it takes along."""

from __future__ import annotations

from collections.abc import Sequence

from app.crystal.decks import for_trial, written_roles
from app.db.tables import Job
from app.domain.names import remote_name
from app.domain.resources import Resources
from app.runners.base import Attached, Package
from app.runners.script import PREFLIGHT_DECK
from app.services.access import runner_kind
from app.services.remote_accounts import Account
from app.settings import ClusterSettings


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
