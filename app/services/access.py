"""Which account on which machine a job runs under, and the runner that goes there."""

from __future__ import annotations

import os
from dataclasses import dataclass

from app.db.repositories import clusters
from app.db.tables import Cluster, now
from app.errors import ConfigurationError, Conflict, HostKeyUnknown
from app.events.model import Topic
from app.events.outbox import announce
from app.runners.base import BaseRunner
from app.runners.direct import DirectRunner
from app.runners.slurm import SlurmRunner
from app.services.context import Context
from app.settings import ClusterSettings
from app.transport.base import Transport
from app.transport.host_keys import fingerprint, offered_key
from app.transport.ssh import Endpoint, Login, connect


@dataclass(frozen=True)
class Account:
    """One account on one cluster. Jobs of several people share it where an admin configured a key."""

    cluster_id: int
    cluster: str
    settings: ClusterSettings
    username: str
    user_id: int | None

    @property
    def key(self) -> tuple[str, str]:
        return (self.cluster, self.username)

    @property
    def is_local(self) -> bool:
        return not self.settings.hostname


def cluster_settings(cluster: Cluster) -> ClusterSettings:
    return ClusterSettings.model_validate(cluster.settings)


async def account_of(context: Context, cluster: Cluster, user_id: int) -> Account:
    """The account that this user's jobs run under.

    Raises:
        Conflict: the user has no key on this cluster yet.
    """
    settings = cluster_settings(cluster)
    assert cluster.id is not None
    if not settings.hostname:
        return Account(cluster.id, cluster.name, settings, "", None)
    if settings.key_path or settings.use_agent:
        return Account(cluster.id, cluster.name, settings, settings.username, None)
    async with context.database.read() as session:
        credential = await clusters.credential(session, cluster.id, user_id)
    if credential is None:
        raise Conflict(
            f"You have no key for {cluster.name} yet.",
            hint=f"Open the page of {cluster.name}, make a key and put its public half on the cluster.",
        )
    return Account(cluster.id, cluster.name, settings, credential.username, user_id)


async def transport_to(context: Context, account: Account) -> Transport:
    if account.is_local:
        return context.pool.local
    return await context.pool.get(account.key, lambda: _login(context, account))


async def runner_for(context: Context, account: Account) -> BaseRunner:
    """A runner on the open connection of `account`; connects if need be."""
    return runner_kind(account.settings)(await transport_to(context, account), account.settings)


def runner_kind(settings: ClusterSettings) -> type[BaseRunner]:
    return SlurmRunner if settings.runner_type == "slurm" else DirectRunner


async def _login(context: Context, account: Account) -> Login:
    """Keys and trusted host keys of an account. First contact stops here until a person confirms the fingerprint."""
    settings = account.settings
    target, jump = await endpoints(context, account)
    if account.user_id is not None:
        async with context.database.read() as session:
            credential = await clusters.credential(session, account.cluster_id, account.user_id)
        if credential is None:
            raise Conflict(f"The key for {account.cluster} was removed.", hint="Make a new one on its page.")
        return Login(target, (context.vault.open(credential.private_key, f"ssh:{credential.id}"),), None, jump)
    if settings.key_path:
        try:
            key = settings.key_path.expanduser().read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"The key {settings.key_path} for {account.cluster} cannot be read: {error.strerror}.",
                hint="Correct key_path, or make the file readable for the account that runs CrystalDeck.",
            ) from error
        return Login(target, (key,), None, jump)
    agent = os.environ.get("SSH_AUTH_SOCK")
    if not agent:
        raise ConfigurationError(
            f"{account.cluster} is to use ssh-agent, but none runs in the service's environment.",
            hint="Start the service with SSH_AUTH_SOCK set, or give key_path.",
        )
    return Login(target, (), agent, jump)


async def endpoints(context: Context, account: Account) -> tuple[Endpoint, Endpoint | None]:
    """Target and jump host with their trusted keys.

    Raises:
        HostKeyUnknown: a key was offered that nobody has confirmed; it is stored for the page to show.
    """
    settings = account.settings
    jump = None
    if settings.proxy_jump:
        user, host, port = split_jump(settings.proxy_jump, account.username)
        key = await _trusted(context, account, host, port, proxy=True)
        jump = Endpoint(host, port, user, key)
    key = await _trusted(context, account, settings.hostname, settings.port, proxy=False, jump=jump)
    return Endpoint(settings.hostname, settings.port, account.username, key), jump


def split_jump(text: str, default_user: str) -> tuple[str, str, int]:
    """`user@host:port` with optional parts."""
    user, at, rest = text.rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon:
        host, port = rest, "22"
    return (user if at else default_user), host, int(port)


async def _trusted(
    context: Context, account: Account, host: str, port: int, *, proxy: bool, jump: Endpoint | None = None
) -> str:
    async with context.database.read() as session:
        cluster = await clusters.by_name(session, account.cluster)
    assert cluster is not None
    known = cluster.proxy_host_key if proxy else cluster.host_key
    if known:
        return known
    offered = await offered_key_of(context, account, host, port, jump)
    print_of_it = fingerprint(offered)
    expected = account.settings.proxy_host_key if proxy else account.settings.host_key
    trusted = expected == print_of_it
    async with context.database.write() as session:
        row = await clusters.by_name(session, account.cluster)
        assert row is not None
        if trusted and proxy:
            row.proxy_host_key = offered
        elif trusted:
            row.host_key = offered
        else:
            row.offered_key = ("proxy " if proxy else "") + offered
        session.add(row)
        announce(session, Topic.CLUSTER, account.cluster)
    if trusted:
        return offered
    raise _unconfirmed(account.cluster, f"{host}:{port}", print_of_it, expected)


async def offered_key_of(context: Context, account: Account, host: str, port: int, jump: Endpoint | None) -> str:
    if jump is None:
        return await offered_key(host, port)
    keys: tuple[bytes, ...] = ()
    if account.user_id is not None:
        async with context.database.read() as session:
            credential = await clusters.credential(session, account.cluster_id, account.user_id)
        if credential is not None:
            keys = (context.vault.open(credential.private_key, f"ssh:{credential.id}"),)
    elif account.settings.key_path:
        keys = (account.settings.key_path.expanduser().read_bytes(),)
    agent = os.environ.get("SSH_AUTH_SOCK") if not keys else None
    tunnel = await connect(Login(jump, keys, agent))
    try:
        return await offered_key(host, port, tunnel)
    finally:
        tunnel.close()


def _unconfirmed(cluster: str, where: str, offered: str, expected: str) -> HostKeyUnknown:
    if expected:
        return HostKeyUnknown(
            f"{where} shows the host key {offered}, but the configuration of {cluster} expects {expected}.",
            hint="Ask the centre which is right. Nothing was sent to the machine.",
        )
    return HostKeyUnknown(
        f"The host key of {where} has not been confirmed: {offered}.",
        hint=f"Compare it with the centre's web page, then confirm it on the page of {cluster} or run: "
        f"crystaldeck cluster trust {cluster} --fingerprint {offered}",
    )


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
    context.broker.wake()
