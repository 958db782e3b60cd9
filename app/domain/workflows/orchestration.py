"""What a running workflow does next, from the states of its steps and tasks. Pure: no clock, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.domain.workflows.definition import WorkflowSpec
from app.domain.workflows.states import STEP_ENDED, RunState, StepState, TaskState


@dataclass(frozen=True)
class StepVerdict:
    """A step that has ended, or that asks: its state and why."""

    state: StepState
    message: str = ""


@dataclass(frozen=True)
class RunVerdict:
    """How a run ended, and why."""

    state: RunState
    message: str = ""


def step_verdict(tasks: Sequence[str], on_failure: str) -> StepVerdict | None:
    """How a step stands by the states of its tasks; None: nothing changes."""
    counted = Counter(tasks)
    if any(counted[state] for state in (TaskState.READY, TaskState.ACTIVE, TaskState.LATER)):
        return None
    if counted[TaskState.ASKING]:
        return StepVerdict(StepState.ASKING, "Waiting for a decision.")
    total = len(tasks)
    completed = counted[TaskState.COMPLETED]
    if completed == total:
        return StepVerdict(StepState.COMPLETED)
    if counted[TaskState.FAILED] == 0 and completed == 0 and counted[TaskState.CANCELLED]:
        return StepVerdict(StepState.CANCELLED, "Cancelled.")
    lost = total - completed
    message = f"{lost} of {total} did not complete." if total > 1 else ""
    if on_failure == "continue":
        state = StepState.COMPLETED if completed else StepState.FAILED
        return StepVerdict(state, f"{message} Dependent steps continue.".strip())
    return StepVerdict(StepState.FAILED, message)


def passes(state: str, on_failure: str) -> bool:
    """May the steps that depend on this one begin?"""
    return state == StepState.COMPLETED or (state == StepState.FAILED and on_failure == "continue")


def blocked_by(spec: WorkflowSpec, parents: Iterable[str], states: Mapping[str, str]) -> str:
    """Why a waiting step will never begin; empty: nothing speaks against it."""
    for name in parents:
        state = states[name]
        if state in STEP_ENDED and not passes(state, spec.step(name).on_failure):
            was = "was " if state in (StepState.SKIPPED, StepState.CANCELLED) else ""
            return f"The step {name} {was}{state}."
    return ""


def may_begin(spec: WorkflowSpec, parents: Collection[str], states: Mapping[str, str]) -> bool:
    """All steps before it have ended well enough."""
    return all(passes(states[name], spec.step(name).on_failure) for name in parents)


def run_verdict(spec: WorkflowSpec, states: Mapping[str, str], messages: Mapping[str, str]) -> RunVerdict | None:
    """How a whole run ended; None: it has not ended."""
    if any(state not in STEP_ENDED for state in states.values()):
        return None
    failed = [name for name in spec.names if states[name] == StepState.FAILED]
    fatal = [name for name in failed if spec.step(name).on_failure != "continue"]
    if fatal:
        return RunVerdict(RunState.FAILED, f"Failed: {', '.join(fatal)}.")
    if any(state == StepState.CANCELLED for state in states.values()):
        return RunVerdict(RunState.CANCELLED, "Cancelled.")
    remarks = [f"{', '.join(failed)} failed (allowed by the workflow)."] if failed else []
    skipped = [name for name in spec.names if states[name] == StepState.SKIPPED]
    remarks += [f"{name} was skipped: {messages[name]}" for name in skipped[:3]]
    return RunVerdict(RunState.COMPLETED, " ".join(remarks))


def descendants(before: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """A step with all that depend on it, directly or through others; `before`: what each step waits for."""
    reached = {name}
    while True:
        more = {step for step, parents in before.items() if step not in reached and reached & set(parents)}
        if not more:
            return reached
        reached |= more
