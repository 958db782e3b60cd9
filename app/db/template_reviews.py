"""The table of templates that a maintainer has looked through."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel


class TemplateReview(SQLModel, table=True):
    """Somebody who may read one revision of a template and found it in order. A change makes another revision."""

    __tablename__ = "template_reviews"
    __table_args__ = (UniqueConstraint("template_id", "revision"),)

    id: int | None = Field(default=None, primary_key=True)
    template_id: str
    revision: str
    reviewer_id: int = Field(foreign_key="users.id")
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
