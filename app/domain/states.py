"""The life of a job: its states and the one table of allowed transitions; and what holds for every such table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeVar

from app.errors import Conflict, FieldError, InvalidInput


class JobState(StrEnum):
    """Where a job is in its life; see `TRANSITIONS` for what may follow."""

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
    # Back to the queue only while nothing was submitted to the batch system.
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


def check_transition(job: str, current: JobState, target: JobState) -> None:
    """Raise Conflict unless `job` may go from `current` to `target`."""
    check_move(TRANSITIONS, f"Job {job}", current, target)


State = TypeVar("State", bound=StrEnum)


def check_move(table: Mapping[State, Collection[State]], what: str, current: State, target: State) -> None:
    """Raise Conflict unless `table` lets `what`, the name of a job, a run or the like, go from `current` to `target`."""
    if target not in table[current]:
        raise Conflict(
            f"{what} is {current} and cannot become {target}.",
            hint=f"Reload the page: the {what.partition(' ')[0].lower()} has moved on since you looked.",
        )


def check_first(states: Collection[State], what: str, state: State) -> None:
    """Raise ValueError unless the life of a `what` may begin in `state`."""
    if state not in states:
        raise ValueError(f"no {what} begins as {state}")


class Priority(StrEnum):
    """How early a waiting job is served; higher priorities always go first."""

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


def read_priority(word: str, field: str = "priority") -> Priority:
    """The priority of this name.

    Raises:
        InvalidInput: there is none; names the `field` that held the word.
    """
    if word not in PRIORITIES:
        names = ", ".join(PRIORITIES)
        raise InvalidInput(
            f"There is no priority {word[:40]!r}.",
            hint=f"Priorities: {names}.",
            fields=[FieldError(field, f"must be one of {names}", word[:40])],
        )
    return Priority(word)
