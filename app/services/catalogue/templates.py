"""The group's own templates: saved as versions with author and time, never overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.crystal.decks.basis_sets import BasisError
from app.db.repositories import library, users
from app.db.tables import LibraryTemplate
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
        newest = {
            row.template_id: (row.texts, names.get(row.author_id, "?")) for row in await library.templates(session)
        }
        texts = {row.name: row.text for row in await library.basis_sets(session)}
    before = context.templates.saved
    saved = Saved()
    for template_id, (own, author) in newest.items():
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
        InvalidInput: it cannot be read, or its example renders no deck. Conflict: another user was faster, or the id is
            that of a built-in template. NotAllowed: it belongs to another user.
    """
    require(actor, "template.create")
    trial = await try_texts(context, actor, texts)
    if trial.template is None or trial.rendering is None:
        raise InvalidInput(
            trial.fault,
            hint="Nothing was saved; your text is unchanged.",
            fields=[FieldError(METADATA, trial.fault)],
        )
    if trial.rendering.errors or trial.rendering.message:
        reason = trial.rendering.message or "; ".join(f"{e.field} {e.reason}" for e in trial.rendering.errors[:3])
        raise InvalidInput(
            f"The example does not render: {reason}",
            hint="Write an [example] that the template can render.",
            fields=[FieldError("example", reason)],
        )
    template_id = trial.template.spec.id
    if template_id in RESERVED:
        raise InvalidInput(
            f"A template cannot have the id {template_id}.",
            hint="Choose another id.",
            fields=[FieldError("id", "is the name of a page", template_id)],
        )
    if context.templates.is_fixed(template_id):
        raise Conflict(f"{template_id} is a built-in template.", hint="Choose another id for yours.")
    async with context.database.write() as session:
        history = await library.template_history(session, template_id)
        last = history[0] if history else None
        if last is not None and not last.removed:
            require(actor, "template.change", last.author_id)
        if expected is not None and expected != (last.version if last else 0):
            raise Conflict(
                f"{template_id} was changed while you were editing: "
                f"the newest version is {last.version if last else 0}, you started from {expected}.",
                hint="Open the newest version and make your change there.",
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
            f"A template may have at most {MAX_FILES} files and {MAX_TEXT // 1000} kB.", hint="Make it smaller."
        )
    for name in texts:
        if name != METADATA and not (name.endswith(".j2") and name.isprintable() and "/" not in name):
            raise ConfigurationError(
                f"The file {name[:60]!r} is not a template file.", hint="Name it like NAME.d12.j2."
            )
