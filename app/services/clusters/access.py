"""The runner that goes to an account, and where it is told what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from app.db.repositories import clusters, credentials, jobs
from app.db.repositories.credentials import Submitter
from app.db.tables import Job, now
from app.domain.states import OCCUPYING
from app.errors import CrystalDeckError, HostKeyChanged, HostKeyUnknown, Unreachable
from app.events.model import Topic
from app.events.outbox import announce, announce_jobs
from app.runners.base import BaseRunner
from app.runners.registry import runner_class
from app.services.clusters.host_trust import endpoints
from app.services.clusters.member_keys import note_accepted, secrets_of
from app.services.clusters.remote_accounts import Account, cluster_settings, stamp_of
from app.services.context import Context
from app.settings import ClusterSettings
from app.transport.base import Transport
from app.transport.ssh import Login, SSHTransport


async def transport_to(context: Context, account: Account) -> Transport:
    """The open connection of `account`, or this machine; connects if need be."""
    if account.is_local:
        return context.pool.local(account.settings.run_as)
    transport = await context.pool.get(account.key, partial(_login, context, account))
    if account.settings.login_shell and isinstance(transport, SSHTransport):
        return transport.in_login_shell()
    return transport


async def runner_for(context: Context, account: Account) -> BaseRunner:
    """A runner on the open connection of `account`; connects if need be."""
    return runner_kind(account.settings)(await transport_to(context, account), account.settings)


def runner_kind(settings: ClusterSettings) -> type[BaseRunner]:
    """The batch system of a cluster."""
    return runner_class(settings.runner_type)


def most_jobs(settings: ClusterSettings) -> int:
    """How many jobs a cluster takes at a time; where its settings say nothing, as many as is usual for its batch system."""
    return settings.max_jobs or runner_kind(settings).default_limit


async def _login(context: Context, account: Account) -> Login:
    """Keys and trusted host keys of an account.

    Raises:
        Unreachable: the cluster's settings are not those any more that the account was read from.
    """
    keys, agent, known = await secrets_of(context, account)
    target, jump = await endpoints(context, account)
    async with context.database.read() as session:
        cluster = await clusters.by_id(session, account.cluster_id)
    if cluster is None or cluster_settings(cluster) != account.settings:
        raise Unreachable(
            f"The settings of {account.cluster} changed while connecting.",
            hint="CrystalDeck reconnects by itself.",
        )
    told = partial(note_accepted, context, account.key) if account.key.is_personal else None
    return Login(target, keys, agent, jump, known, told, stamp_of(cluster))


async def note_problem(context: Context, cluster_name: str, problem: str) -> None:
    """Keep what is wrong with a cluster where its page and its waiting jobs show it."""
    async with context.database.write() as session:
        cluster = await clusters.by_name(session, cluster_name)
        if cluster is None:
            return
        if not problem:
            cluster.polled_at = now()
        if cluster.problem != problem[:1000]:
            cluster.problem = problem[:1000]
            announce(session, Topic.CLUSTER, cluster_name)
        session.add(cluster)


def lasting(error: CrystalDeckError) -> CrystalDeckError:
    """Behind an error that says when the next attempt is due stands the one that does not change every second."""
    return error.__cause__ if isinstance(error.__cause__, CrystalDeckError) else error


def concerns_everybody(account: Account, error: CrystalDeckError) -> bool:
    """Whether what stands in the way of this account does so for all of a cluster's jobs, or only for those of its owner."""
    told = lasting(error)
    if not account.key.is_personal or isinstance(told, (HostKeyUnknown, HostKeyChanged)):
        return True
    return isinstance(told, Unreachable) and told.whole_machine


async def note_attention(context: Context, rows: Sequence[Job], words: str) -> None:
    """Let jobs say what stands in their way."""
    if not rows:
        return
    async with context.database.write() as session:
        await jobs.set_attention(session, {row.id: words[:1000] for row in rows})
        await announce_jobs(session, rows)


async def note_unwatched(context: Context, way: Submitter, words: str) -> None:
    """Let the jobs on a cluster that were submitted in one way say why nobody watches them."""
    async with context.database.read() as session:
        rows = await credentials.jobs_submitted(session, way, OCCUPYING, words[:1000])
    await note_attention(context, rows, words)


async def note_trouble(context: Context, account: Account, error: CrystalDeckError) -> None:
    """Tell what stands in the way of watching an account: on its cluster where it concerns everybody, else on its jobs."""
    words = lasting(error).sentence
    if concerns_everybody(account, error) or account.key.user_id is None:
        await note_problem(context, account.cluster, words)
    else:
        key = account.key
        await note_unwatched(context, (key.cluster_id, account.key.user_id, key.credential_id, key.username), words)
