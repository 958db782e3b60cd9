"""The lives of batches, of the rows that become jobs, and of the receipts of an action on many jobs."""

from __future__ import annotations

from enum import StrEnum


class BatchState(StrEnum):
    """A batch of jobs to be made, or an action on jobs that are there."""

    DRAFT = "draft"
    MAKING = "making"
    """Its rows become jobs."""
    MADE = "made"
    DISCARDED = "discarded"
    DOING = "doing"
    """An action is carried out, job by job."""
    DONE = "done"


class ItemState(StrEnum):
    """A row of a batch, from its first check to its job."""

    NEW = "new"
    """Not checked yet."""
    READY = "ready"
    KNOWN = "known"
    """It was computed before."""
    WRONG = "wrong"
    MADE = "made"
    """It became a job."""
    REUSED = "reused"
    """It is linked to the job that computed the same."""


class ReceiptState(StrEnum):
    """One job of an action: what became of it."""

    OPEN = "open"
    DONE = "done"
    LEFT = "left"
    """It could not take part; its message says why."""


_B, _I, _R = BatchState, ItemState, ReceiptState

BATCH_TRANSITIONS: dict[BatchState, frozenset[BatchState]] = {
    _B.DRAFT: frozenset({_B.MAKING, _B.DISCARDED}),
    _B.MAKING: frozenset({_B.MADE}),
    _B.MADE: frozenset(),
    _B.DISCARDED: frozenset(),
    _B.DOING: frozenset({_B.DONE}),
    _B.DONE: frozenset(),
}
ITEM_TRANSITIONS: dict[ItemState, frozenset[ItemState]] = {
    _I.NEW: frozenset({_I.READY, _I.KNOWN, _I.WRONG}),
    # Back to new when something of the row or of the whole batch is changed.
    _I.READY: frozenset({_I.NEW, _I.WRONG, _I.MADE}),
    # Ready when the other job is gone or failed meanwhile; made when it is computed all the same.
    _I.KNOWN: frozenset({_I.NEW, _I.READY, _I.WRONG, _I.MADE, _I.REUSED}),
    _I.WRONG: frozenset({_I.NEW}),
    _I.MADE: frozenset(),
    _I.REUSED: frozenset(),
}
RECEIPT_TRANSITIONS: dict[ReceiptState, frozenset[ReceiptState]] = {
    _R.OPEN: frozenset({_R.DONE, _R.LEFT}),
    _R.DONE: frozenset(),
    _R.LEFT: frozenset(),
}

RECEIPT_FIRST = frozenset({ReceiptState.OPEN, ReceiptState.LEFT})
BATCH_FIRST = frozenset({BatchState.DRAFT, BatchState.DOING})
UNFINISHED = frozenset({BatchState.MAKING, BatchState.DOING})
"""There is work left for the background."""
