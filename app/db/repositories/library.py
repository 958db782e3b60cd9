"""What the group made: templates and basis sets with all their versions, uploads, attachments, drafts of forms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import and_, func, or_
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import FormDraft, JobAttachment, LibraryBasis, LibraryTemplate, StoredFile, now


async def stamp(session: ReadSession) -> tuple[int, int]:
    """Changes whenever a template or a basis set does."""
    templates = (await session.exec(select(func.max(LibraryTemplate.id)))).one()
    sets = (await session.exec(select(func.max(LibraryBasis.id)))).one()
    return templates or 0, sets or 0


async def templates(session: ReadSession) -> list[LibraryTemplate]:
    """The last version of each template that was not removed."""
    newest = select(func.max(LibraryTemplate.id)).group_by(LibraryTemplate.template_id)
    query = select(LibraryTemplate).where(col(LibraryTemplate.id).in_(newest), col(LibraryTemplate.removed).is_(False))
    return list((await session.exec(query.order_by(LibraryTemplate.template_id))).all())


async def template_history(session: ReadSession, template_id: str) -> list[LibraryTemplate]:
    """All versions, the newest first."""
    query = select(LibraryTemplate).where(LibraryTemplate.template_id == template_id)
    return list((await session.exec(query.order_by(col(LibraryTemplate.version).desc()))).all())


async def basis_sets(session: ReadSession) -> list[LibraryBasis]:
    """The last version of each basis set that was not removed."""
    newest = select(func.max(LibraryBasis.id)).group_by(LibraryBasis.name)
    query = select(LibraryBasis).where(col(LibraryBasis.id).in_(newest), col(LibraryBasis.removed).is_(False))
    return list((await session.exec(query.order_by(LibraryBasis.name))).all())


async def basis_history(session: ReadSession, name: str) -> list[LibraryBasis]:
    """All versions of a basis set, the newest first."""
    query = select(LibraryBasis).where(LibraryBasis.name == name).order_by(col(LibraryBasis.version).desc())
    return list((await session.exec(query)).all())


async def stored_file(session: ReadSession, sha256: str) -> StoredFile | None:
    """An uploaded file by its checksum."""
    return await session.get(StoredFile, sha256)


async def stored_by(session: ReadSession, owner_id: int, limit: int = 50) -> list[StoredFile]:
    """Files that a user uploaded, the newest first."""
    query = select(StoredFile).where(StoredFile.owner_id == owner_id).order_by(col(StoredFile.created_at).desc())
    return list((await session.exec(query.limit(limit))).all())


async def attachments_of(session: ReadSession, job_ids: Collection[str]) -> dict[str, list[JobAttachment]]:
    """Files that jobs take along, by job id."""
    found: dict[str, list[JobAttachment]] = {}
    if job_ids:
        query = select(JobAttachment).where(col(JobAttachment.job_id).in_(job_ids)).order_by(JobAttachment.name)
        for row in (await session.exec(query)).all():
            found.setdefault(row.job_id, []).append(row)
    return found


async def taken_from(session: ReadSession, job_ids: Collection[str]) -> list[JobAttachment]:
    """Files of these jobs that other jobs took along."""
    if not job_ids:
        return []
    # Between `job:<id>/` and `job:<id>0` lies everything that begins with the former: an index can tell.
    ranges = [
        and_(col(JobAttachment.source) > f"job:{job_id}/", col(JobAttachment.source) < f"job:{job_id}0")
        for job_id in job_ids
    ]
    return list((await session.exec(select(JobAttachment).where(or_(*ranges)))).all())


async def draft(session: ReadSession, user_id: int, template_id: str) -> FormDraft | None:
    """The form of a template as a user left it."""
    query = select(FormDraft).where(FormDraft.user_id == user_id, FormDraft.template_id == template_id)
    return (await session.exec(query)).first()


async def drafts_of(session: ReadSession, user_id: int) -> Sequence[FormDraft]:
    """Forms that a user left, the newest first."""
    query = select(FormDraft).where(FormDraft.user_id == user_id).order_by(col(FormDraft.updated_at).desc())
    return (await session.exec(query)).all()


async def keep_draft(session: WriteSession, user_id: int, template_id: str, form: Mapping[str, str]) -> None:
    """Keep a form as a user leaves it."""
    row = await draft(session, user_id, template_id)
    if row is None:
        row = FormDraft(user_id=user_id, template_id=template_id, form={})
    row.form, row.updated_at = dict(form), now()
    session.add(row)


async def drop_draft(session: WriteSession, user_id: int, template_id: str) -> None:
    """Forget a form."""
    row = await draft(session, user_id, template_id)
    if row is not None:
        await session.delete(row)
