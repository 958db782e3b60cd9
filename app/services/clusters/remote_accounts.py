"""Which account on which machine a job runs under, and whose key opens it.

New jobs go with their owner's current key, or with the operator's where one is configured for the cluster. A job that was
submitted stays with the key that it was submitted with; nothing about it is ever asked through another one's connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from app.db.repositories import credentials
from app.db.repositories.credentials import Submitter
from app.db.tables import Cluster, Credential, RemoteJob
from app.domain.people.credentials import CredentialKey, key_fingerprint
from app.errors import ClusterBroken, Conflict, FieldError
from app.services.context import Context
from app.settings import ClusterSettings


@dataclass(frozen=True)
class Account:
    """One account on one cluster, and the key for it. Jobs of several people share it where the operator configured a key."""

    cluster: str
    settings: ClusterSettings
    key: CredentialKey

    @property
    def cluster_id(self) -> int:
        """The id of the cluster's row."""
        return self.key.cluster_id

    @property
    def username(self) -> str:
        """The name of the account on the machine; empty: the service's own, on this server."""
        return self.key.username

    @property
    def is_local(self) -> bool:
        """Whether the machine is this server."""
        return not self.settings.hostname


def cluster_settings(cluster: Cluster) -> ClusterSettings:
    """The settings of a cluster, as they are stored.

    Raises:
        ClusterBroken: an older release stored what this one refuses, or somebody changed the database.
    """
    try:
        return ClusterSettings.model_validate(cluster.settings)
    except ValidationError as error:
        fields = setting_errors(error)
        raise ClusterBroken(
            f"The settings of {cluster.name} cannot be used: "
            + "; ".join(f"{f.field} {f.reason}" for f in fields)
            + ".",
            hint="A maintainer can correct them on its page.",
            fields=fields,
        ) from error


def legible_settings(cluster: Cluster) -> tuple[ClusterSettings, str]:
    """The settings for people to look at, and what is wrong with them: keys that cannot be used are left out."""
    try:
        return cluster_settings(cluster), ""
    except ClusterBroken as error:
        wrong = {one.field.partition(".")[0] for one in error.fields}
        stored = cluster.settings if isinstance(cluster.settings, dict) else {}
        try:
            return ClusterSettings.model_validate({k: v for k, v in stored.items() if k not in wrong}), error.message
        except ValidationError:
            return ClusterSettings.model_validate({}), error.message


def setting_errors(error: ValidationError) -> list[FieldError]:
    """What is wrong with a cluster's settings, key by key."""
    return [
        FieldError(
            ".".join(str(part) for part in item["loc"]) or "settings",
            item["msg"].removeprefix("Value error, "),
            str(item.get("input", ""))[:80],
        )
        for item in error.errors()
    ]


def stamp_of(cluster: Cluster) -> str:
    """Where connections to a cluster go, and whom they trust, in one line: one that was made from another line is stale."""
    stored = cluster.settings if isinstance(cluster.settings, dict) else {}
    keys = ("hostname", "port", "proxy_jump", "username", "key_path", "use_agent")
    return repr([*(str(stored.get(key) or "") for key in keys), cluster.host_key, cluster.proxy_host_key])


def needs_own_key(settings: ClusterSettings) -> bool:
    """Whether each member logs in with a key of their own."""
    return bool(settings.hostname) and not settings.key_path and not settings.use_agent


async def account_of(context: Context, cluster: Cluster, user_id: int) -> Account:
    """The account that this user's next jobs run under.

    Raises:
        Conflict: the user has no key on this cluster yet.
    """
    settings = cluster_settings(cluster)
    if not needs_own_key(settings):
        return _shared(cluster, settings)
    async with context.database.read() as session:
        credential = await credentials.current(session, cluster.id, user_id)
    return next_account(cluster, settings, credential)


def next_account(cluster: Cluster, settings: ClusterSettings, credential: Credential | None) -> Account:
    """The account that somebody's next jobs run under, by the settings and that user's current key.

    Raises:
        Conflict: members log in with keys of their own, and there is none.
    """
    if not needs_own_key(settings):
        return _shared(cluster, settings)
    if credential is None:
        raise Conflict(
            f"You have no key for {cluster.name} yet.",
            hint=f"Open the page of {cluster.name}, create a key and add its public half to your account on the cluster.",
        )
    return _personal(cluster, settings, credential)


async def account_of_job(context: Context, cluster: Cluster, owner_id: int, remote: RemoteJob) -> Account:
    """The account that a job was submitted to, with the key that it was submitted with.

    Raises:
        Conflict: that key is not there any more.
    """
    way = (cluster.id, owner_id, remote.credential_id, remote.account)
    async with context.database.read() as session:
        keys = await credentials.by_ids(session, credential_ids([way]))
    return submitted_as(cluster, way, keys)


async def keys_of(context: Context, ways: Iterable[Submitter]) -> dict[int, Credential]:
    """The keys that jobs were submitted with, by id."""
    async with context.database.read() as session:
        return await credentials.by_ids(session, credential_ids(ways))


def submitted_as(cluster: Cluster, way: Submitter, keys: Mapping[int, Credential]) -> Account:
    """The account of jobs that were submitted in one way; see `account_of_job`."""
    settings = cluster_settings(cluster)
    _, _, credential_id, username = way
    if credential_id is None:
        account = None if needs_own_key(settings) else _shared(cluster, settings)
        if account is not None and account.username == username:
            return account
        raise Conflict(
            f"This job was submitted to {cluster.name} as {username or 'the account of this server'} with a key that the "
            "configuration does not give any more: nobody watches it.",
            hint="Ask the operator to configure that account again.",
        )
    credential = keys.get(credential_id)
    if credential is None or not credential.private_key or not settings.hostname:
        raise Conflict(
            f"The key with which this job was submitted to {cluster.name} as {username} was removed: nobody watches the job.",
            hint=f"Create a key for {username} on the page of {cluster.name} and put its public half on the cluster; once "
            "it is accepted there, the job is watched again.",
        )
    return _personal(cluster, settings, credential)


def _shared(cluster: Cluster, settings: ClusterSettings) -> Account:
    name = settings.username if settings.hostname else ""
    return Account(cluster.name, settings, CredentialKey(cluster.id, name))


def _personal(cluster: Cluster, settings: ClusterSettings, row: Credential) -> Account:
    mark = key_fingerprint(row.public_key)
    return Account(cluster.name, settings, CredentialKey(cluster.id, row.username, row.user_id, row.id, mark))


def credential_ids(ways: Iterable[Submitter]) -> set[int]:
    """Ids of the members' keys that jobs were submitted with; those of the configuration have none."""
    return {way[2] for way in ways if way[2] is not None}
