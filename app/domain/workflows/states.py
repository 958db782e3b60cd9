"""The lives of a run, of its steps and of their tasks: states, and the tables of what may follow what."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """A run of a workflow."""

    RUNNING = "running"
    PAUSED = "paused"
    """No further step begins; existing jobs continue."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """One step of a run, by the states of its tasks once it has begun."""

    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"
    """Waiting for a user's decision."""
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class TaskState(StrEnum):
    """One job, one inner run or one set of values of a step."""

    READY = "ready"
    """Its job is to be created."""
    ACTIVE = "active"
    """Its job or its inner run is there and has not ended."""
    LATER = "later"
    """It waits before it is tried again."""
    ASKING = "asking"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_R, _S, _T = RunState, StepState, TaskState

RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    _R.RUNNING: frozenset({_R.PAUSED, _R.COMPLETED, _R.FAILED, _R.CANCELLED}),
    # Existing jobs continue during a pause, and may be the last ones.
    _R.PAUSED: frozenset({_R.RUNNING, _R.COMPLETED, _R.FAILED, _R.CANCELLED}),
    _R.COMPLETED: frozenset(),
    _R.FAILED: frozenset(),
    _R.CANCELLED: frozenset(),
}
STEP_TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    # Completed at once: taken over from an earlier run.
    _S.WAITING: frozenset({_S.RUNNING, _S.COMPLETED, _S.FAILED, _S.SKIPPED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.ASKING, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.ASKING: frozenset({_S.RUNNING, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.SKIPPED: frozenset(),
    _S.CANCELLED: frozenset(),
}
TASK_TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    # Completed at once: the same was computed before.
    _T.READY: frozenset({_T.ACTIVE, _T.COMPLETED, _T.ASKING, _T.FAILED, _T.CANCELLED}),
    # Back to ready with a remedy, later after a failure of the machine.
    _T.ACTIVE: frozenset({_T.READY, _T.LATER, _T.ASKING, _T.COMPLETED, _T.FAILED, _T.CANCELLED}),
    _T.LATER: frozenset({_T.READY, _T.CANCELLED}),
    _T.ASKING: frozenset({_T.READY, _T.FAILED, _T.CANCELLED}),
    _T.COMPLETED: frozenset(),
    _T.FAILED: frozenset(),
    _T.CANCELLED: frozenset(),
}

RUN_ENDED = frozenset(state for state, targets in RUN_TRANSITIONS.items() if not targets)
STEP_ENDED = frozenset(state for state, targets in STEP_TRANSITIONS.items() if not targets)
TASK_ENDED = frozenset(state for state, targets in TASK_TRANSITIONS.items() if not targets)
TASK_FIRST = TASK_ENDED | {TaskState.READY}
"""A task begins ready, or it has ended from the first: values, and what is taken over from an earlier run."""
