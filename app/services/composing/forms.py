"""The composer's form: how it begins, and what fills it: defaults, an example, an earlier job, a file, a preset, a draft."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.crystal.decks.rendering import written_roles
from app.crystal.structures.bulk import StructureError
from app.crystal.structures.importers import DEFAULT_TOLERANCE, Imported
from app.db.repositories import batches, library
from app.domain.people.permissions import Actor, require
from app.domain.states import Priority
from app.domain.templates.fields import FieldSpec
from app.errors import CrystalDeckError, FieldError, InvalidInput, NotFound
from app.library.structures import textbook_crystal
from app.library.template_files import Template
from app.library.templates import Rendering, form_values
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs import views as jobs
from app.services.jobs.attachments import keep_upload
from app.services.jobs.creation import JobRequest
from app.services.results import remedies as rerun
from app.services.results.remedies import Difference

RESOURCE_KEYS = ("nodes", "ntasks", "cpus_per_task", "memory_mb", "walltime", "partition", "account", "qos")
RAW = "raw"
MAX_DRAFT = 500_000
"""Characters; what is larger is not remembered."""


@dataclass(frozen=True)
class Draft:
    """A form as it stands: texts of the template's fields, and where and how the job is to run."""

    template: Template
    values: dict[str, str]
    resources: dict[str, str]
    cluster: str = ""
    name: str = ""
    priority: str = "normal"
    parent: str = ""
    key: str = ""
    origin: dict[str, str] = field(default_factory=dict)
    """Decks that a form wrote before they were edited by hand."""
    origin_of: str = ""
    """The template that wrote them."""
    error: CrystalDeckError | None = None
    notice: str = ""
    """What was done to the form, in a sentence."""
    blocks: tuple[str, ...] = ()
    """Structures of the imported file, where there are several."""
    block: str = ""
    """The one that was read."""
    variants: tuple[str, ...] = ()
    """Ordered variants of the imported file, where its sites are partly occupied."""
    variant: str = ""
    """The one that was read."""
    batch: str = ""
    """The batch whose common settings these are; empty: the form of one job."""
    restored: bool = False
    """The form is as its author left it some time ago."""
    reuse: bool = True
    """Of a workflow: take what was computed before."""
    remedy: str = ""
    """What was changed against the job that this is a clone of, in a sentence; `differences` say it value by value."""
    differences: tuple[Difference, ...] = ()
    asked: bool = False
    """True once a person changed or submitted something: only then are empty fields wrong."""

    def request(self) -> JobRequest:
        """The job that the form asks for."""
        return JobRequest(
            self.template.spec.id,
            self.parameters,
            self.cluster,
            dict(self.resources),
            self.name,
            self.priority,
            self.parent or None,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """What the validator reads: an unticked box is false, an empty field is absent."""
        fields = {f.key: f for f in self.template.spec.fields}
        filled: dict[str, Any] = {k: v for k, v in self.values.items() if v != "" and k in fields}
        ticks = {k: self.values.get(k, "") for k, f in fields.items() if f.type in ("boolean", "multichoice")}
        return filled | ticks

    @property
    def import_failed(self) -> bool:
        """Whether the error is about the structure that was to be imported."""
        fields = self.error.fields if self.error is not None else []
        return any(one.field in ("structure.file", "structure.tolerance") for one in fields)

    @property
    def block_choices(self) -> tuple[str, ...]:
        """The structures that the file offers, read or refused."""
        return self.blocks or self._offered("structure.block")

    @property
    def variant_choices(self) -> tuple[str, ...]:
        """The ordered variants that the file offers, read or refused."""
        return self.variants or self._offered("structure.variant")

    def _offered(self, name: str) -> tuple[str, ...]:
        fields = self.error.fields if self.error is not None else []
        return next((one.choices for one in fields if one.field == name), ())

    def with_error(self, error: CrystalDeckError) -> Draft:
        """The same form with an error to show."""
        return replace(self, error=error, asked=True)


async def start(
    context: Context,
    actor: Actor,
    template_id: str,
    *,
    example: bool = False,
    clone: str = "",
    fresh: bool = False,
    batch: str = "",
    remedy: str = "",
    take: str = "",
) -> Draft:
    """A form: the template's example, the answers of an earlier job, the user's own draft, or the defaults."""
    require(actor, "job.create")
    await refresh(context)
    template = context.templates.get(template_id)
    spec = template.spec
    values = form_values(spec.fields, spec.example if example else {})
    resources = {"nodes": "1", "ntasks": "1", "cpus_per_task": "1", "walltime": "01:00:00", "memory_mb": ""}
    draft = Draft(template, values, resources, key=secrets.token_urlsafe(16))
    if take:
        return _taking(draft, take)
    if clone:
        return await _clone(context, actor, draft, clone, remedy)
    if batch:
        async with context.database.read() as session:
            kept_batch = await batches.get(session, batch)
        if kept_batch is None or kept_batch.template_id != template_id:
            raise NotFound(f"There is no batch {batch[:40]!r} of {template_id}.", hint="See the list of batches.")
        return replace(from_form(context, template_id, kept_batch.form), batch=batch)
    if not example and not fresh:
        async with context.database.read() as session:
            kept = await library.draft(session, actor.user_id, template_id)
        if kept is not None:
            restored = from_form(context, template_id, kept.form)
            return replace(restored, key=secrets.token_urlsafe(16), restored=True)
    return draft


async def takers(context: Context, actor: Actor, name: str) -> list[tuple[str, str]]:
    """Templates, by id and title, with a field that takes a file of this name."""
    require(actor, "job.read")
    await refresh(context)
    return [
        (template.spec.id, template.spec.title)
        for template in context.templates.all()
        if any(need.accept and name.rpartition("/")[2] in need.accept for need in template.spec.needs)
    ]


def _taking(draft: Draft, reference: str) -> Draft:
    """The form with a file of an earlier job in the first field that takes one of this name."""
    name = reference.rpartition("/")[2]
    key = next((need.key for need in draft.template.spec.needs if name in need.accept), None)
    return (
        draft if key is None else replace(draft, values=draft.values | {key: reference}, notice=f"Takes {reference}.")
    )


async def _clone(context: Context, actor: Actor, draft: Draft, job_id: str, remedy: str) -> Draft:
    """The form of an earlier job, with what a remedy changes.

    Raises:
        NotFound: no such job, or the remedy does not fit it.
    """
    view = await jobs.get(context, actor, job_id)
    own = jobs.resources_of(view.job)
    texts = {key: str(value or "") for key, value in own.model_dump(exclude={"walltime_s"}).items()}
    spec = draft.template.spec
    parameters, words = view.job.parameters, ""
    differences: tuple[Difference, ...] = ()
    if remedy:
        offered = await rerun.offer(context, actor, job_id, remedy)
        parameters = parameters | offered.change.parameters
        texts |= {key: str(value) for key, value in offered.change.resources.items()}
        words, differences = offered.change.words, tuple(offered.differences)
    return replace(
        draft,
        values=draft.values | form_values(spec.fields, parameters),
        cluster=view.row.cluster,
        resources={"walltime": own.walltime} | texts,
        name=view.job.name,
        parent=view.job.id,
        asked=True,
        priority=str(jobs.priority_of(view.job)),
        remedy=words,
        differences=differences,
    )


def from_form(context: Context, template_id: str, form: Mapping[str, str]) -> Draft:
    """The form as a browser sent it."""
    template = context.templates.get(template_id)
    keys = {f.key for f in template.spec.fields}
    return Draft(
        template=template,
        values={key: form.get(f"p_{key}", "") for key in keys},
        resources={key: form[f"r_{key}"] for key in RESOURCE_KEYS if form.get(f"r_{key}")},
        cluster=form.get("cluster", ""),
        name=form.get("name", "").strip(),
        priority=form.get("priority", str(Priority.NORMAL)),
        parent=form.get("parent", ""),
        key=form.get("key", ""),
        origin=_decks(form.get("origin", "")),
        origin_of=form.get("origin_of", "")[:60],
        batch=form.get("batch", "")[:20],
        asked=True,
    )


def _decks(text: str) -> dict[str, str]:
    try:
        decks = json.loads(text) if text else {}
    except ValueError:
        return {}
    whole = isinstance(decks, dict) and all(isinstance(part, str) for pair in decks.items() for part in pair)
    return decks if whole else {}


_UNSAVED = {"key", "structure_file", "structure_block", "structure_variant", "preset", "crystal", "structure_job"}


async def keep(context: Context, actor: Actor, draft: Draft, form: Mapping[str, str]) -> None:
    """Remember the form for when its author comes back."""
    kept = {key: value for key, value in form.items() if key not in _UNSAVED and value}
    if sum(map(len, kept.values())) > MAX_DRAFT:
        return
    async with context.database.write() as session:
        await library.keep_draft(session, actor.user_id, draft.template.spec.id, kept)


async def drafts(context: Context, actor: Actor) -> dict[str, datetime]:
    """Templates whose form the user left half-way, and when."""
    async with context.database.read() as session:
        return {row.template_id: row.updated_at for row in await library.drafts_of(session, actor.user_id)}


async def forget(context: Context, actor: Actor, template_id: str) -> None:
    """The form was submitted."""
    async with context.database.write() as session:
        await library.drop_draft(session, actor.user_id, template_id)


@dataclass(frozen=True)
class StructureSource:
    """Where the structure is to come from: a file, a textbook, or an earlier job."""

    crystal: str = ""
    file: tuple[str, bytes] | None = None
    job: str = ""
    tolerance: str = ""
    kind: str = ""
    symmetry: bool = True
    block: str = ""
    """Of a CIF with several structures."""
    variant: str = ""
    """Of a CIF with partly occupied sites."""
    unseen: bool = False
    """Nobody looks at the form: a file that leaves a doubt is refused."""


async def with_structure(context: Context, actor: Actor, draft: Draft, source: StructureSource) -> Draft:
    """The form with a structure in it; what does not belong to the structure stays.

    Raises:
        InvalidInput, NotFound: says what is wrong with the file, the tolerance or the name.
    """
    require(actor, "job.create")
    if source.crystal:
        chosen = textbook_crystal(source.crystal)
        parameters, notice = chosen.parameters, f"{chosen.label}: experimental structure."
    elif source.job or (source.file is not None and source.file[1]):
        tolerance = _tolerance(source.tolerance)
        if source.job:
            read = await _of_job(context, actor, source, tolerance)
        else:
            assert source.file is not None
            name, data = source.file
            read = await context.structures.read(
                actor.user_id,
                data,
                name,
                tolerance,
                source.kind,
                symmetry=source.symmetry,
                block=source.block,
                variant=source.variant,
                unseen=source.unseen,
            )
        parameters, notice = read.parameters, _notice(read)
        if len(read.blocks) > 1:
            draft = replace(draft, blocks=read.blocks, block=read.block)
        draft = replace(draft, variants=read.variants, variant=read.variant)
    else:
        raise InvalidInput("No file was chosen.", hint="Choose a structure file or a textbook crystal.")
    fields = [spec for spec in draft.template.spec.fields if spec.group == "Structure"]
    _require_kind(fields, str(parameters.get("system", "crystal")))
    texts = {spec.key: spec.as_text(parameters.get(spec.key, spec.default)) for spec in fields}
    return replace(draft, values=draft.values | texts, notice=notice)


async def _of_job(context: Context, actor: Actor, source: StructureSource, tolerance: float) -> Imported:
    """The last geometry of an earlier job."""
    job_id = source.job.strip().partition(" ")[0]
    view = await jobs.get(context, actor, job_id)
    try:
        return await context.structures.of_results(
            actor.user_id, view.main_result, view.job.name, tolerance, source.kind, symmetry=source.symmetry
        )
    except StructureError as error:
        raise InvalidInput(
            f"Job {job_id[:40]}: {error}.",
            hint="Choose a job whose output shows a geometry.",
            fields=[FieldError("structure.file", str(error))],
        ) from error


def _notice(read: Imported) -> str:
    notes = "".join(f" {note.rstrip('.')}." for note in read.notes)
    structure = read.structure
    cell = " in the primitive cell" if structure.dimension else ""
    return (
        f"{read.format}: {structure.kind.lower()}, {read.symbol} ({read.group}) within {read.tolerance:g} Å; "
        f"{read.atoms_in_file} atoms in the file, {len(structure.numbers)} in the asymmetric unit, "
        f"{sum(structure.multiplicities)}{cell}.{notes}"
    )


def _require_kind(fields: list[FieldSpec], kind: str) -> None:
    system = next((spec for spec in fields if spec.key == "system"), None)
    if system is not None and kind not in {choice.value for choice in system.choices}:
        known = ", ".join(choice.value for choice in system.choices)
        raise InvalidInput(
            f"The structure is a {kind}; this template takes {known}.",
            hint="Choose another template, or read the structure as another kind.",
            fields=[FieldError("structure.file", f"is a {kind}")],
        )


def with_resources(draft: Draft, values: Mapping[str, Any], notice: str) -> Draft:
    """The form with a cluster's preset, or with what similar jobs took, in its resources."""
    texts = {key: str(value) for key, value in values.items() if key in RESOURCE_KEYS and value not in ("", 0, None)}
    changed = [
        f"{key} {draft.resources.get(key) or '–'} → {text}"
        for key, text in texts.items()
        if draft.resources.get(key, "") != text
    ]
    return replace(
        draft, resources=draft.resources | texts, notice=f"{notice}: {'; '.join(changed) or 'nothing to change'}."
    )


def with_preset(draft: Draft, preset_id: str) -> Draft:
    """The form with a preset's values in it, and a notice of what that changed.

    Raises:
        NotFound: the template has no such preset.
    """
    spec = draft.template.spec
    preset = next((preset for preset in spec.presets if preset.id == preset_id), None)
    if preset is None:
        known = ", ".join(preset.id for preset in spec.presets) or "none"
        raise NotFound(f"{spec.id} has no preset {preset_id[:40]!r}.", hint=f"Its presets: {known}.")
    fields = {field.key: field for field in spec.fields}
    texts = {key: fields[key].as_text(value) for key, value in preset.values.items()}
    changed = [
        f"{fields[key].label} {draft.values.get(key) or '–'} → {text}"
        for key, text in texts.items()
        if draft.values.get(key, "") != text
    ]
    notice = f"{preset.label}: {'; '.join(changed) if changed else 'nothing to change'}."
    return replace(draft, values=draft.values | texts, notice=notice)


async def with_upload(context: Context, actor: Actor, draft: Draft, key: str, name: str, data: bytes) -> Draft:
    """The form with an uploaded file in one of its file fields.

    Raises:
        NotFound: no such field. InvalidInput: the file cannot be kept.
    """
    spec = next((spec for spec in draft.template.spec.needs if spec.key == key), None)
    if spec is None:
        raise NotFound(f"{draft.template.spec.id} has no file field {key[:40]!r}.", hint="Reload the form.")
    reference = await keep_upload(context, actor, name, data)
    return replace(draft, values=draft.values | {key: reference})


async def detached(context: Context, actor: Actor, draft: Draft, rendering: Rendering) -> Draft:
    """The decks as texts in the form for decks of one's own, with what the form wrote beside them.

    Raises:
        InvalidInput: there is no deck yet.
    """
    require(actor, "job.create")
    if not rendering.decks:
        raise InvalidInput(
            "There is no deck to edit yet.", hint="Correct the named fields first.", fields=rendering.errors
        )
    raw = context.templates.get(RAW)
    roles = written_roles(rendering.decks)
    texts = {role: rendering.decks[name] for name, role in roles.items()}
    values = form_values(raw.spec.fields, {}) | {"deck": texts.get("d12", ""), "properties": texts.get("d3", "")}
    ours = {spec.staged_as: spec.key for spec in raw.spec.needs}
    for spec in draft.template.spec.needs:
        if spec.key in rendering.values and spec.staged_as in ours:
            values[ours[spec.staged_as]] = str(rendering.values[spec.key])
    for name in rendering.decks.keys() - roles.keys():
        if name in ours:
            values[ours[name]] = await keep_upload(context, actor, name, rendering.decks[name].encode())
    origin = {f"raw.{role}": text for role, text in texts.items()}
    return replace(draft, template=raw, values=values, origin=origin, origin_of=draft.template.spec.id, asked=False)


def _tolerance(text: str) -> float:
    try:
        return float(text.replace(",", ".")) if text.strip() else DEFAULT_TOLERANCE
    except ValueError:
        raise InvalidInput(
            f"The symmetry tolerance {text[:20]!r} is not a number.",
            hint="Enter it in Å, for example 0.001.",
            fields=[FieldError("structure.tolerance", "must be a number", text[:20])],
        ) from None
