"""Members' own keys: made, replaced, accepted by a cluster, removed.

A new key retires the one before. Jobs that were submitted with the earlier one are watched with it until a cluster accepts the
new one for the same account; then they are the new one's, and the earlier private half is thrown away. An earlier key for
another account is kept until its last job has ended. A key that is removed is gone at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.db.repositories import clusters, credentials
from app.db.tables import Credential, now
from app.domain.people.credentials import CredentialKey, is_account_name, key_fingerprint
from app.domain.people.permissions import Actor, require
from app.domain.states import OCCUPYING
from app.errors import ConfigurationError, Conflict, FieldError, InvalidInput
from app.events.model import Topic
from app.events.outbox import announce
from app.services.clusters.registry import usable_cluster
from app.services.clusters.remote_accounts import Account, cluster_settings, needs_own_key, stamp_of
from app.services.context import Context
from app.transport.environment import agent_socket
from app.transport.keys import make_key_pair


async def make_key(context: Context, actor: Actor, name: str, username: str) -> Credential:
    """A new key pair for the actor on a cluster; it replaces an earlier one.

    Raises:
        NotFound: no such cluster. Conflict: it uses the key of its configuration. InvalidInput: no name of an account.
    """
    require(actor, "cluster.use")
    async with context.database.read() as session:
        cluster = await usable_cluster(session, name)
    settings = cluster_settings(cluster)
    if not needs_own_key(settings):
        raise Conflict(f"{name} uses the key of its configuration.", hint="Nothing needs to be done.")
    username = username.strip() or settings.username or actor.name
    if not is_account_name(username):
        raise InvalidInput(
            f"{username[:40]!r} is not an account name.",
            hint="Give the name that you log in with.",
            fields=[FieldError("username", "only letters, digits, '.', '_', '-', at most 64", username[:40])],
        )
    public, private = make_key_pair(f"crystaldeck-{actor.name}")
    async with context.database.write() as session:
        await credentials.retire(session, cluster.id, actor.user_id)
        row = Credential(
            cluster_id=cluster.id, user_id=actor.user_id, username=username, public_key=public, private_key=""
        )
        session.add(row)
        await session.flush()
        row.private_key = context.vault.seal(private, f"ssh:{row.id}")
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    return row


async def remove_keys(context: Context, actor: Actor, name: str) -> int:
    """Throw the actor's private keys for a cluster away, and close their connections. How many jobs nobody watches now.

    Raises:
        NotFound: no such cluster.
    """
    require(actor, "cluster.use")
    async with context.database.write() as session:
        cluster = await usable_cluster(session, name)
        rows = await credentials.kept(session, cluster.id, actor.user_id)
        if row := await credentials.retire(session, cluster.id, actor.user_id):
            rows.append(row)
        ids = [row.id for row in rows]
        await credentials.forget_secrets(session, ids)
        unwatched = await credentials.jobs_of(session, ids, OCCUPYING)
        announce(session, Topic.CLUSTER, name)
    await context.pool.drop_credentials(key for key in context.pool.keys if key.credential_id in ids)
    return unwatched


async def note_accepted(context: Context, key: CredentialKey) -> None:
    """A cluster let this key in: jobs that its owner submitted to the same account with earlier keys are its own now."""
    async with context.database.write() as session:
        row = (await credentials.by_ids(session, [key.credential_id or 0])).get(key.credential_id or 0)
        if row is None or row.retired_at is not None:
            return
        earlier = await credentials.adopt(session, row)
        row.accepted_at = row.accepted_at or now()
        session.add(row)
    await context.pool.drop_credentials(one for one in context.pool.keys if one.credential_id in earlier)


async def forget_unneeded(context: Context) -> None:
    """Throw away earlier keys whose last job has ended, and close what is open with keys that are not there any more."""
    async with context.database.write() as session:
        await credentials.forget_secrets(session, [row.id for row in await credentials.unneeded(session) if row.id])
    await close_stale(context)


async def close_stale(context: Context) -> None:
    """Close connections whose key or whose cluster is not what it was, perhaps because of another process."""
    keys, stamps = context.pool.keys, context.pool.stamps
    async with context.database.read() as session:
        credentials_by_id = await credentials.by_ids(
            session, {key.credential_id for key in keys if key.credential_id is not None}
        )
        current = {row.id: stamp_of(row) for row in await clusters.every(session)}
    stale = [key for key in keys if stamps.get(key, current.get(key.cluster_id)) != current.get(key.cluster_id)]
    await context.pool.drop_credentials({*stale, *_gone(keys, credentials_by_id)})


def _gone(keys: Iterable[CredentialKey], known: dict[int, Credential]) -> list[CredentialKey]:
    gone = []
    for key in keys:
        row = known.get(key.credential_id or 0)
        if key.is_personal and (
            row is None or not row.private_key or key_fingerprint(row.public_key) != key.fingerprint
        ):
            gone.append(key)
    return gone


async def secrets_of(context: Context, account: Account) -> tuple[tuple[bytes, ...], str | None, bool]:
    """Private keys or an agent's socket for an account, and whether the cluster has accepted them before.

    Raises:
        Conflict: the key was removed. ConfigurationError: it cannot be read.
    """
    settings = account.settings
    if account.key.credential_id is not None:
        async with context.database.read() as session:
            row = (await credentials.by_ids(session, [account.key.credential_id])).get(account.key.credential_id)
        if row is None or not row.private_key:
            raise Conflict(f"The key for {account.cluster} was removed.", hint="Create a new one on its page.")
        private = context.vault.open(row.private_key, f"ssh:{row.id}")
        return (private,), None, row.accepted_at is not None
    if settings.key_path:
        try:
            return (settings.key_path.expanduser().read_bytes(),), None, False
        except OSError as error:
            raise ConfigurationError(
                f"The key {settings.key_path} for {account.cluster} cannot be read: {error.strerror}.",
                hint="Correct key_path, or make the file readable for the account that runs CrystalDeck.",
            ) from error
    agent = agent_socket()
    if settings.use_agent and agent:
        return (), agent, False
    if settings.use_agent:
        raise ConfigurationError(
            f"{account.cluster} is to use ssh-agent, but none runs in the service's environment.",
            hint="Start the service with SSH_AUTH_SOCK set, or give key_path.",
        )
    raise Conflict(f"You have no key for {account.cluster} yet.", hint=f"Create one on the page of {account.cluster}.")
