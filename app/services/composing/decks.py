"""Decks that people hand in themselves: what the checker says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from app.crystal.decks.checker import check_deck
from app.crystal.decks.model import Finding
from app.crystal.decks.reading import oversize
from app.domain.people.permissions import Actor, require
from app.errors import FieldError, InvalidInput
from app.services.context import Context

MAX_FILES = 200
"""Names of files beside a deck."""


async def check(
    context: Context, actor: Actor, text: str, role: Literal["d12", "d3"] | None, files: Sequence[str] | None
) -> list[Finding]:
    """Findings of one deck, in the order of their lines.

    Raises:
        InvalidInput: it is too large to be a deck.
    """
    require(actor, "template.read")
    if reason := oversize(text):
        raise InvalidInput(
            f"The deck cannot be checked: {reason}.",
            hint="Remove what is not needed.",
            fields=[FieldError("text", reason)],
        )
    if files is not None and len(files) > MAX_FILES:
        raise InvalidInput(
            f"{len(files)} files were named for one deck.",
            hint=f"Name at most {MAX_FILES} files.",
            fields=[FieldError("files", f"may have at most {MAX_FILES} entries")],
        )
    return await context.workers.run(actor.user_id, check_deck, text, role, files)
