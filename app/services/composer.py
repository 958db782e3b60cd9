"""The composer: what its form holds, and what its preview shows of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from app.crystal.importers import DEFAULT_TOLERANCE
from app.domain.names import remote_name, suggest_name
from app.domain.permissions import Actor, require
from app.domain.resources import Resources, read_resources
from app.domain.states import Priority
from app.errors import CrystalDeckError, FieldError, InvalidInput, NotFound
from app.services import clusters, jobs
from app.services.clusters import ClusterView
from app.services.context import Context
from app.services.creation import JobRequest, check_fits
from app.services.structures import textbook_crystal
from app.services.submission import job_script
from app.services.templates import Rendering, Template, form_values

RESOURCE_KEYS = ("nodes", "ntasks", "cpus_per_task", "memory_mb", "walltime", "partition", "account", "qos")


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
    error: CrystalDeckError | None = None
    notice: str = ""
    """What was done to the form, in a sentence."""
    asked: bool = False
    """True once a person changed or submitted something: only then are empty fields wrong."""

    def request(self) -> JobRequest:
        return JobRequest(
            self.template.spec.id, self.parameters, self.cluster, dict(self.resources), self.name, self.priority,
            self.parent or None,
        )  # fmt: skip

    @property
    def parameters(self) -> dict[str, Any]:
        """What the validator reads: an unticked box is false, an empty field is absent."""
        fields = {f.key: f for f in self.template.spec.fields}
        given: dict[str, Any] = {k: v for k, v in self.values.items() if v != "" and k in fields}
        return given | {k: self.values.get(k, "") for k, f in fields.items() if f.type == "boolean"}

    def with_error(self, error: CrystalDeckError) -> Draft:
        return replace(self, error=error, asked=True)


@dataclass(frozen=True)
class Sheet:
    """The right-hand side: decks, job script, errors by field."""

    rendering: Rendering
    script: str
    clusters: list[ClusterView]
    errors: dict[str, str] = field(default_factory=dict)
    visible: frozenset[str] = frozenset()
    suggested_name: str = ""


def templates(context: Context, actor: Actor) -> list[Template]:
    require(actor, "template.read")
    return context.templates.all()


async def start(context: Context, actor: Actor, template_id: str, *, example: bool = False, clone: str = "") -> Draft:
    """A fresh form: defaults, the template's example, or the answers of an earlier job."""
    require(actor, "job.create")
    template = context.templates.get(template_id)
    spec = template.spec
    values = form_values(spec.fields, spec.example if example else {})
    resources = {"nodes": "1", "ntasks": "1", "cpus_per_task": "1", "walltime": "01:00:00", "memory_mb": ""}
    draft = Draft(template, values, resources, key=secrets.token_urlsafe(16))
    if clone:
        view = await jobs.get(context, actor, clone)
        own = jobs.resources_of(view.job)
        texts = {key: str(value or "") for key, value in own.model_dump(exclude={"walltime_s"}).items()}
        draft = replace(
            draft, values=values | form_values(spec.fields, view.job.parameters), cluster=view.row.cluster,
            resources=texts | {"walltime": own.walltime}, name=view.job.name, parent=view.job.id, asked=True,
            priority=str(jobs.priority_of(view.job)),
        )  # fmt: skip
    return draft


def from_form(context: Context, template_id: str, form: dict[str, str]) -> Draft:
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
        asked=True,
    )


async def with_structure(
    context: Context, actor: Actor, draft: Draft, *, crystal: str = "", file: tuple[str, bytes] | None = None,
    tolerance: str = "",
) -> Draft:  # fmt: skip
    """The form with the structure of a textbook crystal or of a file in it; what does not belong to it stays.

    Raises:
        InvalidInput, NotFound: says what is wrong with the file, the tolerance or the name.
    """
    require(actor, "job.create")
    if crystal:
        chosen = textbook_crystal(crystal)
        found, notice = chosen.parameters, f"{chosen.label}: the experimental structure."
    elif file is not None and file[1]:
        name, data = file
        read = await context.structures.read(data, name, _tolerance(tolerance))
        found, notes = read.parameters, "".join(f" {note.rstrip('.')}." for note in read.notes)
        notice = (
            f"{read.format}: {read.symbol} ({read.bulk.space_group}) within {read.tolerance:g} Å; {read.atoms_in_file} atoms "
            f"in the file, {len(read.bulk.numbers)} in the asymmetric unit, {sum(read.bulk.multiplicities)} in the primitive "
            f"cell.{notes}"
        )
    else:
        raise InvalidInput("No file was chosen.", hint="Choose a file with a structure, or a textbook crystal.")
    fields = [spec for spec in draft.template.spec.fields if spec.group == "Structure"]
    texts = {spec.key: spec.as_text(found.get(spec.key, spec.default)) for spec in fields}
    return replace(draft, values=draft.values | texts, notice=notice)


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


def _tolerance(text: str) -> float:
    try:
        return float(text.replace(",", ".")) if text.strip() else DEFAULT_TOLERANCE
    except ValueError:
        raise InvalidInput(
            f"The symmetry tolerance {text[:20]!r} is no number.", hint="Give it in Å, for example 0.001.",
            fields=[FieldError("structure.tolerance", "must be a number", text[:20])],
        ) from None  # fmt: skip


async def sheet(context: Context, actor: Actor, draft: Draft) -> Sheet:
    """Render what the draft makes; wrong answers become errors beside their fields."""
    require(actor, "job.create")
    rendering = context.templates.try_render(draft.template.spec.id, draft.parameters)
    known = await clusters.all_of(context, actor)
    chosen = next((view for view in known if view.cluster.name == draft.cluster), known[0] if known else None)
    script, found = _script(chosen, rendering, draft)
    found += rendering.errors + (draft.error.fields if draft.error else [])
    shown = [e for e in found if draft.error or (draft.asked and e.value != "")]
    return Sheet(
        rendering, script, known, {error.field: error.reason for error in shown}, _visible(draft),
        suggest_name(f"{rendering.title}-{draft.template.spec.id}"),
    )  # fmt: skip


def _visible(draft: Draft) -> frozenset[str]:
    """Fields that these answers show, whether or not all of them are right yet."""
    values: dict[str, Any] = {}
    for spec in draft.template.spec.fields:
        if spec.visible(values):
            text = draft.values.get(spec.key) or spec.starting_value(values)
            try:
                values[spec.key] = spec.read(text if text is not None else "")
            except ValueError:
                values[spec.key] = None
    return frozenset(values)


def _script(chosen: ClusterView | None, rendering: Rendering, draft: Draft) -> tuple[str, list[FieldError]]:
    try:
        resources: Resources = read_resources(dict(draft.resources))
        if chosen is None or not rendering.decks:
            return "", []
        check_fits(chosen.cluster, resources)
        name = remote_name(draft.name or suggest_name(str(rendering.values.get("title", ""))), "id")
        return job_script(chosen.settings, name, "token", list(rendering.decks), resources), []
    except InvalidInput as error:
        return "", list(error.fields)
