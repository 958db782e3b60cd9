"""The life of a job: its states and the one table of allowed transitions."""

from __future__ import annotations

from enum import StrEnum

from app.errors import Conflict


class JobState(StrEnum):
    DRAFT = "draft"
    WAITING = "waiting"
    QUEUED = "queued"
    HELD = "held"
    STAGING = "staging"
    SUBMITTED = "submitted"
    RUNNING = "running"
    FINISHING = "finishing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


_S = JobState

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    _S.DRAFT: frozenset({_S.QUEUED, _S.WAITING, _S.CANCELLED}),
    _S.WAITING: frozenset({_S.QUEUED, _S.HELD, _S.SKIPPED, _S.CANCELLED}),
    # Failed at once: what it brings can never be submitted.
    _S.QUEUED: frozenset({_S.STAGING, _S.HELD, _S.CANCELLED, _S.FAILED}),
    _S.HELD: frozenset({_S.QUEUED, _S.WAITING, _S.CANCELLED}),
    # Back to the queue only while nothing was handed to the batch system.
    _S.STAGING: frozenset({_S.QUEUED, _S.SUBMITTED, _S.FAILED, _S.CANCELLED}),
    _S.SUBMITTED: frozenset({_S.RUNNING, _S.FINISHING}),
    # A scheduler may put a running job back (requeue after a node failure).
    _S.RUNNING: frozenset({_S.SUBMITTED, _S.FINISHING}),
    _S.FINISHING: frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED, _S.RUNNING, _S.SUBMITTED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.SKIPPED: frozenset(),
}

FIRST = frozenset({_S.DRAFT, _S.QUEUED})
"""States in which a job may begin."""
TERMINAL = frozenset(state for state, targets in TRANSITIONS.items() if not targets)
ON_CLUSTER = frozenset({_S.SUBMITTED, _S.RUNNING, _S.FINISHING})
"""States in which the batch system knows, or knew, the job."""
OCCUPYING = ON_CLUSTER | {_S.STAGING}
"""States that count against a cluster's limit."""


def check_first(state: JobState) -> None:
    """Raise ValueError unless a job may begin in `state`."""
    if state not in FIRST:
        raise ValueError(f"no job begins as {state}")


def check_transition(job: str, current: JobState, target: JobState) -> None:
    """Raise Conflict unless `job` may go from `current` to `target`."""
    if target not in TRANSITIONS[current]:
        raise Conflict(
            f"Job {job} is {current} and cannot become {target}.",
            hint="Reload the page: the job has moved on since you looked.",
        )


class Priority(StrEnum):
    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
    BACKGROUND = "background"

    @property
    def rank(self) -> int:
        """0 is served first."""
        return PRIORITIES.index(self)


PRIORITIES = tuple(Priority)
"""In the order in which they are served; a rank is a place in it."""
