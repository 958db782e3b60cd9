"""How much is kept here of whom."""

from __future__ import annotations

from sqlalchemy import func
from sqlmodel import col, select

from app.db.sessions import ReadSession
from app.db.tables import Job, JobFile, StoredFile


async def bytes_of(session: ReadSession, user_id: int) -> int:
    """Bytes of the files of this user's jobs, and of uploads."""
    files = select(func.sum(JobFile.size)).join(Job, col(Job.id) == col(JobFile.job_id)).where(Job.owner_id == user_id)
    uploads = select(func.sum(StoredFile.size)).where(StoredFile.owner_id == user_id)
    return int((await session.exec(files)).one() or 0) + int((await session.exec(uploads)).one() or 0)
