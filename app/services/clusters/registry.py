"""Clusters as people see them: trusted, tested. What changes them stands in `cluster_changes`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.db.repositories import clusters, credentials, jobs
from app.db.tables import Cluster, Credential, now
from app.domain.people.credentials import CredentialKey
from app.domain.people.permissions import Actor, require
from app.domain.resources import Partition
from app.domain.states import OCCUPYING
from app.errors import Conflict, CrystalDeckError, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.runners.base import Check
from app.services.clusters.access import concerns_everybody, lasting, note_problem, runner_for
from app.services.clusters.host_trust import endpoints
from app.services.clusters.remote_accounts import Account, account_of, legible_settings, needs_own_key
from app.services.context import Context
from app.settings import ClusterSettings
from app.transport.environment import account_name
from app.transport.host_keys import fingerprint

_PROBE = r"""
cd -- "$HOME" && printf 'home\t%s\n' "$HOME"
if mkdir -p -- "$1" && cd -- "$1" && : > .crystaldeck-test && rm .crystaldeck-test; then
    printf 'workdir\tok\t%s free\n' "$(df -Ph . | tail -n 1 | while read -r _ _ _ free _; do echo "$free"; done)"
else printf 'workdir\tfailed\t%s cannot be written\n' "$1"; fi
shift
[ -z "$1" ] || eval "$1" > /dev/null 2>&1
shift
for program; do
    if found=$(command -v "$program" 2>/dev/null); then printf 'program\tok\t%s\n' "$found"
    else printf 'program\tfailed\t%s was not found; give its path or load its module in setup\n' "$program"; fi
done
"""


@dataclass(frozen=True)
class ClusterView:
    """A cluster as a page shows it."""

    cluster: Cluster
    settings: ClusterSettings
    credential: Credential | None
    active_jobs: int
    fingerprint: str
    offered: str
    earlier: list[Credential] = field(default_factory=list)
    """Keys of the reader that were replaced, and that jobs are still watched with."""
    watched: int = 0
    """Unfinished jobs that were submitted with keys of the reader."""
    broken: str = ""
    """Why the stored settings cannot be used; those that can are in `settings`."""
    service_account: str = field(default_factory=account_name)
    """As whom jobs on this server run where no other account is set."""

    @property
    def needs_own_key(self) -> bool:
        return needs_own_key(self.settings)


async def get(context: Context, actor: Actor, name: str) -> ClusterView:
    require(actor, "cluster.read")
    async with context.database.read() as session:
        cluster = await clusters.by_name(session, name)
        if cluster is None or cluster.id is None:
            known = [row.name for row in await clusters.all_active(session)]
            raise NotFound(f"There is no cluster {name!r}.", hint=f"Known clusters: {', '.join(known) or 'none'}.")
        credential = await credentials.current(session, cluster.id, actor.user_id)
        earlier = await credentials.kept(session, cluster.id, actor.user_id)
        keys = [row.id for row in (credential, *earlier) if row is not None and row.id is not None]
        settings, broken = legible_settings(cluster)
        return ClusterView(
            cluster,
            settings,
            credential,
            await jobs.occupying(session, cluster.id),
            fingerprint(cluster.host_key) if cluster.host_key else "",
            fingerprint(cluster.offered_key.removeprefix("proxy ")) if cluster.offered_key else "",
            earlier,
            await credentials.jobs_of(session, keys, OCCUPYING) if keys else 0,
            broken,
        )


async def all_of(context: Context, actor: Actor) -> list[ClusterView]:
    require(actor, "cluster.read")
    async with context.database.read() as session:
        names = [cluster.name for cluster in await clusters.all_active(session)]
    return [await get(context, actor, name) for name in names]


def first_usable(views: Sequence[ClusterView]) -> ClusterView | None:
    """What a form begins with."""
    return next((view for view in views if not view.broken), None)


async def trust_key(context: Context, actor: Actor, name: str, wanted: str) -> None:
    """Confirm the fingerprint that the cluster offered.

    Raises:
        Conflict: the machine now shows another key than the one confirmed.
    """
    require(actor, "cluster.change")
    view = await get(context, actor, name)
    if not view.offered:
        await _ask_for_key(context, actor, view)
        view = await get(context, actor, name)
    if wanted.strip() != view.offered:
        raise Conflict(
            f"{name} shows the fingerprint {view.offered or '(none)'}, not {wanted.strip()[:80]}.",
            hint="Compare it with the centre's web page; nothing was trusted.",
        )
    async with context.database.write() as session:
        row = await clusters.by_name(session, name)
        assert row is not None
        if row.offered_key.startswith("proxy "):
            row.proxy_host_key = row.offered_key.removeprefix("proxy ")
        else:
            row.host_key = row.offered_key
        row.offered_key = row.problem = ""
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    context.pool.look_again(view.cluster.id or 0)
    context.broker.wake()


async def _ask_for_key(context: Context, actor: Actor, view: ClusterView) -> None:
    account = Account(view.cluster.name, view.settings, CredentialKey(view.cluster.id or 0, view.settings.username))
    if view.needs_own_key and view.credential:
        account = await account_of(context, view.cluster, actor.user_id)
    try:
        await endpoints(context, account)
    except CrystalDeckError:
        # The offered key is stored now; what it is worth is the caller's question.
        return


async def forget_key(context: Context, actor: Actor, name: str) -> None:
    """Stop trusting a cluster's host keys; the next contact shows the new fingerprint."""
    require(actor, "cluster.change")
    async with context.database.write() as session:
        row = await clusters.by_name(session, name)
        if row is None:
            raise NotFound(f"There is no cluster {name!r}.", hint="See the clusters page.")
        row.host_key = row.proxy_host_key = row.offered_key = ""
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    await context.pool.drop(row.id or 0)
    context.broker.wake()


