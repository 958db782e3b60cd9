"""The form that starts a workflow: one set of fields for all its steps (`workflow_fields`), and what its answers make."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.domain.names import suggest_name
from app.domain.people.permissions import Actor, require
from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.checks import Checked
from app.domain.workflows.definition import WorkflowSpec, as_written, read_workflow, with_parameters
from app.errors import InvalidInput
from app.library.drafting import field_states
from app.library.template_files import Template
from app.library.templates import bare, form_values
from app.library.workflow_fields import INPUT, form_of
from app.services.clusters import registry as clusters
from app.services.clusters.registry import ClusterView
from app.services.composing.forms import RESOURCE_KEYS, Draft, StructureSource, with_structure
from app.services.context import Context
from app.services.jobs.attachments import offers
from app.services.workflows import library as workflow_library
from app.services.workflows.library import Entry
from app.services.workflows.rehearsal import Rehearsal, rehearse
from app.services.workflows.starts import RunRequest


@dataclass(frozen=True)
class StartSheet:
    """All that the page shows beside the fields of a workflow's form."""

    entry: Entry
    checked: Checked
    rehearsal: Rehearsal
    clusters: list[ClusterView]
    errors: dict[str, str]
    visible: frozenset[str]
    disabled: frozenset[str]
    offers: dict[str, list[tuple[str, str]]]
    chosen: ClusterView | None = None
    suggested_name: str = ""


def _template(spec: WorkflowSpec, fields: list[FieldSpec]) -> Template:
    """The form as if it were a template's, so that everything that fills forms works on it."""
    shown = TemplateSpec.model_construct(
        id=spec.name,
        title=spec.heading,
        description=spec.description,
        category="",
        tags=(),
        author="",
        version="",
        crystal_versions=(),
        produces=(),
        files=(),
        fields=tuple(fields),
        checks=(),
        presets=(),
        example={},
    )
    return bare(shown)


async def start_form(context: Context, actor: Actor, name: str) -> Draft:
    """An empty form.

    Raises:
        NotFound
    """
    require(actor, "job.create")
    template, _, _ = await _known_form(context, actor, name)
    resources = {"nodes": "1", "ntasks": "1", "cpus_per_task": "1", "walltime": "01:00:00", "memory_mb": ""}
    return Draft(template, form_values(template.spec.fields, {}), resources, key=secrets.token_urlsafe(16))


async def _known_form(context: Context, actor: Actor, name: str) -> tuple[Template, Entry, Checked]:
    entry = await workflow_library.get(context, actor, name)
    known = await workflow_library.known(context, actor)
    named = workflow_library.named_in(entry.spec, known)
    fields, checked = await context.workers.run(actor.user_id, form_of, entry.spec, *named)
    return _template(entry.spec, fields), entry, checked


async def from_texts(context: Context, actor: Actor, name: str, form: Mapping[str, str]) -> Draft:
    """The form as a browser sent it."""
    template, _, _ = await _known_form(context, actor, name)
    return Draft(
        template,
        {field.key: form.get(f"p_{field.key}", "") for field in template.spec.fields},
        {key: form[f"r_{key}"] for key in RESOURCE_KEYS if form.get(f"r_{key}")},
        form.get("cluster", ""),
        form.get("name", "").strip(),
        form.get("priority", "normal"),
        key=form.get("key", ""),
        reuse=bool(form.get("reuse")),
        asked=True,
    )


async def request_of(context: Context, actor: Actor, name: str, draft: Draft) -> RunRequest:
    """The run that a form asks for."""
    entry = await workflow_library.get(context, actor, name)
    common, steps, inputs = _sorted(draft, entry.spec)
    spec = read_workflow(with_parameters(as_written(entry.spec), steps)) if steps else entry.spec
    return RunRequest(
        spec,
        entry.version,
        draft.name,
        common,
        inputs,
        draft.cluster,
        dict(draft.resources),
        draft.priority,
        reuse=draft.reuse,
    )


