"""Tables of batches: many jobs from one template."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, Text
from sqlmodel import Field, SQLModel

from app.db.tables.clock import now
from app.db.tables.keys import stored_id
from app.domain.batches import BatchState, ItemState


class Batch(SQLModel, table=True):
    """Many things done at once, item by item: jobs to be made from one template, or an action on jobs that are there.

    `busy` while items wait to be worked off; a restart takes up where the items say.
    """

    __tablename__ = "batches"

    id: str = Field(primary_key=True)
    kind: str
    """`jobs` or `action`."""
    name: str
    owner_id: int = Field(foreign_key="users.id", index=True)
    state: str = BatchState.DRAFT.value
    busy: bool = Field(default=False, index=True)
    template_id: str = ""
    form: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """What is the same for all its jobs, as the composer's form has it."""
    naming: str = ""
    reuse: bool = True
    sweep: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    action: str = ""
    value: str = ""
    remark: str = Field(default="", sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(default_factory=now)
    updated_at: datetime = Field(default_factory=now)


class BatchItem(SQLModel, table=True):
    """One of them: a row that becomes a job (`ItemState`), or the receipt of a job on which an action is done (`ReceiptState`)."""

    __tablename__ = "batch_items"
    __table_args__ = (Index("ix_batch_items_work", "batch_id", "state", "position"),)

    id: int = stored_id()
    batch_id: str = Field(foreign_key="batches.id")
    position: int
    name: str = ""
    given: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Parameters that differ from the common ones; `resources.<key>` is a resource."""
    point: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    """Values on the axes of a sweep."""
    source: str = ""
    """An uploaded structure, as `upload:<sha256>/<name>`."""
    state: str = ItemState.NEW.value
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    digest: str = ""
    atoms: int = 0
    anyway: bool | None = None
    """Computed before: compute it again all the same? Empty: as the batch says."""
    job_id: str | None = Field(default=None, foreign_key="jobs.id", index=True)
