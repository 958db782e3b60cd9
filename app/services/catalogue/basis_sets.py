"""The group's own basis sets: saved as versions with author, time and source, never overwritten."""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass
from typing import Any

from app.crystal.decks.basis_sets import BasisError
from app.crystal.elements import SYMBOLS, atomic_number
from app.db.repositories import library, users
from app.db.tables import LibraryBasis
from app.domain.people.permissions import Actor, require
from app.errors import (
    Conflict,
    FieldError,
    InvalidInput,
    NotFound,
    WorkStopped,
)
from app.library.drafting import read_set
from app.library.templates import OwnBasis
from app.services.catalogue.templates import SECONDS, refresh
from app.services.context import Context


@dataclass(frozen=True)
class BasisEntry:
    """A basis set of the library with its provenance."""

    row: LibraryBasis
    author: str
    elements: str
    notes: tuple[str, ...]


async def entries(context: Context, actor: Actor) -> list[BasisEntry]:
    """All basis sets of the group, by name, with what is wrong with each."""
    require(actor, "template.read")
    await refresh(context)
    async with context.database.read() as session:
        rows, names = await library.basis_sets(session), await users.names(session)
    entries = []
    for row in rows:
        known = context.templates.saved.basis.get(row.name, OwnBasis(row.text))
        elements = " ".join(SYMBOLS[z] for z in sorted(known.numbers))
        notes = (known.fault,) if known.fault else known.notes
        entries.append(BasisEntry(row, names.get(row.author_id, "?"), elements, notes))
    return entries


async def save(context: Context, actor: Actor, name: str, text: str, source: str) -> LibraryBasis:
    """Keep a basis set with its provenance.

    Raises:
        InvalidInput: names the field, and the line of the text.
    """
    require(actor, "template.create")
    wrong = []
    name = name.strip()
    if not 1 <= len(name) <= 60 or not name.isprintable() or not name.isascii():
        wrong.append(FieldError("name", "must be 1 to 60 printable ASCII characters", name[:60]))
    if not source.strip():
        wrong.append(FieldError("source", "must name the source of the set: a citation or a web address"))
    try:
        await context.workers.run(actor.user_id, read_set, text, seconds=SECONDS)
    except (BasisError, WorkStopped) as error:
        wrong.append(FieldError("text", str(error)))
    if wrong:
        reasons = "; ".join(f"{entry.field} {entry.reason}" for entry in wrong)
        raise InvalidInput(
            f"The basis set cannot be saved: {reasons}.",
            hint="Correct the named fields; nothing was saved.",
            fields=wrong,
        )
    async with context.database.write() as session:
        last = next(iter(await library.basis_history(session, name)), None)
        if last is not None and not last.removed:
            require(actor, "template.change", last.author_id)
        row = LibraryBasis(
            name=name,
            version=(last.version if last else 0) + 1,
            text=text.replace("\r\n", "\n"),
            source=source.strip()[:1000],
            author_id=actor.user_id,
        )
        session.add(row)
    await refresh(context)
    return row


async def remove(context: Context, actor: Actor, name: str) -> None:
    """Take a basis set out of the library; its versions stay."""
    async with context.database.write() as session:
        last = next(iter(await library.basis_history(session, name)), None)
        if last is None or last.removed:
            raise NotFound(f"The library has no basis set {name[:60]!r}.", hint="See the list of basis sets.")
        require(actor, "template.change", last.author_id)
        session.add(
            LibraryBasis(
                name=name,
                version=last.version + 1,
                text=last.text,
                source=last.source,
                removed=True,
                author_id=actor.user_id,
            )
        )
    await refresh(context)


async def fetch(context: Context, actor: Actor, name: str, elements: str) -> LibraryBasis:
    """Take a set from the Basis Set Exchange's package, which an admin may have installed.

    Raises:
        Conflict: the package is not installed. InvalidInput: no such set, or not for these elements.
    """
    require(actor, "template.create")
    try:
        numbers = sorted({atomic_number(part) for part in elements.replace(",", " ").split()})
    except ValueError as error:
        raise InvalidInput(
            f"The list of elements is invalid: {error}.",
            hint="Enter symbols, such as Mg O.",
            fields=[FieldError("elements", str(error), elements[:60])],
        ) from error
    text, source, known_as = await asyncio.to_thread(_from_exchange, name.strip(), numbers)
    return await save(context, actor, known_as, text, source)


def _from_exchange(name: str, numbers: list[int]) -> tuple[str, str, str]:
    try:
        exchange: Any = importlib.import_module("basis_set_exchange")
    except ImportError as error:
        raise Conflict(
            "The Basis Set Exchange package is not installed on this server.",
            hint="An admin can install it: pip install 'crystaldeck[basis]'. Until then, paste the basis set.",
        ) from error
    try:
        text = exchange.get_basis(name, elements=numbers or None, fmt="crystal")
        facts = exchange.get_basis(name, elements=numbers or None)
    except (KeyError, RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"The Basis Set Exchange has no {name[:60]!r} for these elements: {str(error).strip(chr(39))[:200]}.",
            hint="Look it up on basissetexchange.org.",
            fields=[FieldError("name", "is not available", name[:60])],
        ) from error
    version = f"version {facts.get('version', '?')}, {facts.get('revision_description', '')}".rstrip(", ")
    return text, f"Basis Set Exchange {exchange.version()}: {facts['name']}, {version}", str(facts["name"])
