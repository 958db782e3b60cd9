"""The queue as people see it: pauses of a cluster or of all, and why a job waits."""

from __future__ import annotations

import time

from app.db.repositories import clusters, queue
from app.db.tables import Job, RemoteJob, now
from app.domain.people.permissions import Actor, require
from app.domain.states import JobState, Priority
from app.errors import ClusterBroken
from app.events.model import Topic
from app.events.outbox import announce
from app.services.clusters.access import most_jobs
from app.services.clusters.registry import usable_cluster
from app.services.clusters.remote_accounts import cluster_settings
from app.services.context import Context

# -- pauses --------------------------------------------------------------------------------------------------------------


async def pause(context: Context, actor: Actor, name: str = "", reason: str = "") -> None:
    """Pause submission to a cluster, or (without a name) to all; running jobs continue.

    Raises:
        NotFound: no such cluster.
    """
    await _set_pause(
        context, actor, name, f"Paused by {actor.name}{f': {reason.strip()[:200]}' if reason.strip() else ''}."
    )


async def resume(context: Context, actor: Actor, name: str = "") -> None:
    """Resume submission to a cluster, or (without a name) to all.

    Raises:
        NotFound: no such cluster.
    """
    await _set_pause(context, actor, name, "")


async def _set_pause(context: Context, actor: Actor, name: str, words: str) -> None:
    require(actor, "cluster.change")
    async with context.database.write() as session:
        if name:
            cluster = await usable_cluster(session, name)
            cluster.paused = words
            session.add(cluster)
            announce(session, Topic.CLUSTER, cluster.name)
        else:
            await queue.set_pause(session, words)
            announce(session, Topic.CLUSTER, "")


async def waiting_lines(context: Context) -> list[str]:
    """What waits, cluster by cluster, in the order in which it will leave: for a terminal."""
    async with context.database.read() as session:
        waiting = await queue.all_waiting(session)
    return [
        f"{job_id}  {cluster:12} {list(Priority)[priority]:10} {owner:12} {state:7} {name}"
        for job_id, cluster, priority, owner, state, name in waiting
    ]


# -- why a job waits -----------------------------------------------------------------------------------------------------


async def explain(context: Context, actor: Actor, job: Job, remote: RemoteJob | None = None) -> list[str]:
    """Why a job has not begun yet, in plain words; empty for one that has.

    Args:
        remote: what its cluster knows of it, where it was submitted.
    """
    require(actor, "job.read")
    if job.state == JobState.HELD:
        return ["It is held. Release it to put it back in its place."]
    if job.state == JobState.SUBMITTED:
        return _in_the_scheduler(remote)
    if job.state != JobState.QUEUED:
        return []
    async with context.database.read() as session:
        cluster = await clusters.by_id(session, job.cluster_id)
        everywhere = await queue.pause_of_all(session)
        occupying = await queue.count_occupying_by_owner(session, job.cluster_id)
        ahead = await queue.ahead_of(session, job)
    assert cluster is not None
    try:
        settings = cluster_settings(cluster)
    except ClusterBroken as error:
        return [error.sentence]
    limit = most_jobs(settings)
    reasons = [words for words in (everywhere and f"All clusters: {everywhere}", cluster.paused) if words]
    if job.not_before is not None and job.not_before > now():
        reasons.append(f"It will start no earlier than {job.not_before:%d %b %Y %H:%M} UTC.")
    if cluster.problem:
        reasons.append(f"{cluster.name} cannot be reached: {cluster.problem}")
    limited = [
        budget
        for key, budget in context.budgets.items()
        if key.cluster_id == cluster.id
        and key.user_id in (None, job.owner_id)
        and budget.refused_until > time.monotonic()
    ]
    if limited:
        rest = max(budget.refused_until for budget in limited) - time.monotonic()
        reasons.append(f"{cluster.name} cannot take jobs now; the next attempt is in {rest:.0f} s.")
    if sum(occupying.values()) >= limit:
        reasons.append(
            f"{cluster.name} takes {limit} job{'s' if limit > 1 else ''} at a time, and has {sum(occupying.values())}."
        )
    most = settings.max_jobs_per_user
    if most and occupying.get(job.owner_id, 0) >= most:
        reasons.append(f"Its owner has {occupying[job.owner_id]} jobs there; {most} are allowed.")
    if ahead:
        order = " Within a priority, the user with the fewest jobs there goes next." if settings.fair_share else ""
        reasons.append(
            f"{ahead} job{'s' if ahead > 1 else ''} of this cluster come{'' if ahead > 1 else 's'} first.{order}"
        )
    if settings.submit_delay or settings.submit_per_minute:
        pace = [f"one every {settings.submit_delay:g} s"] if settings.submit_delay else []
        pace += [f"{settings.submit_per_minute} per minute"] if settings.submit_per_minute else []
        reasons.append(f"Submission to {cluster.name} is paced: {', '.join(pace)}.")
    return reasons or ["It is next and will be submitted within seconds."]


def _in_the_scheduler(remote: RemoteJob | None) -> list[str]:
    """What the batch system itself says, with its own forecast."""
    if remote is None:
        return []
    reasons = [remote.queue_reason] if remote.queue_reason else []
    if remote.expected_start is not None:
        reasons.append(f"The scheduler expects to start it on {remote.expected_start:%d %b %Y %H:%M} UTC.")
    return reasons
