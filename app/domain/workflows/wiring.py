"""What passes between the steps of a workflow: files by role, and the structure that a step computes. Pure.

A step's structure is its own where it names one; else the geometry that a step before it leaves; else the structure of that
step; else the run's. A wave function is taken from the nearest step before that computed the same structure with the same
basis set. A workflow may say otherwise in `files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.definition import StepSpec, WorkflowSpec, ancestors, in_order, row_keys

STRUCTURE = "Structure"
"""The group of a template's fields that make its structure."""
BESIDE = frozenset({"title", "supercell"})
"""Fields of that group that do not make another structure."""
SAME_GUESS = ("basis_kind", "basis_set", "basis_library", "basis_elements", "basis_text", "spin", "supercell")
"""Fields that must be the same where a wave function is taken as a guess."""
GROWS = "_supercell"
"""Fields of templates that compute a larger cell than their structure's end so: no guess fits them."""


@dataclass(frozen=True)
class Link:
    """A file that passes along an edge: from which step, in which role, under which name it lies there."""

    step: str
    role: str
    name: str


@dataclass(frozen=True)
class Source:
    """Where the structure of a step is from: `run`, `own` (its parameters), `file` (a geometry that `step` leaves)."""

    kind: str
    step: str = ""


@dataclass(frozen=True)
class Wired:
    """What one step takes from others."""

    links: dict[str, Link] = field(default_factory=dict)
    """By file field."""
    structure: Source = Source("run")
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Field and reason."""

    @property
    def parameters(self) -> dict[str, str]:
        """What the files need besides: their kinds of start."""
        parameters = {"system": "external"} if "geometry_file" in self.links else {}
        return parameters | ({"start": "wavefunction"} if "wavefunction_file" in self.links else {})


def structure_keys(template: TemplateSpec) -> set[str]:
    """Fields of a template that make its structure."""
    return {field.key for field in template.fields if field.group == STRUCTURE} - BESIDE


def product(template: TemplateSpec, role: str) -> str:
    """The file that a template leaves in a role, or nothing."""
    return next((product_spec.name for product_spec in template.produces if product_spec.role == role), "")


def wire(
    spec: WorkflowSpec, before: Mapping[str, list[str]], templates: Mapping[str, TemplateSpec]
) -> dict[str, Wired]:
    """What each step takes from those before it. Steps of unknown templates take nothing.

    Args:
        before: see `workflows.dependencies`; without circles.
    """
    wired: dict[str, Wired] = {}
    for name in in_order(before):
        step = spec.step(name)
        template = templates.get(step.template)
        if template is None:
            wired[name] = Wired(structure=_inherited(spec, before, templates, wired, step)[0])
        else:
            wired[name] = _wire_step(spec, before, templates, wired, step, template)
    return wired


def _wire_step(
    spec: WorkflowSpec,
    before: Mapping[str, list[str]],
    templates: Mapping[str, TemplateSpec],
    wired: Mapping[str, Wired],
    step: StepSpec,
    template: TemplateSpec,
) -> Wired:
    problems: list[tuple[str, str]] = []
    links: dict[str, Link] = {}
    needs = {need.key: need for need in template.needs}
    for key, source in step.files.items():
        link = _said(spec, templates, needs.get(key), key, source, problems)
        if link is not None:
            links[key] = link
    open_keys = {key for key in needs if key not in step.files and key not in step.parameters}
    own = _own_keys(step) & structure_keys(template)
    if own or "geometry_file" in step.files:
        geometry = links.get("geometry_file")
        structure = Source("file", geometry.step) if geometry else Source("own", step.name)
    else:
        structure, unclear = _inherited(spec, before, templates, wired, step)
        if unclear:
            problems.append(("files", unclear))
        elif structure.kind == "file":
            link = _geometry(spec, templates, structure.step, template, problems)
            if link is not None and "geometry_file" in open_keys:
                links["geometry_file"] = link
    wired_now = Wired(links, structure)
    if found_link := _wavefunction(spec, before, templates, wired, step, template, wired_now, open_keys):
        links |= found_link
    return Wired(links, structure, problems)


def _said(
    spec: WorkflowSpec,
    templates: Mapping[str, TemplateSpec],
    need: FieldSpec | None,
    key: str,
    source: str,
    problems: list[tuple[str, str]],
) -> Link | None:
    """A link that the workflow names itself."""
    if need is None:
        problems.append((f"files.{key}", "is not a file field of the template"))
        return None
    if not source:
        return None
    giver, _, role = source.partition(":")
    if giver not in spec.names:
        problems.append((f"files.{key}", f"names the step {giver[:40]!r}, which does not exist"))
        return None
    parent = spec.step(giver)
    template = templates.get(parent.template)
    role = role or need.role
    if template is None or parent.over:
        problems.append((f"files.{key}", f"cannot take a file from {giver}, which is not a single job of a template"))
        return None
    name = product(template, role)
    if not name:
        leaves = ", ".join(file.role for file in template.produces) or "nothing"
        problems.append((f"files.{key}", f"needs the {role} of {giver}, but {template.id} leaves {leaves}"))
        return None
    if role != need.role:
        problems.append((f"files.{key}", f"takes a {need.role}, not a {role}"))
        return None
    return Link(giver, role, name)


def _own_keys(step: StepSpec) -> set[str]:
    """Parameters that a step, or a row of its fan-out, names itself."""
    rows = row_keys(step)
    # Rows that are known only later: of structures, mostly.
    rows = {"atoms"} if rows is None else rows
    return {*step.parameters, *rows}


def _inherited(
    spec: WorkflowSpec,
    before: Mapping[str, list[str]],
    templates: Mapping[str, TemplateSpec],
    wired: Mapping[str, Wired],
    step: StepSpec,
) -> tuple[Source, str]:
    """The structure that the steps before a step hand on; and what is unclear about it."""
    sources: dict[Source, str] = {}
    for name in before[step.name]:
        parent = spec.step(name)
        template = templates.get(parent.template)
        if parent.over and not parent.values:
            # One structure of many is nobody's.
            continue
        if template is not None and product(template, "geometry"):
            sources.setdefault(Source("file", name), name)
        elif name in wired:
            sources.setdefault(wired[name].structure, name)
    if Source("run") in sources and len(sources) > 1:
        del sources[Source("run")]
    if len(sources) > 1:
        givers = ", ".join(sources.values())
        return Source("run"), (
            f'could take its structure from {givers}: choose one, e.g. geometry_file = "{next(iter(sources.values()))}:geometry"'
        )
    return next(iter(sources), Source("run")), ""


def _geometry(
    spec: WorkflowSpec,
    templates: Mapping[str, TemplateSpec],
    giver: str,
    template: TemplateSpec,
    problems: list[tuple[str, str]],
) -> Link | None:
    if not any(need.key == "geometry_file" for need in template.needs):
        problems.append(
            (
                "template",
                f"{template.id} cannot read the geometry that {giver} leaves; set its structure by parameters",
            )
        )
        return None
    return Link(giver, "geometry", product(templates[spec.step(giver).template], "geometry"))


def _wavefunction(
    spec: WorkflowSpec,
    before: Mapping[str, list[str]],
    templates: Mapping[str, TemplateSpec],
    wired: Mapping[str, Wired],
    step: StepSpec,
    template: TemplateSpec,
    now: Wired,
    open_keys: set[str],
) -> dict[str, Link]:
    """The wave function of the nearest step that computed the same; as what properties read, or as a guess."""
    fields = [need for need in template.needs if need.role == "wavefunction" and need.key in open_keys]
    fields.sort(key=lambda need: need.staged_as != "fort.9")
    if not fields or step.parameters.get("start") == "scf":
        return {}
    if fields[0].staged_as != "fort.9" and any(field.key.endswith(GROWS) for field in template.fields):
        return {}
    for name in ancestors(before, step.name):
        parent = spec.step(name)
        theirs = templates.get(parent.template)
        if theirs is None or parent.over or not product(theirs, "wavefunction"):
            continue
        same_structure = now.structure == Source("file", name) or (
            name in wired and now.structure == wired[name].structure and now.structure.kind != "own"
        )
        if fields[0].staged_as == "fort.9":
            # Properties belong to what was computed, whatever its structure was called.
            return {fields[0].key: Link(name, "wavefunction", product(theirs, "wavefunction"))}
        if same_structure and _same_basis(step, parent):
            return {fields[0].key: Link(name, "wavefunction", product(theirs, "wavefunction"))}
        return {}
    return {}


def _same_basis(step: StepSpec, parent: StepSpec) -> bool:
    """Nothing that a guess depends on differs between two steps."""
    rows = _own_keys(step) - step.parameters.keys()
    return not rows & set(SAME_GUESS) and all(
        step.parameters.get(key) == parent.parameters.get(key) for key in SAME_GUESS
    )


def drawn(before: Mapping[str, list[str]], wired: Mapping[str, Wired]) -> dict[str, list[str]]:
    """What a picture shows: the steps that each one waits for, and those whose files it takes."""
    return {
        name: list(dict.fromkeys([*parents, *(link.step for link in wired[name].links.values())]))
        if name in wired
        else parents
        for name, parents in before.items()
    }


def inherited_parameters(
    spec: WorkflowSpec, wired: Mapping[str, Wired], step: StepSpec, template: TemplateSpec
) -> dict[str, Any]:
    """Structure parameters of the step before whose structure this one computes too."""
    source = wired[step.name].structure
    if source.kind != "own" or source.step == step.name or source.step not in wired:
        return {}
    keys = structure_keys(template)
    return {key: value for key, value in spec.step(source.step).parameters.items() if key in keys}
