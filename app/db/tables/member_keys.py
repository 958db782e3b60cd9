"""The table of members' keys on clusters."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from app.db.tables.keys import stored_id

_CURRENT = text("retired_at IS NULL")


class Credential(SQLModel, table=True):
    """A key pair of one user for one account on one cluster; the private half is encrypted with the service's master key.

    Rows never change to another account or key. A new key retires the one before, which is kept while jobs need it.
    """

    __tablename__ = "credentials"
    __table_args__ = (
        Index(
            "ix_credentials_current",
            "cluster_id",
            "user_id",
            unique=True,
            sqlite_where=_CURRENT,
            postgresql_where=_CURRENT,
        ),
    )

    id: int = stored_id()
    cluster_id: int = Field(foreign_key="clusters.id")
    user_id: int = Field(foreign_key="users.id", index=True)
    username: str
    public_key: str = Field(sa_column=Column(Text, nullable=False))
    private_key: str = Field(sa_column=Column(Text, nullable=False))
    """Empty once it was thrown away: no connection is opened with this row any more."""
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    accepted_at: datetime | None = None
    """When the cluster first accepted it."""
    retired_at: datetime | None = None
    """When its owner replaced or removed it."""
