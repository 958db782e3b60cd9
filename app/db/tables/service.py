"""Tables of the service itself: uploads, drafts, events to be told, answers already given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.db.tables.clock import now
from app.db.tables.keys import stored_id


class StoredFile(SQLModel, table=True):
    """A file that somebody uploaded; its bytes lie under its checksum."""

    __tablename__ = "stored_files"

    sha256: str = Field(primary_key=True)
    name: str
    size: int
    owner_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=now)


class ServiceState(SQLModel, table=True):
    """Facts about the whole service that must survive a restart, such as a pause of all clusters."""

    __tablename__ = "service_state"

    key: str = Field(primary_key=True)
    value: str = Field(default="", sa_column=Column(Text, nullable=False))


class FormDraft(SQLModel, table=True):
    """A form as somebody left it: one per user and template."""

    __tablename__ = "form_drafts"
    __table_args__ = (UniqueConstraint("user_id", "template_id"),)

    id: int = stored_id()
    user_id: int = Field(foreign_key="users.id")
    template_id: str
    form: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    updated_at: datetime = Field(default_factory=now)


class OutboxEvent(SQLModel, table=True):
    """What open pages and other processes are told; ids increase, so that a stream can be resumed."""

    __tablename__ = "outbox"

    id: int = stored_id()
    at: datetime = Field(default_factory=now, index=True)
    topic: str
    subject: str = ""
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class IdempotencyKey(SQLModel, table=True):
    """A key that a client sent with POST, with the digest of the request and the jobs that it made."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("user_id", "key"),)

    id: int = stored_id()
    user_id: int = Field(foreign_key="users.id")
    key: str
    digest: str
    job_ids: list[str] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(default_factory=now)
