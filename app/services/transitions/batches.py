"""Where the states of batches, of their rows and of the receipts of an action change; see `runs` for what makes it safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.db.repositories import batches
from app.db.savepoints import require_current
from app.db.sessions import WriteSession
from app.db.tables import Batch, BatchItem, now
from app.domain.batches import (
    BATCH_FIRST,
    BATCH_TRANSITIONS,
    ITEM_TRANSITIONS,
    RECEIPT_FIRST,
    RECEIPT_TRANSITIONS,
    BatchState,
    ItemState,
    ReceiptState,
)
from app.domain.states import check_first, check_move
from app.events.model import Topic
from app.events.outbox import announce


def begin_batch(batch: Batch, state: BatchState) -> Batch:
    """A new batch in the state in which its life begins.

    Raises:
        ValueError: no batch begins so.
    """
    check_first(BATCH_FIRST, "batch", state)
    batch.state = state.value
    return batch


def move_batch(session: WriteSession, batch: Batch, target: BatchState) -> None:
    """Move a batch, and tell open pages.

    Raises:
        Conflict: the table of transitions does not allow it.
    """
    require_current(session, batch)
    check_move(BATCH_TRANSITIONS, f"Batch {batch.id}", BatchState(batch.state), target)
    batch.state, batch.updated_at = target.value, now()
    session.add(batch)
    announce(session, Topic.BATCH, batch.id)


def move_item(
    session: WriteSession, item: BatchItem, target: ItemState, message: str = "", job_id: str | None = None
) -> None:
    """Move a row of a batch; one that is checked anew while it is new stays so.

    Args:
        job_id: the job that it became, or that computed the same.

    Raises:
        Conflict: the table of transitions does not allow it.
    """
    require_current(session, item)
    current = ItemState(item.state)
    if target is not current:
        check_move(ITEM_TRANSITIONS, f"Row {item.position} of batch {item.batch_id}", current, target)
    item.state, item.message = target.value, message
    item.job_id = job_id or item.job_id
    session.add(item)


async def renew_items(session: WriteSession, batch_id: str) -> None:
    """Let all rows that are not jobs yet be checked again."""
    await batches.renew(session, batch_id, ItemState.NEW)


def begin_receipt(item: BatchItem, state: ReceiptState, message: str = "") -> BatchItem:
    """A new receipt of an action: open, or left out from the first.

    Raises:
        ValueError: no receipt begins so.
    """
    check_first(RECEIPT_FIRST, "receipt", state)
    item.state, item.message = state.value, message
    return item


async def move_receipts(
    session: WriteSession, items: Sequence[BatchItem], outcomes: Mapping[int, tuple[ReceiptState, str]]
) -> None:
    """Write what became of the jobs of an action, in one statement.

    Args:
        outcomes: state and message of each, by its position.

    Raises:
        Conflict: the table of transitions does not allow one of them; nothing was written.
    """
    rows = []
    for item in items:
        require_current(session, item)
        target, message = outcomes[item.position]
        check_move(RECEIPT_TRANSITIONS, f"Receipt {item.position}", ReceiptState(item.state), target)
        rows.append({"id": item.id, "state": target.value, "message": message})
    await batches.write_receipts(session, rows)
