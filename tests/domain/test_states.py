"""Every table of transitions is whole: each state is there, each can be reached, and what has ended stays so."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from app.domain import batches, states
from app.domain.workflows import states as runs
from app.errors import Conflict

TABLES: dict[str, tuple[type[StrEnum], Any, Any]] = {
    "job": (states.JobState, states.TRANSITIONS, states.FIRST),
    "run": (runs.RunState, runs.RUN_TRANSITIONS, {runs.RunState.RUNNING}),
    "step": (runs.StepState, runs.STEP_TRANSITIONS, {runs.StepState.WAITING}),
    "task": (runs.TaskState, runs.TASK_TRANSITIONS, runs.TASK_FIRST),
    "batch": (batches.BatchState, batches.BATCH_TRANSITIONS, batches.BATCH_FIRST),
    "row": (batches.ItemState, batches.ITEM_TRANSITIONS, {batches.ItemState.NEW}),
    "receipt": (batches.ReceiptState, batches.RECEIPT_TRANSITIONS, batches.RECEIPT_FIRST),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_every_state_and_leads_to_it(name: str) -> None:
    kind, table, first = TABLES[name]
    assert set(table) == set(kind)
    reached = set(first)
    while more := {target for state in reached for target in table[state]} - reached:
        reached |= more
    assert reached == set(kind)


@pytest.mark.parametrize("name", TABLES)
def test_from_every_state_there_is_a_way_to_an_end(name: str) -> None:
    _, table, _ = TABLES[name]
    ending = {state for state, targets in table.items() if not targets}
    assert ending
    while more := {state for state, targets in table.items() if ending & set(targets)} - ending:
        ending |= more
    assert ending == set(table)


def test_what_is_forbidden_is_refused_in_words() -> None:
    with pytest.raises(Conflict, match=r"^Run r1 is completed and cannot become running\.$"):
        states.check_move(runs.RUN_TRANSITIONS, "Run r1", runs.RunState.COMPLETED, runs.RunState.RUNNING)


def test_no_life_begins_in_the_middle() -> None:
    with pytest.raises(ValueError, match="no receipt begins as done"):
        states.check_first(batches.RECEIPT_FIRST, "receipt", batches.ReceiptState.DONE)