def _sorted(draft: Draft, spec: WorkflowSpec) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, Any]]:
    """What the fields say: for all steps, for single ones, and for the workflow's own inputs."""
    common: dict[str, Any] = {}
    steps: dict[str, dict[str, Any]] = {}
    inputs: dict[str, Any] = {}
    for key, value in draft.parameters.items():
        step, mark, own = key.partition("__")
        if key.startswith(INPUT):
            inputs[key.removeprefix(INPUT)] = value
        elif mark and step in spec.names:
            steps.setdefault(step, {})[own] = value
        else:
            common[key] = value
    return common, steps, inputs


async def requests_for_each(
    context: Context, actor: Actor, name: str, draft: Draft, files: Sequence[tuple[str, bytes]]
) -> list[RunRequest]:
    """A run for each of several structure files; everything else is as in the form.

    Raises:
        InvalidInput: no file, or one that holds no structure that the workflow takes.
    """
    if not files:
        raise InvalidInput("No file was chosen.", hint="Choose several CIF, POSCAR, XYZ or fort.34 files.")
    requests = []
    for file in files:
        try:
            filled = await with_structure(context, actor, draft, StructureSource(file=file, unseen=True))
        except InvalidInput as error:
            error.message = f"{file[0]}: {error.message}"
            raise
        stem = file[0].replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or file[0]
        named = replace(filled, name=suggest_name(f"{draft.name}-{stem}" if draft.name else stem))
        requests.append(await request_of(context, actor, name, named))
    return requests


async def sheet(context: Context, actor: Actor, name: str, draft: Draft) -> StartSheet:
    """What these answers make of each step, and what is wrong with them."""
    require(actor, "job.create")
    _, entry, checked = await _known_form(context, actor, name)
    visible, disabled = await context.workers.run(
        actor.user_id, field_states, draft.template.spec.fields, dict(draft.values)
    )
    shown = {key: value for key, value in draft.values.items() if key in visible}
    common, steps, inputs = _sorted(replace(draft, values=shown), entry.spec)
    spec = read_workflow(with_parameters(as_written(entry.spec), steps)) if steps else entry.spec
    everything = await workflow_library.known(context, actor)
    checked = await workflow_library.check_with(context, actor.user_id, spec, everything)
    try:
        values = {field.key: field.read(inputs[field.key]) for field in spec.inputs if field.key in inputs}
    except ValueError:
        values = inputs
    rehearsal = Rehearsal()
    if not checked.problems:
        rehearsal = await rehearse(context, actor, checked, everything, common, values)
    known = await clusters.all_of(context, actor)
    chosen = next((cluster for cluster in known if cluster.cluster.name == draft.cluster), clusters.first_usable(known))
    fields = draft.template.spec.fields
    return StartSheet(
        entry,
        checked,
        rehearsal,
        known,
        _errors(draft, rehearsal, {field.key for field in fields}),
        visible,
        disabled,
        await offers(context, actor, [field for field in fields if field.type == "file" and field.key in visible]),
        chosen,
        f"{spec.name}",
    )


def _errors(draft: Draft, rehearsal: Rehearsal, keys: set[str]) -> dict[str, str]:
    """Reasons by field of the form; before anything was asked an empty field is not wrong yet."""
    by_field: dict[str, str] = {}
    listed = [*rehearsal.errors, *(draft.error.fields if draft.error else [])]
    for error in listed:
        if not draft.error and not (draft.asked and error.value != ""):
            continue
        parts = error.field.split(".")
        if parts[0] == "inputs":
            key = INPUT + parts[-1]
        elif parts[0] == "steps" and len(parts) > 2 and f"{parts[1]}__{parts[2]}" in keys:
            key = f"{parts[1]}__{parts[2]}"
        else:
            key = parts[-1] if parts[0] != "resources" else error.field
        by_field.setdefault(key, error.reason)
    return by_field
