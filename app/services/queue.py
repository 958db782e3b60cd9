"""The queue under people's hands: hold, release, priority, order, scheduled start, pauses; and why a job waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import insert_rows
from app.db.repositories import clusters, jobs, queue
from app.db.repositories.jobs import JobFilter, Move
from app.db.tables import Cluster, Job, JobEvent, now
from app.domain.permissions import Actor, can, require
from app.domain.states import TERMINAL, JobState, Priority
from app.errors import FieldError, InvalidInput, NotFound
from app.events.model import Topic
from app.events.outbox import announce, announce_jobs
from app.services.access import cluster_settings
from app.services.context import Context
from app.services.submission import DEFAULT_LIMIT

MAX_JOBS = 10_000
"""Most jobs that one action takes."""
WAITING = (JobState.QUEUED, JobState.HELD, JobState.WAITING)


@dataclass(frozen=True)
class Outcome:
    """What an action did to one job: `done`, or the reason why not."""

    id: str
    name: str
    done: bool
    reason: str = ""


@dataclass(frozen=True)
class Selection:
    """Jobs by id, or all that match a filter."""

    ids: tuple[str, ...] = ()
    matching: JobFilter | None = None


ACTIONS = ("hold", "release", "priority", "first", "last", "start", "cancel")


async def act(context: Context, actor: Actor, action: str, selection: Selection, value: str = "") -> list[Outcome]:
    """Do one thing to many jobs in one transaction; a job that cannot take part stops none of the others.

    Args:
        value: of `priority` its name, of `start` an ISO 8601 time (empty: as soon as possible).

    Raises:
        InvalidInput: no such action or value, or too many jobs.
    """
    require(actor, "job.create")
    wanted = _value_of(action, value)
    async with context.database.write() as session:
        rows = await _selected(session, selection)
        able = []
        outcomes: dict[str, Outcome] = {}
        for job in rows:
            reason = _refusal(actor, job, action)
            outcomes[job.id] = Outcome(job.id, job.name, not reason, reason)
            if not reason:
                able.append(job)
        await _apply(session, actor, action, able, wanted)
        await announce_jobs(session, able)
    for job_id in selection.ids:
        outcomes.setdefault(job_id, Outcome(job_id, "", False, "There is no such job."))
    if able:
        context.broker.wake()
    return list(outcomes.values())


async def count(context: Context, actor: Actor, selection: Selection) -> int:
    """How many jobs an action would be tried on."""
    require(actor, "job.read")
    async with context.database.read() as session:
        return len(await _selected(session, selection))


def _value_of(action: str, value: str) -> Any:
    if action not in ACTIONS:
        raise InvalidInput(f"There is no action {action[:40]!r}.", hint=f"Actions: {', '.join(ACTIONS)}.",
                           fields=[FieldError("action", f"must be one of {', '.join(ACTIONS)}", action[:40])])  # fmt: skip
    if action == "priority":
        if value not in set(Priority):
            raise InvalidInput(f"There is no priority {value[:40]!r}.", hint=f"Priorities: {', '.join(Priority)}.",
                               fields=[FieldError("value", f"must be one of {', '.join(Priority)}", value[:40])])  # fmt: skip
        return Priority(value).rank
    if action == "start" and value:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInput(f"{value[:40]!r} is no time.", hint="Give it as 2026-12-24T18:00 (UTC unless it says more).",
                               fields=[FieldError("value", "must be an ISO 8601 time", value[:40])]) from None  # fmt: skip
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


async def _selected(session: AsyncSession, selection: Selection) -> list[Job]:
    if selection.matching is not None:
        found = await queue.matching(session, selection.matching, MAX_JOBS + 1)
    else:
        if len(selection.ids) > MAX_JOBS:
            found = []
        else:
            known = await jobs.get_all(session, selection.ids)
            found = [known[job_id] for job_id in dict.fromkeys(selection.ids) if job_id in known]
    if len(found) > MAX_JOBS or len(selection.ids) > MAX_JOBS:
        raise InvalidInput(f"More than {MAX_JOBS} jobs were chosen.", hint="Narrow the filter.")
    return found


def _refusal(actor: Actor, job: Job, action: str) -> str:
    """Why this job cannot take part; empty: it can."""
    state = JobState(job.state)
    if not can(actor, "job.change", job.owner_id):
        return "It belongs to somebody else."
    if action == "cancel":
        if state in TERMINAL or state is JobState.FINISHING:
            return f"It has already ended ({state})."
        return "It is being cancelled already." if job.cancel_requested else ""
    if action == "hold":
        return "" if state in (JobState.QUEUED, JobState.WAITING) else f"It is {state}, not waiting in the queue."
    if action == "release":
        return "" if state is JobState.HELD else f"It is {state}, not held."
    return "" if state in WAITING else f"It is {state}: it has left the queue."


async def _apply(session: AsyncSession, actor: Actor, action: str, rows: Sequence[Job], wanted: Any) -> None:
    if not rows:
        return
    match action:
        case "hold":
            await jobs.transition_all(
                session, [Move(job, JobState.HELD, f"Held by {actor.name}.") for job in rows], actor=actor.name
            )
        case "release":
            message = "Waiting to be handed to the cluster."
            await jobs.transition_all(session, [Move(job, JobState.QUEUED, message) for job in rows], actor=actor.name)
        case "cancel":
            await cancel_rows(session, actor, rows)
        case "priority":
            await _change(session, actor, rows, f"Priority {list(Priority)[wanted]}.", {"priority": wanted})
        case "start":
            words = f"Not before {wanted:%d %b %Y %H:%M} UTC." if wanted else "As soon as possible."
            await _change(session, actor, rows, words, {"not_before": wanted})
        case _:
            await _move(session, actor, rows, first=action == "first")


async def cancel_rows(session: AsyncSession, actor: Actor, rows: Sequence[Job]) -> None:
    """At once where a job was not handed over; else the batch system is asked."""
    here = [job for job in rows if JobState(job.state) in (*WAITING, JobState.DRAFT)]
    there = [job for job in rows if job not in here]
    ended = {"ended_at": now()}
    await jobs.transition_all(
        session, [Move(job, JobState.CANCELLED, f"Cancelled by {actor.name}.", ended) for job in here], actor=actor.name
    )
    if there:
        await _change(
            session, actor, there, "Cancellation requested.", {"cancel_requested": True, "reason": "Being cancelled."}
        )


async def _move(session: AsyncSession, actor: Actor, rows: Sequence[Job], *, first: bool) -> None:
    """Before or behind all others of the same cluster and priority, in the order that they have."""
    ends = await queue.ends(session)
    placed = []
    ordered = sorted(rows, key=lambda job: (job.place, job.id))
    for index, job in enumerate(ordered):
        low, high = ends.get((job.cluster_id, job.priority), (job.place, job.place))
        place = low - len(ordered) + index if first else high + 1 + index
        placed.append({"id": job.id, "place": place})
    await session.exec(update(Job), params=placed)
    words = f"Moved to the {'front' if first else 'end'} of its priority."
    await insert_rows(session, [JobEvent(job_id=job.id, message=words, actor=actor.name) for job in rows])


async def _change(
    session: AsyncSession, actor: Actor, rows: Sequence[Job], message: str, values: dict[str, Any]
) -> None:
    await session.exec(update(Job), params=[{"id": job.id, "updated_at": now(), **values} for job in rows])
    await insert_rows(session, [JobEvent(job_id=job.id, message=message, actor=actor.name) for job in rows])


# -- pauses --------------------------------------------------------------------------------------------------------------


async def pause(context: Context, actor: Actor, name: str = "", reason: str = "") -> None:
    """Hand over nothing more to a cluster, or (without a name) to any; what runs there goes on."""
    await _set_pause(
        context, actor, name, f"Paused by {actor.name}{f': {reason.strip()[:200]}' if reason.strip() else ''}."
    )


async def resume(context: Context, actor: Actor, name: str = "") -> None:
    await _set_pause(context, actor, name, "")


async def _set_pause(context: Context, actor: Actor, name: str, words: str) -> None:
    require(actor, "cluster.change")
    async with context.database.write() as session:
        if name:
            cluster = await clusters.by_name(session, name)
            if cluster is None:
                raise NotFound(f"There is no cluster {name[:60]!r}.", hint="See the list of clusters.")
            cluster.paused = words
            session.add(cluster)
            announce(session, Topic.CLUSTER, cluster.name)
        else:
            await queue.set_pause(session, words)
            announce(session, Topic.CLUSTER, "")
    context.broker.wake()


# -- why a job waits -----------------------------------------------------------------------------------------------------


async def explain(context: Context, actor: Actor, job: Job) -> list[str]:
    """Why a queued job has not been handed over, in plain words; empty for any other state."""
    require(actor, "job.read")
    if job.state == JobState.HELD:
        return ["It is held. Release it, and it takes its place again."]
    if job.state != JobState.QUEUED:
        return []
    async with context.database.read() as session:
        cluster = await session.get(Cluster, job.cluster_id)
        everywhere = await queue.pause_of_all(session)
        there = await queue.there(session, job.cluster_id)
        ahead = await queue.ahead_of(session, job)
    assert cluster is not None
    settings = cluster_settings(cluster)
    limit = settings.max_jobs or DEFAULT_LIMIT[settings.runner_type]
    reasons = [words for words in (everywhere and f"All clusters: {everywhere}", cluster.paused) if words]
    if job.not_before is not None and job.not_before > now():
        reasons.append(f"It may not start before {job.not_before:%d %b %Y %H:%M} UTC.")
    if cluster.problem:
        reasons.append(f"{cluster.name} cannot be reached: {cluster.problem}")
    if sum(there.values()) >= limit:
        reasons.append(
            f"{cluster.name} takes {limit} job{'s' if limit > 1 else ''} at a time, and has {sum(there.values())}."
        )
    own = settings.max_jobs_per_user
    if own and there.get(job.owner_id, 0) >= own:
        reasons.append(f"Its owner has {there[job.owner_id]} jobs there; {own} are allowed.")
    if ahead:
        order = " Within a priority whoever has fewest jobs there comes next." if settings.fair_share else ""
        reasons.append(
            f"{ahead} job{'s' if ahead > 1 else ''} of this cluster come{'' if ahead > 1 else 's'} first.{order}"
        )
    if settings.submit_delay or settings.submit_per_minute:
        pace = [f"one every {settings.submit_delay:g} s"] if settings.submit_delay else []
        pace += [f"{settings.submit_per_minute} in a minute"] if settings.submit_per_minute else []
        reasons.append(f"Jobs are handed to {cluster.name} slowly: {', '.join(pace)}.")
    return reasons or ["It is next: it leaves within seconds."]
