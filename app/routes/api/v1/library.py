"""The group's library over REST: files to attach, basis sets, templates of one's own."""

from __future__ import annotations

from fastapi import APIRouter, UploadFile

from app.routes.api.v1.schemas.jobs import BasisText, BasisVersion, StoredReference, TemplateTexts, TemplateVersion
from app.routes.deps import ActorDep, ContextDep
from app.services.catalogue import basis_sets
from app.services.catalogue import templates as library
from app.services.jobs.attachments import MAX_UPLOAD, keep_upload

router = APIRouter(prefix="/api/v1", tags=["library"])


@router.post("/files", status_code=201)
async def upload_file(context: ContextDep, actor: ActorDep, file: UploadFile) -> StoredReference:
    """Keep a file; the reference in the answer is what a file parameter takes."""
    reference = await keep_upload(context, actor, file.filename or "", await file.read(MAX_UPLOAD + 1))
    return StoredReference(reference=reference)


@router.get("/basis-sets")
async def list_basis_sets(context: ContextDep, actor: ActorDep) -> list[BasisVersion]:
    """The group's basis sets with their provenance."""
    return [
        BasisVersion(
            name=entry.row.name,
            version=entry.row.version,
            elements=entry.elements.split(),
            source=entry.row.source,
            author=entry.author,
            created_at=entry.row.created_at,
        )
        for entry in await basis_sets.entries(context, actor)
    ]


@router.post("/basis-sets", status_code=201)
async def save_basis_set(context: ContextDep, actor: ActorDep, body: BasisText) -> TemplateVersion:
    """Keep a basis set in CRYSTAL format; occupations are filled in where they do not make a neutral atom."""
    row = await basis_sets.save(context, actor, body.name, body.text, body.source)
    return TemplateVersion(id=row.name, version=row.version)


@router.post("/templates", status_code=201)
async def save_template(context: ContextDep, actor: ActorDep, body: TemplateTexts) -> TemplateVersion:
    """Keep a new version of a template: `template.toml` and its Jinja files by name."""
    row = await library.save_template(context, actor, body.files, body.comment, expected=body.expected_version)
    return TemplateVersion(id=row.template_id, version=row.version)
