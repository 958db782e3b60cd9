"""Tables of what the group saved: templates with their reviews, and basis sets."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import JSON, Column, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.db.tables.clock import now
from app.db.tables.keys import stored_id


class LibraryTemplate(SQLModel, table=True):
    """One version of a template that was made in the browser. Rows are never changed; the last one of an id counts."""

    __tablename__ = "library_templates"
    __table_args__ = (UniqueConstraint("template_id", "version"),)

    id: int = stored_id()
    template_id: str = Field(index=True)
    version: int
    texts: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    comment: str = ""
    removed: bool = False
    author_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=now)


class LibraryBasis(SQLModel, table=True):
    """One version of a basis set of the group's library, with its provenance. The last row of a name counts."""

    __tablename__ = "library_basis_sets"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: int = stored_id()
    name: str = Field(index=True)
    version: int
    text: str = Field(sa_column=Column(Text, nullable=False))
    source: str = Field(default="", sa_column=Column(Text, nullable=False))
    removed: bool = False
    author_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=now)


class TemplateReview(SQLModel, table=True):
    """Somebody who may read one revision of a template and found it in order. A change makes another revision."""

    __tablename__ = "template_reviews"
    __table_args__ = (UniqueConstraint("template_id", "revision"),)

    id: int = stored_id()
    template_id: str
    revision: str
    reviewer_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
