"""Which revisions of templates were looked through."""

from __future__ import annotations

from sqlmodel import select

from app.db.sessions import ReadSession
from app.db.tables import TemplateReview


async def all_reviews(session: ReadSession) -> dict[tuple[str, str], TemplateReview]:
    """By template and revision."""
    return {(row.template_id, row.revision): row for row in (await session.exec(select(TemplateReview))).all()}


async def review(session: ReadSession, template_id: str, revision: str) -> TemplateReview | None:
    """The review of one revision of a template."""
    query = select(TemplateReview).where(TemplateReview.template_id == template_id, TemplateReview.revision == revision)
    return (await session.exec(query)).first()
