"""Structures and decks over REST: what a file holds, what the textbook collection holds, what the checker says."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, UploadFile

from app.crystal.structures.importers import DEFAULT_TOLERANCE, MAX_BYTES
from app.domain.people.permissions import require
from app.library.structures import textbook
from app.routes.api.v1.schemas.composing import DeckFinding, DeckText, StructureRead, TextbookEntry
from app.routes.deps import ActorDep, ContextDep
from app.services.composing import decks

router = APIRouter(prefix="/api/v1", tags=["structures"])


@router.get("/structures")
async def list_structures(actor: ActorDep) -> list[TextbookEntry]:
    """Textbook crystals, each with the parameters that a bulk template takes."""
    require(actor, "template.read")
    return [TextbookEntry(id=c.key, label=c.label, parameters=c.parameters) for c in textbook().values()]


@router.post("/structures")
async def read_structure(
    context: ContextDep,
    actor: ActorDep,
    file: UploadFile,
    tolerance: Annotated[float, Form()] = DEFAULT_TOLERANCE,
    kind: Annotated[Literal["", "crystal", "slab", "polymer", "molecule"], Form()] = "",
    symmetry: Annotated[bool, Form()] = True,
    block: Annotated[str, Form(max_length=200)] = "",
    variant: Annotated[str, Form(max_length=400)] = "",
) -> StructureRead:
    """Read a CIF, POSCAR, extended XYZ, fort.34 or CRYSTAL output into the structure's parameters of a template.

    `block` chooses among the structures of a CIF, which the answer lists as `blocks`; without it the first is read.
    `variant` chooses among the ordered variants of a partly occupied structure, which a refusal without it lists.
    """
    require(actor, "job.create")
    data = await file.read(MAX_BYTES + 1)
    found = await context.structures.read(
        actor.user_id, data, file.filename or "", tolerance, kind, symmetry=symmetry, block=block, variant=variant
    )
    return StructureRead(
        format=found.format,
        kind=found.structure.kind,
        group=found.group,
        symbol=found.symbol,
        tolerance=found.tolerance,
        atoms_in_file=found.atoms_in_file,
        atoms_in_primitive_cell=sum(found.structure.multiplicities),
        notes=list(found.notes),
        block=found.block,
        blocks=list(found.blocks),
        variant=found.variant,
        variants=list(found.variants),
        parameters=found.parameters,
    )


@router.post("/decks/check")
async def check(context: ContextDep, actor: ActorDep, body: DeckText) -> list[DeckFinding]:
    """What the deck checker says of a deck, by line."""
    found = await decks.check(context, actor, body.text, body.role, body.files)
    return [DeckFinding(**vars(finding)) for finding in found]
