"""Structures and decks over REST: what a file holds, what the textbook collection holds, what the checker says."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, UploadFile

from app.crystal.checker import check_deck
from app.crystal.importers import DEFAULT_TOLERANCE, MAX_BYTES
from app.domain.permissions import require
from app.routes.api.v1.schemas import DeckFinding, DeckText, StructureRead, TextbookEntry
from app.routes.deps import ActorDep, ContextDep
from app.services.structures import textbook

router = APIRouter(prefix="/api/v1", tags=["structures"])


@router.get("/structures")
async def list_structures(actor: ActorDep) -> list[TextbookEntry]:
    """Textbook crystals, each with the parameters that a bulk template takes."""
    require(actor, "template.read")
    return [TextbookEntry(id=c.key, label=c.label, parameters=c.parameters) for c in textbook().values()]


@router.post("/structures")
async def read_structure(
    context: ContextDep, actor: ActorDep, file: UploadFile, tolerance: Annotated[float, Form()] = DEFAULT_TOLERANCE
) -> StructureRead:
    """Read a CIF, POSCAR, extended XYZ, fort.34 or CRYSTAL output into the parameters of a bulk template."""
    require(actor, "job.create")
    found = await context.structures.read(await file.read(MAX_BYTES + 1), file.filename or "", tolerance)
    return StructureRead(
        format=found.format,
        space_group=found.bulk.space_group,
        symbol=found.symbol,
        tolerance=found.tolerance,
        atoms_in_file=found.atoms_in_file,
        atoms_in_primitive_cell=sum(found.bulk.multiplicities),
        notes=list(found.notes),
        parameters=found.parameters,
    )


@router.post("/decks/check")
async def check(actor: ActorDep, body: DeckText) -> list[DeckFinding]:
    """What the deck checker says of a deck, by line."""
    require(actor, "template.read")
    role: Literal["d12", "d3"] | None = body.role
    return [DeckFinding(**vars(finding)) for finding in check_deck(body.text, role, body.files)]
