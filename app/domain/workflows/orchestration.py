"""What a running workflow does next, from the states of its steps and tasks. Pure: no clock, no database.

A step is `waiting`, `running`, `asking`, or ended: `completed`, `failed`, `skipped`, `cancelled`. A task, one job of a step,
is `ready` (to be made), `active`, `later` (waits before it is tried again), `asking`, or ended in one of the same ways.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.domain.workflows.definition import WorkflowSpec

ENDED = frozenset({"completed", "failed", "skipped", "cancelled"})
RUN_ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class Verdict:
    """A step that has ended, or that asks: its state and why."""

    state: str
    message: str = ""


def step_verdict(tasks: Sequence[str], on_failure: str) -> Verdict | None:
    """How a step stands by the states of its tasks; None: nothing changes."""
    counted = Counter(tasks)
    if any(counted[state] for state in ("ready", "active", "later")):
        return None
    if counted["asking"]:
        return Verdict("asking", "Waiting for a decision.")
    total = len(tasks)
    if counted["completed"] == total:
        return Verdict("completed")
    if counted["failed"] == 0 and counted["completed"] == 0 and counted["cancelled"]:
        return Verdict("cancelled", "Cancelled.")
    lost = total - counted["completed"]
    message = f"{lost} of {total} did not complete." if total > 1 else ""
    if on_failure == "continue":
        return Verdict(
            "completed" if counted["completed"] else "failed", f"{message} Dependent steps continue.".strip()
        )
    return Verdict("failed", message)


def passes(state: str, on_failure: str) -> bool:
    """May the steps that depend on this one begin?"""
    return state == "completed" or (state == "failed" and on_failure == "continue")


def blocked_by(spec: WorkflowSpec, parents: Iterable[str], states: Mapping[str, str]) -> str:
    """Why a waiting step will never begin; empty: nothing speaks against it."""
    for name in parents:
        state = states[name]
        if state in ENDED and not passes(state, spec.step(name).on_failure):
            return f"The step {name} {'was ' if state in ('skipped', 'cancelled') else ''}{state}."
    return ""


def may_begin(spec: WorkflowSpec, parents: Collection[str], states: Mapping[str, str]) -> bool:
    """All steps before it have ended well enough."""
    return all(passes(states[name], spec.step(name).on_failure) for name in parents)


def run_verdict(spec: WorkflowSpec, states: Mapping[str, str], messages: Mapping[str, str]) -> Verdict | None:
    """How a whole run ended; None: it goes on."""
    if any(state not in ENDED for state in states.values()):
        return None
    failed = [name for name in spec.names if states[name] == "failed"]
    fatal = [name for name in failed if spec.step(name).on_failure != "continue"]
    if fatal:
        return Verdict("failed", f"Failed: {', '.join(fatal)}.")
    if any(state == "cancelled" for state in states.values()):
        return Verdict("cancelled", "Cancelled.")
    remarks = [f"{', '.join(failed)} failed (allowed by the workflow)."] if failed else []
    skipped = [name for name in spec.names if states[name] == "skipped"]
    remarks += [f"{name} was skipped: {messages[name]}" for name in skipped[:3]]
    return Verdict("completed", " ".join(remarks))


def descendants(before: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """A step with all that depend on it, directly or through others; `before`: what each step waits for."""
    reached = {name}
    while True:
        more = {step for step, parents in before.items() if step not in reached and reached & set(parents)}
        if not more:
            return reached
        reached |= more
