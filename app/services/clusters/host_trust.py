"""The host keys that a person has confirmed; first contact stops here until somebody does."""

from __future__ import annotations

from app.db.repositories import clusters
from app.domain.people.credentials import CredentialKey
from app.domain.people.permissions import Actor, require
from app.errors import ConfigurationError, Conflict, CrystalDeckError, HostKeyUnknown
from app.events.model import Topic
from app.events.outbox import announce
from app.services.clusters.member_keys import secrets_of
from app.services.clusters.registry import ClusterView, get, usable_cluster
from app.services.clusters.remote_accounts import Account, account_of
from app.services.context import Context
from app.settings import JUMP
from app.transport.host_keys import fingerprint, offered_key
from app.transport.hosts import Visitor
from app.transport.ssh import Endpoint, Login, connect, door_name


async def trust_key(context: Context, actor: Actor, name: str, wanted: str) -> None:
    """Confirm the fingerprint that the cluster offered.

    Raises:
        NotFound: no such cluster. Conflict: the machine now shows another key than the one confirmed.
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
        row = await usable_cluster(session, name)
        if row.offered_key.startswith("proxy "):
            row.proxy_host_key = row.offered_key.removeprefix("proxy ")
        else:
            row.host_key = row.offered_key
        row.offered_key = row.problem = ""
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    context.pool.look_again(view.cluster.id)


async def _ask_for_key(context: Context, actor: Actor, view: ClusterView) -> None:
    account = Account(view.cluster.name, view.settings, CredentialKey(view.cluster.id, view.settings.username))
    if view.needs_own_key and view.credential:
        account = await account_of(context, view.cluster, actor.user_id)
    try:
        await endpoints(context, account)
    except CrystalDeckError:
        # The offered key is stored now; what it is worth is the caller's question.
        return


async def forget_key(context: Context, actor: Actor, name: str) -> None:
    """Stop trusting a cluster's host keys; the next contact shows the new fingerprint.

    Raises:
        NotFound: no such cluster.
    """
    require(actor, "cluster.change")
    async with context.database.write() as session:
        row = await usable_cluster(session, name)
        row.host_key = row.proxy_host_key = row.offered_key = ""
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    await context.pool.drop(row.id)


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
    """`user@host:port` with optional parts; its form was checked when the settings were."""
    match = JUMP.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"The jump host {text[:80]!r} is not user@host:port.", hint="Correct proxy_jump.")
    return match[1] or default_user, match[2] or match[3], int(match[4] or 22)


async def _trusted(
    context: Context, account: Account, host: str, port: int, *, proxy: bool, jump: Endpoint | None = None
) -> str:
    async with context.database.read() as session:
        cluster = await clusters.by_name(session, account.cluster)
    assert cluster is not None
    trusted_key = cluster.proxy_host_key if proxy else cluster.host_key
    if trusted_key:
        return trusted_key
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
    """The key that a machine shows. Behind a jump host somebody must log in there first, with the account's own key.

    Raises:
        Unreachable, LoginRefused: see the message. Conflict, ConfigurationError: there is no key for the jump host.
    """
    hosts = context.pool.hosts
    if jump is None:
        return await offered_key(host, port, hosts=hosts)
    keys, agent, known = await secrets_of(context, account)
    way = await connect(Login(jump, keys, agent), hosts, Visitor(account.key.user_id, known))
    try:
        return await offered_key(host, port, way.ssh, hosts, via=door_name(jump))
    finally:
        await way.close()


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
