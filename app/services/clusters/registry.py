"""Clusters as people see them. They are changed in `changes`, trusted in `host_trust`, tested in `checks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.db.repositories import clusters, credentials, jobs
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Cluster, Credential
from app.domain.names import CLUSTER_NAME
from app.domain.people.permissions import Actor, require
from app.domain.resources import Partition
from app.domain.states import OCCUPYING
from app.domain.templates.releases import release_of
from app.errors import FieldError, InvalidInput, NotFound
from app.services.clusters.remote_accounts import legible_settings, needs_own_key
from app.services.context import Context
from app.settings import ClusterSettings
from app.transport.environment import account_name
from app.transport.host_keys import fingerprint

MAX_PROGRAM = 80
"""Characters of a program's name and release."""


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
        [view] = await _views(session, actor, [await usable_cluster(session, name)])
    return view


async def all_of(context: Context, actor: Actor) -> list[ClusterView]:
    """Every cluster, by name, each with the reader's own keys for it."""
    require(actor, "cluster.read")
    async with context.database.read() as session:
        return await _views(session, actor, await clusters.all_active(session))


async def _views(session: ReadSession, actor: Actor, rows: Sequence[Cluster]) -> list[ClusterView]:
    """Clusters as pages show them, in a number of statements that does not grow with theirs."""
    ids = [row.id for row in rows]
    keys = await credentials.usable_of_user(session, actor.user_id, ids)
    watched = await credentials.jobs_by_cluster(session, [key.id for key in keys], OCCUPYING) if keys else {}
    active = await jobs.count_occupying_by_cluster(session, ids)
    views = []
    for row in rows:
        settings, broken = legible_settings(row)
        own = [key for key in keys if key.cluster_id == row.id]
        views.append(
            ClusterView(
                row,
                settings,
                next((key for key in own if key.retired_at is None), None),
                active.get(row.id, 0),
                fingerprint(row.host_key) if row.host_key else "",
                fingerprint(row.offered_key.removeprefix("proxy ")) if row.offered_key else "",
                [key for key in own if key.retired_at is not None],
                watched.get(row.id, 0),
                broken,
            )
        )
    return views


def first_usable(views: Sequence[ClusterView]) -> ClusterView | None:
    """What a form begins with."""
    return next((view for view in views if not view.broken), None)


async def keep_program(session: WriteSession, cluster_id: int, program: str) -> None:
    """Remember which CRYSTAL a cluster runs; answers that need a later one are then refused before anything is queued."""
    row = await clusters.by_id(session, cluster_id)
    if row is not None and release_of(program) is not None and row.program != program:
        row.program = program[:MAX_PROGRAM]
        session.add(row)


async def keep_partitions(context: Context, name: str, partitions: Sequence[Partition]) -> None:
    """Remember what a cluster's partitions allow; jobs are checked against it before they are queued."""
    async with context.database.write() as session:
        row = await clusters.by_name(session, name)
        if row is not None:
            row.partitions = [vars(partition) for partition in partitions]
            session.add(row)
