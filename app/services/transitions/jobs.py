"""The one place where the state of a job changes, from its first one to its last.

A change is the row, its line in the job's history, the event that open pages hear, and a word to whoever waits for the end of
the job: workflows and sweeps. All of it happens here, in the caller's transaction and in a constant number of statements, so
that nobody can do one part and forget another. What becomes of a job without a change of state (its priority, its place, its
cluster) is written by `amend_jobs`, with its history and its event too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.crystal.files import outputs_of, writes_scf_log
from app.db.engine import insert_rows
from app.db.repositories import batches, jobs, workflows
from app.db.sessions import WriteSession
from app.db.tables import Job, JobEvent, now
from app.domain.states import FIRST, TERMINAL, JobState, check_first, check_transition
from app.events.outbox import announce_jobs
from app.workers.pauses import with_pauses


@dataclass(frozen=True)
class Move:
    """A transition to be made: the job as it was read, where it goes and why, and what else is set with it."""

    job: Job
    target: JobState
    message: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NewJob:
    """A job to be written, the state in which its life begins, and the first line of its history."""

    job: Job
    state: JobState
    message: str


async def begin_jobs(session: WriteSession, beginnings: Sequence[NewJob], *, actor: str) -> None:
    """Write new jobs with the first line of their history.

    Args:
        actor: name of the user who asked for them.

    Raises:
        ValueError: no job begins in this state.
    """
    events = []
    async for new in with_pauses(beginnings):
        check_first(FIRST, "job", new.state)
        new.job.state = str(new.state)
        new.job.outputs, new.job.scf_log = outputs_of(new.job.decks), writes_scf_log(new.job.decks)
        events.append(JobEvent(job_id=new.job.id, to_state=str(new.state), message=new.message, actor=actor))
    await insert_rows(session, [new.job for new in beginnings])
    await insert_rows(session, events)
    await announce_jobs(session, [new.job for new in beginnings])
    session.has_work |= any(new.state is JobState.QUEUED for new in beginnings)


async def transition_job(
    session: WriteSession, job: Job, target: JobState, message: str, *, actor: str = "", **changes: object
) -> bool:
    """Move one job; see `transition_jobs`. False: another one moved it first."""
    return bool(await transition_jobs(session, [Move(job, target, message, changes)], actor=actor))


async def transition_jobs(session: WriteSession, moves: Sequence[Move], *, actor: str = "") -> list[Move]:
    """Move jobs by compare-and-set, write their history, tell open pages, and wake what waits for their end.

    Writers are serialised, so a state that is read in this transaction still holds when it is written.

    Args:
        actor: name of the user who asked for it; empty: the service itself found it out.

    Returns:
        The moves that were made; the others lost to somebody who was quicker.

    Raises:
        Conflict: the table of transitions does not allow one of them; nothing was written.
    """
    for move in moves:
        check_transition(move.job.id, JobState(move.job.state), move.target)
    states = await jobs.states_of(session, [move.job.id for move in moves])
    made = [move for move in moves if states.get(move.job.id) == move.job.state]
    if not made:
        return []
    moment = now()
    events = [
        JobEvent(
            job_id=move.job.id,
            at=moment,
            from_state=move.job.state,
            to_state=str(move.target),
            message=move.message,
            actor=actor,
        )
        for move in made
    ]
    await jobs.write_states(
        session,
        [
            (move.job, {"reason": move.message, "updated_at": moment, **move.changes, "state": str(move.target)})
            for move in made
        ],
    )
    await insert_rows(session, events)
    await announce_jobs(session, [move.job for move in made])
    # A job that goes back to the queue after a submission was refused or broken off has its own pause.
    session.has_work |= any(
        move.target in TERMINAL or (move.target is JobState.QUEUED and event.from_state != JobState.STAGING)
        for move, event in zip(made, events, strict=True)
    )
    if ended := [move.job for move in made if move.target in TERMINAL]:
        await workflows.wake_for_jobs(session, [job.id for job in ended])
        await batches.wake_for_jobs(session, {job.batch_id for job in ended if job.batch_id})
    return made


async def amend_jobs(
    session: WriteSession, changes: Sequence[tuple[Job, Mapping[str, Any]]], message: str, *, actor: str
) -> None:
    """Change something of jobs other than their state, write it into their history, and tell open pages.

    Args:
        changes: each job with its columns and their new values. The rows that the caller holds are not touched.
        message: the line in the history of every one of them.

    Raises:
        ValueError: a state is among the changes.
    """
    moment = now()
    await jobs.update_jobs(session, {job.id: {"updated_at": moment, **values} for job, values in changes})
    await insert_rows(session, [JobEvent(job_id=job.id, message=message, actor=actor) for job, _ in changes])
    await announce_jobs(session, [job for job, _ in changes])
