"""The group's own templates and basis sets: saved as versions with author and time, never overwritten."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.crystal.decks.basis_sets import BasisError
from app.crystal.elements import SYMBOLS, atomic_number
from app.db.repositories import library, users
from app.db.tables import LibraryBasis, LibraryTemplate
from app.domain.differences import step_by_step
from app.domain.people.permissions import Actor, require
from app.errors import (
    ConfigurationError,
    Conflict,
    CrystalDeckError,
    FieldError,
    InvalidInput,
    LimitReached,
    NotFound,
    WorkStopped,
)
from app.library.drafting import read_metadata, read_set
from app.library.template_files import METADATA, Template
from app.library.templates import Broken, OwnBasis, Rendering, Saved
from app.services.context import Context

MAX_TEXT = 200_000
MAX_FILES = 8
MAX_HISTORY = 40
"""Versions that are shown."""
SECONDS = 5.0
"""That reading the metadata of a template, or a basis set, may take."""
EVERYBODY = 0
"""Whose work it is to read what the group saved."""
RESERVED = ("new", "try", "basis", "schema")


@dataclass(frozen=True)
class Version:
    """One entry of a history, with the difference to the one before."""

    version: int
    author: str
    at: datetime
    comment: str
    removed: bool
    difference: str


@dataclass(frozen=True)
class Trial:
    """A template as its editor sees it: what is wrong with it, or what its example renders."""

    fault: str = ""
    template: Template | None = None
    rendering: Rendering | None = None


@dataclass(frozen=True)
class BasisEntry:
    """A basis set of the library with its provenance."""

    row: LibraryBasis
    author: str
    elements: str
    notes: tuple[str, ...]


async def refresh(context: Context) -> None:
    """Take over what was saved since the last look, also by other processes. One short query where nothing was."""
    async with context.database.read() as session:
        stamp = await library.stamp(session)
    if context.templates.stamp != stamp:
        async with context.refreshing:
            await _take_over(context, stamp)


async def _take_over(context: Context, stamp: tuple[int, int]) -> None:
    """Read what is new or changed in worker processes; what was known stays as it is."""
    if context.templates.stamp == stamp:
        return
    async with context.database.read() as session:
        stamp = await library.stamp(session)
        names = await users.names(session)
        made = {row.template_id: (row.texts, names.get(row.author_id, "?")) for row in await library.templates(session)}
        texts = {row.name: row.text for row in await library.basis_sets(session)}
    before = context.templates.saved
    saved = Saved()
    for template_id, (own, author) in made.items():
        known = before.templates.get(template_id)
        if not isinstance(known, Template) or (dict(known.texts), known.origin) != (own, author):
            known = await _read_template(context, template_id, own, author)
        saved.templates[template_id] = known
    for name, text in texts.items():
        kept = before.basis.get(name)
        saved.basis[name] = kept if kept is not None and kept.text == text else await _read_basis(context, text)
    context.templates.adopt(stamp, saved)


async def _read_template(
    context: Context, template_id: str, texts: Mapping[str, str], author: str
) -> Template | Broken:
    try:
        spec, revision = await context.workers.run(EVERYBODY, read_metadata, dict(texts), patient=True, seconds=SECONDS)
    except CrystalDeckError as error:
        return Broken(template_id, author, error.message)
    return Template(spec, revision, dict(texts), author)


async def _read_basis(context: Context, text: str) -> OwnBasis:
    try:
        numbers, notes = await context.workers.run(EVERYBODY, read_set, text, patient=True, seconds=SECONDS)
    except (BasisError, CrystalDeckError) as error:
        return OwnBasis(text, fault=str(error))
    return OwnBasis(text, numbers, notes)


# -- templates -----------------------------------------------------------------------------------------------------------


async def try_texts(context: Context, actor: Actor, texts: Mapping[str, str], author: str = "") -> Trial:
    """What the editor shows: the fault, or the example rendered."""
    require(actor, "template.create")
    try:
        _check_size(texts)
        spec, revision = await context.workers.run(actor.user_id, read_metadata, dict(texts), seconds=SECONDS)
    except LimitReached:
        raise
    except CrystalDeckError as error:
        return Trial(error.message)
    template = Template(spec, revision, dict(texts), author or actor.name)
    return Trial("", template, await context.renderer.try_template(actor.user_id, template, dict(spec.example)))


async def save_template(
    context: Context, actor: Actor, texts: Mapping[str, str], comment: str = "", *, expected: int | None = None
) -> LibraryTemplate:
    """Keep a new version of a template.

    Args:
        expected: the version that the author began with; None: whatever there is.

    Raises:
        InvalidInput: it cannot be read, or its example renders no deck. Conflict: somebody else was faster, or the id is
            that of a template of the installation. NotAllowed: it is somebody else's.
    """
    require(actor, "template.create")
    trial = await try_texts(context, actor, texts)
    if trial.template is None or trial.rendering is None:
        raise InvalidInput(
            trial.fault,
            hint="Nothing was saved; the text is as you left it.",
            fields=[FieldError(METADATA, trial.fault)],
        )
    if trial.rendering.errors or trial.rendering.message:
        told = trial.rendering.message or "; ".join(f"{e.field} {e.reason}" for e in trial.rendering.errors[:3])
        raise InvalidInput(
            f"The example makes no deck: {told}",
            hint="Give an [example] that the template renders.",
            fields=[FieldError("example", told)],
        )
    template_id = trial.template.spec.id
    if template_id in RESERVED:
        raise InvalidInput(
            f"A template cannot be called {template_id}.",
            hint="Give it another id.",
            fields=[FieldError("id", "is the name of a page", template_id)],
        )
    if context.templates.is_fixed(template_id):
        raise Conflict(f"{template_id} is a template of this installation.", hint="Give yours another id.")
    async with context.database.write() as session:
        history = await library.template_history(session, template_id)
        last = history[0] if history else None
        if last is not None and not last.removed:
            require(actor, "template.change", last.author_id)
        if expected is not None and expected != (last.version if last else 0):
            raise Conflict(
                f"{template_id} was changed meanwhile: version {last.version if last else 0} is newer than {expected}.",
                hint="Open the newest version, and put your change in there.",
            )
        row = LibraryTemplate(
            template_id=template_id,
            version=(last.version if last else 0) + 1,
            texts=dict(texts),
            comment=comment[:200],
            author_id=actor.user_id,
        )
        session.add(row)
    await refresh(context)
    return row


async def remove_template(context: Context, actor: Actor, template_id: str) -> None:
    """Take a template out of the library; its versions and the jobs made from it stay."""
    async with context.database.write() as session:
        last = next(iter(await library.template_history(session, template_id)), None)
        if last is None or last.removed:
            raise NotFound(f"The group has no template {template_id[:60]!r}.", hint="See the list of templates.")
        require(actor, "template.change", last.author_id)
        session.add(
            LibraryTemplate(
                template_id=template_id,
                version=last.version + 1,
                texts=last.texts,
                comment="Removed.",
                removed=True,
                author_id=actor.user_id,
            )
        )
    await refresh(context)


async def texts_of(context: Context, actor: Actor, template_id: str) -> tuple[dict[str, str], int]:
    """The texts of a template and its version; 0 for one of the installation. A broken one too."""
    require(actor, "template.read")
    async with context.database.read() as session:
        last = next(iter(await library.template_history(session, template_id)), None)
    if last is not None and not last.removed and not context.templates.is_fixed(template_id):
        return dict(last.texts), last.version
    return dict(context.templates.get(template_id).texts), 0


async def history(context: Context, actor: Actor, template_id: str) -> list[Version]:
    """The last versions of a template, the newest first, each with its difference to the one before."""
    require(actor, "template.read")
    async with context.database.read() as session:
        rows = (await library.template_history(session, template_id))[:MAX_HISTORY]
        names = await users.names(session)
    changes = await context.workers.run(actor.user_id, step_by_step, [row.texts for row in rows])
    return [
        Version(row.version, names.get(row.author_id, "?"), row.created_at, row.comment, row.removed, change)
        for row, change in zip(rows, changes, strict=True)
    ]


def _check_size(texts: Mapping[str, str]) -> None:
    if METADATA not in texts:
        raise ConfigurationError(f"The file {METADATA} is missing.", hint="Add it.")
    if len(texts) > MAX_FILES or sum(map(len, texts.values())) > MAX_TEXT:
        raise ConfigurationError(
            f"A template has at most {MAX_FILES} files and {MAX_TEXT // 1000} kB.", hint="Make it smaller."
        )
    for name in texts:
        if name != METADATA and not (name.endswith(".j2") and name.isprintable() and "/" not in name):
            raise ConfigurationError(
                f"The file {name[:60]!r} is no Jinja file of a template.", hint="Call it NAME.d12.j2."
            )


# -- basis sets ----------------------------------------------------------------------------------------------------------


async def basis_sets(context: Context, actor: Actor) -> list[BasisEntry]:
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


async def save_basis(context: Context, actor: Actor, name: str, text: str, source: str) -> LibraryBasis:
    """Keep a basis set with its provenance.

    Raises:
        InvalidInput: names the field, and the line of the text.
    """
    require(actor, "template.create")
    wrong = []
    name = name.strip()
    if not 1 <= len(name) <= 60 or not name.isprintable() or not name.isascii():
        wrong.append(FieldError("name", "must have 1 to 60 plain characters", name[:60]))
    if not source.strip():
        wrong.append(FieldError("source", "must say where the set is from: a citation or an address"))
    try:
        await context.workers.run(actor.user_id, read_set, text, seconds=SECONDS)
    except (BasisError, WorkStopped) as error:
        wrong.append(FieldError("text", str(error)))
    if wrong:
        told = "; ".join(f"{entry.field} {entry.reason}" for entry in wrong)
        raise InvalidInput(
            f"The basis set cannot be kept: {told}.", hint="Correct it; nothing was saved.", fields=wrong
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


async def remove_basis(context: Context, actor: Actor, name: str) -> None:
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


async def fetch_basis(context: Context, actor: Actor, name: str, elements: str) -> LibraryBasis:
    """Take a set from the Basis Set Exchange's package, which an admin may have installed.

    Raises:
        Conflict: the package is not installed. InvalidInput: no such set, or not for these elements.
    """
    require(actor, "template.create")
    try:
        numbers = sorted({atomic_number(part) for part in elements.replace(",", " ").split()})
    except ValueError as error:
        raise InvalidInput(
            f"The elements are wrong: {error}.",
            hint="Give symbols, such as Mg O.",
            fields=[FieldError("elements", str(error), elements[:60])],
        ) from error
    text, source, known_as = await asyncio.to_thread(_from_exchange, name.strip(), numbers)
    return await save_basis(context, actor, known_as, text, source)


def _from_exchange(name: str, numbers: list[int]) -> tuple[str, str, str]:
    try:
        exchange: Any = importlib.import_module("basis_set_exchange")
    except ImportError as error:
        raise Conflict(
            "The Basis Set Exchange is not installed here.",
            hint="An admin installs it with: pip install 'crystaldeck[basis]'. A set can be pasted meanwhile.",
        ) from error
    try:
        text = exchange.get_basis(name, elements=numbers or None, fmt="crystal")
        facts = exchange.get_basis(name, elements=numbers or None)
    except (KeyError, RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"The Basis Set Exchange does not give {name[:60]!r} for these elements: {str(error).strip(chr(39))[:200]}.",
            hint="Compare with basissetexchange.org.",
            fields=[FieldError("name", "is not available", name[:60])],
        ) from error
    version = f"version {facts.get('version', '?')}, {facts.get('revision_description', '')}".rstrip(", ")
    return text, f"Basis Set Exchange {exchange.version()}: {facts['name']}, {version}", str(facts["name"])
