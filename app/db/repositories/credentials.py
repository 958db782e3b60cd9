"""Members' keys on clusters, and the jobs that were submitted with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import func, or_, update
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Credential, Job, RemoteJob, now
from app.domain.states import OCCUPYING, JobState

Submitter = tuple[int, int, int | None, str]
"""Cluster, owner, credential and account of jobs that were submitted the same way."""


async def current(session: ReadSession, cluster_id: int, user_id: int) -> Credential | None:
    """The key that this user's next jobs are submitted with."""
    query = select(Credential).where(
        Credential.cluster_id == cluster_id, Credential.user_id == user_id, col(Credential.retired_at).is_(None)
    )
    return (await session.exec(query)).first()


async def current_by_user(session: ReadSession, cluster_id: int, user_ids: Collection[int]) -> dict[int, Credential]:
    """The keys that these users' next jobs are submitted with, by user; who has none is absent."""
    query = select(Credential).where(
        Credential.cluster_id == cluster_id,
        col(Credential.user_id).in_(list(user_ids)),
        col(Credential.retired_at).is_(None),
    )
    return {row.user_id: row for row in (await session.exec(query)).all()}


async def by_ids(session: ReadSession, ids: Collection[int]) -> dict[int, Credential]:
    """Keys by their ids; those that do not exist are absent."""
    query = select(Credential).where(col(Credential.id).in_(list(ids)))
    return {row.id: row for row in (await session.exec(query)).all()}


async def kept(session: ReadSession, cluster_id: int, user_id: int) -> list[Credential]:
    """Earlier keys of a user that can still be used, the oldest first."""
    query = select(Credential).where(
        Credential.cluster_id == cluster_id,
        Credential.user_id == user_id,
        col(Credential.retired_at).is_not(None),
        Credential.private_key != "",
    )
    return list((await session.exec(query.order_by(col(Credential.id)))).all())


async def usable_of_user(session: ReadSession, user_id: int, cluster_ids: Collection[int]) -> list[Credential]:
    """A user's keys for these clusters: current ones, and earlier ones that can still be used; the oldest first."""
    query = select(Credential).where(
        Credential.user_id == user_id,
        col(Credential.cluster_id).in_(list(cluster_ids)),
        or_(col(Credential.retired_at).is_(None), col(Credential.private_key) != ""),
    )
    return list((await session.exec(query.order_by(col(Credential.id)))).all())


async def retire(session: WriteSession, cluster_id: int, user_id: int) -> Credential | None:
    """Make room for another current key."""
    row = await current(session, cluster_id, user_id)
    if row is not None:
        row.retired_at = now()
        session.add(row)
        await session.flush()
    return row


async def forget_secrets(session: WriteSession, ids: Iterable[int]) -> None:
    """Throw the private halves away; the rows stay, since jobs name them."""
    await session.exec(update(Credential).where(col(Credential.id).in_(list(ids))).values(private_key=""))


async def forget_cluster(session: WriteSession, cluster_id: int) -> None:
    """Throw away what opens a cluster that was removed; its jobs go on naming their keys."""
    of_it = update(Credential).where(col(Credential.cluster_id) == cluster_id)
    plain = {"synchronize_session": False}
    await session.exec(
        of_it.where(col(Credential.retired_at).is_(None)).values(retired_at=now()), execution_options=plain
    )
    await session.exec(of_it.values(private_key=""), execution_options=plain)


async def adopt(session: WriteSession, heir: Credential) -> list[int]:
    """The jobs that its owner submitted to the same account with earlier keys are its own now. Ids of those keys."""
    query = select(Credential.id).where(
        Credential.cluster_id == heir.cluster_id,
        Credential.user_id == heir.user_id,
        Credential.username == heir.username,
        col(Credential.retired_at).is_not(None),
        Credential.id != heir.id,
    )
    earlier = [credential_id for credential_id in (await session.exec(query)).all() if credential_id is not None]
    if earlier:
        jobs = update(RemoteJob).where(col(RemoteJob.credential_id).in_(earlier)).values(credential_id=heir.id)
        await session.exec(jobs, execution_options={"synchronize_session": False})
        await forget_secrets(session, earlier)
    return earlier


async def unneeded(session: ReadSession) -> list[Credential]:
    """Earlier keys whose secret is still here although no unfinished job needs it."""
    needed = (
        select(RemoteJob.credential_id)
        .join(Job, col(Job.id) == col(RemoteJob.job_id))
        .where(col(RemoteJob.credential_id).is_not(None), col(Job.state).in_([str(state) for state in OCCUPYING]))
    )
    query = select(Credential).where(
        col(Credential.retired_at).is_not(None), Credential.private_key != "", col(Credential.id).not_in(needed)
    )
    return list((await session.exec(query)).all())


async def submitters(
    session: ReadSession, states: Iterable[JobState], cluster_id: int | None = None
) -> list[Submitter]:
    """How the jobs in these states were submitted, each way once."""
    query = (
        select(Job.cluster_id, Job.owner_id, RemoteJob.credential_id, RemoteJob.account)
        .join(RemoteJob, col(RemoteJob.job_id) == col(Job.id))
        .where(col(Job.state).in_([str(state) for state in states]))
        .distinct()
    )
    if cluster_id is not None:
        query = query.where(Job.cluster_id == cluster_id)
    return [(row[0], row[1], row[2], row[3]) for row in (await session.exec(query)).all()]


async def jobs_of(session: ReadSession, credential_ids: Collection[int], states: Iterable[JobState]) -> int:
    """How many jobs in these states were submitted with these keys."""
    query = (
        select(func.count())
        .select_from(RemoteJob)
        .join(Job, col(Job.id) == col(RemoteJob.job_id))
        .where(col(RemoteJob.credential_id).in_(list(credential_ids)), col(Job.state).in_([str(s) for s in states]))
    )
    return (await session.exec(query)).one()


async def jobs_by_cluster(
    session: ReadSession, credential_ids: Collection[int], states: Iterable[JobState]
) -> dict[int, int]:
    """How many jobs in these states were submitted with these keys, by cluster."""
    query = (
        select(col(Job.cluster_id), func.count())
        .join(RemoteJob, col(Job.id) == col(RemoteJob.job_id))
        .where(col(RemoteJob.credential_id).in_(list(credential_ids)), col(Job.state).in_([str(s) for s in states]))
        .group_by(col(Job.cluster_id))
    )
    return dict((await session.exec(query)).all())


async def jobs_submitted(
    session: ReadSession, way: Submitter, states: Iterable[JobState], attention_not: str
) -> list[Job]:
    """Jobs in these states that were submitted so, and whose attention says something else."""
    cluster_id, owner_id, credential_id, account = way
    query = (
        select(Job)
        .join(RemoteJob, col(RemoteJob.job_id) == col(Job.id))
        .where(
            Job.cluster_id == cluster_id,
            Job.owner_id == owner_id,
            RemoteJob.credential_id == credential_id,
            RemoteJob.account == account,
            Job.attention != attention_not,
            col(Job.state).in_([str(state) for state in states]),
        )
    )
    return list((await session.exec(query)).all())
