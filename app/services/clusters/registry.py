"""Clusters as people see them. They are changed in `changes`, trusted in `host_trust`, tested in `checks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.db.repositories import clusters, credentials, jobs
from app.db.sessions import ReadSession
from app.db.tables import Cluster, Credential
from app.domain.names import CLUSTER_NAME
from app.domain.people.permissions import Actor, require
from app.domain.resources import Partition
from app.domain.states import OCCUPYING
from app.errors import FieldError, InvalidInput, NotFound
from app.services.clusters.remote_accounts import legible_settings, needs_own_key
from app.services.context import Context
from app.settings import ClusterSettings
from app.transport.environment import account_name
from app.transport.host_keys import fingerprint


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
        """Whether each member logs in with a key of their own."""
        return needs_own_key(self.settings)


async def usable_cluster(session: ReadSession, name: str, *, field: str = "") -> Cluster:
    """The cluster of this name that was not removed.

    Args:
        field: where the name was typed into a form or sent in a body: which field of it.

    Raises:
        NotFound: there is none. InvalidInput: the same, where a `field` holds the name.
    """
    # A word that cannot be a name is not asked for: the database need not take every character.
    cluster = await clusters.by_name(session, name) if CLUSTER_NAME.fullmatch(name) else None
    if cluster is not None:
        return cluster
    names = ", ".join(row.name for row in await clusters.all_active(session))
    message, hint = (
        f"There is no cluster {name[:60]!r}.",
        f"Known clusters: {names or 'none; add one on the clusters page'}.",
    )
    if field:
        raise InvalidInput(message, hint=hint, fields=[FieldError(field, "must name a cluster", name[:60])])
    raise NotFound(message, hint=hint)


async def get(context: Context, actor: Actor, name: str) -> ClusterView:
    """A cluster, with the reader's own keys for it.

    Raises:
        NotFound: no such cluster.
    """
    require(actor, "cluster.read")
    async with context.database.read() as session:
        cluster = await usable_cluster(session, name)
        credential = await credentials.current(session, cluster.id, actor.user_id)
        earlier = await credentials.kept(session, cluster.id, actor.user_id)
        keys = [row.id for row in (credential, *earlier) if row is not None]
        settings, broken = legible_settings(cluster)
        return ClusterView(
            cluster,
            settings,
            credential,
            await jobs.count_occupying(session, cluster.id),
            fingerprint(cluster.host_key) if cluster.host_key else "",
            fingerprint(cluster.offered_key.removeprefix("proxy ")) if cluster.offered_key else "",
            earlier,
            await credentials.jobs_of(session, keys, OCCUPYING) if keys else 0,
            broken,
        )


async def all_of(context: Context, actor: Actor) -> list[ClusterView]:
    """Every cluster, by name, each with the reader's own keys for it."""
    require(actor, "cluster.read")
    async with context.database.read() as session:
        names = [cluster.name for cluster in await clusters.all_active(session)]
    return [await get(context, actor, name) for name in names]


def first_usable(views: Sequence[ClusterView]) -> ClusterView | None:
    """What a form begins with."""
    return next((view for view in views if not view.broken), None)


async def keep_partitions(context: Context, name: str, partitions: Sequence[Partition]) -> None:
    """Remember what a cluster's partitions allow; jobs are checked against it before they are queued."""
    async with context.database.write() as session:
        row = await clusters.by_name(session, name)
        if row is not None:
            row.partitions = [vars(partition) for partition in partitions]
            session.add(row)