async def test(context: Context, actor: Actor, name: str) -> list[Check]:
    """Everything a job will need, step by step; stops at the first step without which the next makes no sense."""
    require(actor, "cluster.use")
    view = await get(context, actor, name)
    checks = await _run_checks(context, actor, view)
    async with context.database.write() as session:
        row = await clusters.by_name(session, name)
        assert row is not None
        row.report, row.reported_at = [check.as_dict() for check in checks], now()
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    context.broker.wake()
    return checks


async def _run_checks(context: Context, actor: Actor, view: ClusterView) -> list[Check]:
    checks: list[Check] = []
    stage, account = "login", None
    try:
        account = await account_of(context, view.cluster, actor.user_id)
        if not account.is_local:
            stage = "reachable"
            context.pool.ask_again(account.key)
            target, _ = await endpoints(context, account)
            checks.append(Check("reachable", True, f"{target.hostname}:{target.port} answers"))
            checks.append(Check("host key", True, fingerprint(target.host_key)))
            stage = "login"
        runner = await runner_for(context, account)
        checks.append(Check("login", True, runner.transport.where))
        stage = "commands"
        checks += await _probe_account(context, account)
        checks += await runner.probe()
        await keep_partitions(context, account.cluster, await runner.partitions())
        await note_problem(context, account.cluster, "")
    except CrystalDeckError as error:
        name = {"host-key-unknown": "host key", "host-key-changed": "host key", "login-refused": "login"}.get(
            error.code, stage
        )
        checks.append(Check(name, False, error.sentence))
        # A member's own key that is refused is no trouble of the cluster.
        if account is not None and concerns_everybody(account, error):
            await note_problem(context, account.cluster, f"{name}: {lasting(error).sentence}")
    return checks


async def keep_partitions(context: Context, name: str, partitions: Sequence[Partition]) -> None:
    """Remember what a cluster's partitions allow; jobs are checked against it before they are queued."""
    async with context.database.write() as session:
        row = await clusters.by_name(session, name)
        if row is not None:
            row.partitions = [vars(partition) for partition in partitions]
            session.add(row)


async def _probe_account(context: Context, account: Account) -> list[Check]:
    runner = await runner_for(context, account)
    settings = account.settings
    programs = [command.split()[0] for command in (settings.crystal, settings.properties) if command.split()]
    # Start-up files that print would break a naive client; here it is only worth a remark.
    done = await runner.transport.run(_PROBE, [settings.workdir, settings.setup, *programs])
    checks = [Check("commands", done.status == 0, "standard output is read after a marker, noise is ignored")]
    for line in done.text.splitlines():
        name, _, rest = line.partition("\t")
        word, _, detail = rest.partition("\t")
        if name in ("workdir", "program"):
            checks.append(Check(name, word == "ok", f"{settings.workdir}: {detail}" if name == "workdir" else detail))
    return checks


async def test_in_background(context: Context, actor: Actor, name: str) -> None:
    """Start a test whose report the page shows when it is there."""
    await get(context, actor, name)
    require(actor, "cluster.use")
    task = asyncio.create_task(test(context, actor, name), name=f"test of {name}")
    _running.add(task)
    task.add_done_callback(_running.discard)


_running: set[asyncio.Task[list[Check]]] = set()


async def stop_tests() -> None:
    """End the tests that are still going on, when the service stops."""
    for task in _running:
        task.cancel()
    await asyncio.gather(*_running, return_exceptions=True)
