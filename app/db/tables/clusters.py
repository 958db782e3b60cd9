"""The table of machines that run jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from app.db.tables.clock import now
from app.db.tables.keys import stored_id


class Cluster(SQLModel, table=True):
    """A machine that runs jobs. `settings` holds the keys of a `[clusters.<name>]` table.

    One that was removed stays, since its jobs name it; a new one may have its name, and is another machine.
    """

    __tablename__ = "clusters"
    __table_args__ = (
        Index(
            "uq_clusters_name",
            "name",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: int = stored_id()
    name: str = Field(index=True)
    settings: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    host_key: str = Field(default="", sa_column=Column(Text, nullable=False))
    proxy_host_key: str = Field(default="", sa_column=Column(Text, nullable=False))
    offered_key: str = Field(default="", sa_column=Column(Text, nullable=False))
    report: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON))
    reported_at: datetime | None = None
    problem: str = ""
    polled_at: datetime | None = None
    partitions: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Its partitions with their limits, as the scheduler last told them; see `domain.resources.Partition`."""
    program: str = ""
    """Name and release of its CRYSTAL, as the program last told them, such as `CRYSTAL23 1.0.1`; empty: not known."""
    paused: str = ""
    """Who paused it, and why, in words; empty: it takes jobs."""
    removed_at: datetime | None = None
    removed_by: str = ""
    created_at: datetime = Field(default_factory=now)
