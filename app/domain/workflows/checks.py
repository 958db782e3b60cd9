"""Everything that can be wrong with a workflow before anything is submitted: said all at once, by step and place. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.sweeps import points, read_axis
from app.domain.templates.conditions import Condition, ConditionError
from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.definition import MAX_ITEMS, StepSpec, WorkflowSpec, ancestors, dependencies, in_order
from app.domain.workflows.expressions import Kind, Language, is_path, kind_of, paths
from app.domain.workflows.wiring import Wired, wire

Shape = Mapping[str, Any]
"""The shape of results: names with a kind, or with a nested shape."""
_FITS: dict[str, tuple[str, ...]] = {
    "integer": ("number",), "number": ("number",), "boolean": ("boolean",), "string": ("text", "number"),
    "text": ("text", "number"), "choice": ("text", "number"), "kmesh": ("number", "list", "text"),
    "table": ("list", "text"), "multichoice": ("list", "text"), "file": ("text",),
}  # fmt: skip
"""Kinds of values that a field takes."""


MAX_EXPANDED = 400
"""Steps of a workflow with those of all workflows that run in it."""
MAX_LINKS = 600
"""Links between the steps of one workflow."""
MAX_DEPTH = 5
"""How deep workflows may run in workflows."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, where: `step` is empty where it concerns the whole workflow."""

    step: str
    field: str
    reason: str

    @property
    def sentence(self) -> str:
        """The problem with its place, as a sentence."""
        where = f"Step {self.step}, {self.field}" if self.step else self.field
        return f"{where}: {self.reason}."


@dataclass(frozen=True)
class Known:
    """What a workflow may name: templates, other workflows, results of steps, remedies, and the language it is written in."""

    templates: Mapping[str, TemplateSpec]
    workflows: Mapping[str, WorkflowSpec]
    results: Shape
    remedies: Collection[str]
    language: Language


@dataclass(frozen=True)
class Checked:
    """A workflow that was looked at: its order and wiring, as far as they could be made out, and what is wrong."""

    spec: WorkflowSpec
    before: Mapping[str, list[str]]
    order: list[str]
    wired: Mapping[str, Wired]
    problems: list[Problem]


def named_workflows(spec: WorkflowSpec, workflows: Mapping[str, WorkflowSpec]) -> dict[str, WorkflowSpec]:
    """The workflows that run in this one, and in those."""
    named_specs: dict[str, WorkflowSpec] = {}
    rest = [spec]
    while rest:
        named = {step.workflow for step in rest.pop().steps if step.workflow in workflows} - named_specs.keys()
        named_specs |= {name: workflows[name] for name in named}
        rest += [workflows[name] for name in named]
    return named_specs


def expanded(spec: WorkflowSpec, workflows: Mapping[str, WorkflowSpec]) -> str:
    """Why a workflow is too large with all those that run in it; empty: it is not."""
    sizes: dict[tuple[str, int], int] = {}

    def size(inner: WorkflowSpec, depth: int) -> int:
        if depth > MAX_DEPTH:
            return MAX_EXPANDED + 1
        total = len(inner.steps)
        for name in {
            step.workflow for step in inner.steps if step.workflow in workflows and step.workflow != spec.name
        }:
            if (name, depth) not in sizes:
                sizes[name, depth] = size(workflows[name], depth + 1)
            total += sizes[name, depth] * sum(step.workflow == name for step in inner.steps)
        return total

    if size(spec, 1) > MAX_EXPANDED:
        return f"has more than {MAX_EXPANDED} steps including inner workflows, or nests them more than {MAX_DEPTH} levels deep"
    return ""


def check(spec: WorkflowSpec, known: Known, above: tuple[str, ...] = ()) -> Checked:
    """Look at everything; `above` are the workflows that this one runs in."""
    before = dependencies(known.language, spec)
    if not above and (reason := expanded(spec, known.workflows)):
        return Checked(
            spec, {name: [] for name in spec.names}, spec.names, {}, [Problem("", "steps", f"{reason} (the limit)")]
        )
    links = sum(map(len, before.values()))
    if links > MAX_LINKS:
        reason = f"make {links} links between steps; at most {MAX_LINKS} are allowed"
        return Checked(spec, {name: [] for name in spec.names}, spec.names, {}, [Problem("", "after", reason)])
    problems = [
        Problem(step.name, "after", f"names the step {name!r}, which does not exist")
        for step in spec.steps
        for name in step.after
        if name not in spec.names
    ]
    try:
        order = in_order(before)
    except ValueError as error:
        return Checked(spec, before, spec.names, {}, [*problems, Problem("", "after", str(error))])
    wired = wire(spec, before, known.templates)
    for step in spec.steps:
        problems += [
            Problem(step.name, place, reason) for place, reason in _step(spec, step, before, wired, known, above)
        ]
        problems += [Problem(step.name, place, reason) for place, reason in wired[step.name].problems]
    for output in spec.outputs:
        problems += [
            Problem("", f"output {output.name}", reason)
            for reason in _expressions(spec, known, output.value, spec.names, in_fan_out=False)[1]
        ]
    for key in spec.parameters:
        if not any(key in _keys(known, step) for step in spec.steps):
            problems.append(Problem("", f"parameters.{key}", "is not a parameter of any step"))
    return Checked(spec, before, order, wired, problems)


def _keys(known: Known, step: StepSpec, above: tuple[str, ...] = ()) -> set[str]:
    """Parameters that a step can be given; of a workflow that runs itself, which is said elsewhere, those of one round."""
    if step.template in known.templates:
        return {field.key for field in known.templates[step.template].fields}
    if step.workflow in known.workflows and step.workflow not in above:
        inner = known.workflows[step.workflow]
        deeper = (*above, step.workflow)
        return {field.key for field in inner.inputs}.union(*(_keys(known, child, deeper) for child in inner.steps))
    return set()


def parameter_keys(spec: WorkflowSpec, known: Known) -> set[str]:
    """Parameters that at least one step of a workflow, or one of an inner workflow, can be given."""
    return set().union(*(_keys(known, step) for step in spec.steps))


def _step(
    spec: WorkflowSpec,
    step: StepSpec,
    before: Mapping[str, list[str]],
    wired: Mapping[str, Wired],
    known: Known,
    above: tuple[str, ...],
) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    earlier = ancestors(before, step.name)
    if step.template and step.template not in known.templates:
        problems.append(("template", f"there is no template {step.template!r}"))
    if step.workflow:
        problems += _inner(step, known, (*above, spec.name))
    problems += [
        ("remedies", f"there is no remedy {name!r}; known remedies: {', '.join(known.remedies)}")
        for name in step.remedies
        if name not in known.remedies
    ]
    if step.when:
        problems += [("when", reason) for reason in _condition(spec, known, step.when, earlier)]
    for name, text in step.values.items():
        problems += [(f"values.{name}", reason) for reason in _value(spec, known, text, earlier)]
    if step.template in known.templates:
        problems += _parameters(spec, step, known.templates[step.template], known, earlier)
    elif step.workflow in known.workflows:
        keys = _keys(known, step)
        unknown = [key for key in step.parameters if key not in keys]
        problems += [(f"parameters.{key}", f"is not a parameter of any step of {step.workflow}") for key in unknown]
    problems += _over(spec, step, known, earlier)
    return problems


def _inner(step: StepSpec, known: Known, above: tuple[str, ...]) -> list[tuple[str, str]]:
    if step.workflow not in known.workflows:
        return [("workflow", f"there is no workflow {step.workflow!r}")]
    if step.workflow in above:
        return [("workflow", f"{step.workflow} would run itself")]
    inner = check(known.workflows[step.workflow], known, above)
    return [("workflow", f"{step.workflow} has an error: {problem.sentence}") for problem in inner.problems[:3]]


def _condition(spec: WorkflowSpec, known: Known, text: str, earlier: Collection[str]) -> list[str]:
    try:
        return _named(spec, known, known.language.condition(text), earlier, in_fan_out=False)[1]
    except ConditionError as error:
        return [str(error)]


def _value(spec: WorkflowSpec, known: Known, text: str, earlier: Collection[str]) -> list[str]:
    try:
        listed = known.language.computed(text).expressions
    except ConditionError as error:
        return [str(error)]
    return [reason for expression in listed for reason in _named(spec, known, expression, earlier, in_fan_out=False)[1]]


def _expressions(
    spec: WorkflowSpec, known: Known, value: Any, earlier: Collection[str], *, in_fan_out: bool
) -> tuple[Kind, list[str]]:
    """The kind of a value with expressions in it (empty: it has none), and what is wrong with them."""
    try:
        whole = known.language.text(value) if isinstance(value, str) else None
        listed = whole.expressions if whole else list(known.language.inside(value))
    except ConditionError as error:
        return "any", [str(error)]
    checked = [_named(spec, known, expression, earlier, in_fan_out=in_fan_out) for expression in listed]
    reasons = [reason for _, wrong in checked for reason in wrong]
    if whole is not None:
        return (checked[0][0] if whole.is_whole else "text"), reasons
    return ("any" if listed else ""), reasons


def _named(
    spec: WorkflowSpec, known: Known, expression: Condition, earlier: Collection[str], *, in_fan_out: bool
) -> tuple[Kind, list[str]]:
    """The kind of an expression's value, and the names in it that mean nothing."""
    kinds, wrong = [], []
    for path in paths(expression):
        kind, reason = _walk(spec, known, path, earlier, in_fan_out=in_fan_out)
        kinds.append(kind)
        if reason:
            wrong.append(f"{expression.source}: {reason}")
    return (kinds[0] if is_path(expression) else kind_of(expression)), wrong


def _walk(
    spec: WorkflowSpec, known: Known, path: tuple[str, ...], earlier: Collection[str], *, in_fan_out: bool
) -> tuple[Kind, str]:
    """Follow a path through what will be known when the step begins."""
    root, rest = path[0], path[1:]
    if root in ("item", "index"):
        return "any", "" if in_fan_out else f"{root} exists only in a step with several jobs (over)"
    if root == "inputs":
        keys = {field.key: field for field in spec.inputs}
        if not rest or rest[0] not in keys:
            return "any", f"there is no input {'.'.join(rest) or '?'}; inputs: {', '.join(keys) or 'none'}"
        kinds = {"integer": "number", "number": "number", "boolean": "boolean", "table": "list", "kmesh": "list"}
        return kinds.get(keys[rest[0]].type, "text"), ""
    if root == "parameters":
        return "any", ""
    if not rest or rest[0] not in spec.names:
        return "any", f"there is no step {'.'.join(rest[:1]) or '?'}"
    if rest[0] not in earlier:
        return "any", f"the step {rest[0]} does not come before this one"
    return _in_step(spec.step(rest[0]), rest[1:], known)


def _in_step(step: StepSpec, rest: tuple[str, ...], known: Known) -> tuple[Kind, str]:
    several = bool(step.over)
    rest = tuple(part for part in rest if part != "[]")
    shape: Any = {"state": "text", "parameters": "any", "job": "text"}
    match step.kind:
        case "job":
            shape |= {"results": known.results}
        case "values":
            shape |= {"values": dict.fromkeys(step.values, "any")}
        case _:
            inner = known.workflows.get(step.workflow)
            shape |= {"outputs": dict.fromkeys([output.name for output in inner.outputs], "any") if inner else "any"}
    if several:
        shape |= {"item": "any", "index": "number"}
    for part in rest:
        if isinstance(shape, str):
            if shape not in ("any", "mapping"):
                return "any", f"{part} cannot be part of a {shape}"
            return "any", ""
        if part not in shape:
            return "any", f"{step.name} has no {part}; it has {', '.join(list(shape)[:12])}"
        shape = shape[part]
    kind = shape if isinstance(shape, str) else "mapping"
    return ("list" if several else kind), ""


def _parameters(
    spec: WorkflowSpec, step: StepSpec, template: TemplateSpec, known: Known, earlier: Collection[str]
) -> list[tuple[str, str]]:
    """Parameters of a step against the fields of its template: those that are known now, and the kinds of the others."""
    fields = {field.key: field for field in template.fields}
    problems: list[tuple[str, str]] = []
    for key, value in {**{k: v for k, v in spec.parameters.items() if k in fields}, **step.parameters}.items():
        if key not in fields:
            problems.append((f"parameters.{key}", f"is not a parameter of {template.id}"))
            continue
        kind, wrong = _expressions(spec, known, value, earlier, in_fan_out=bool(step.over))
        problems += [(f"parameters.{key}", reason) for reason in wrong]
        if not kind:
            try:
                fields[key].read(value)
            except ValueError as error:
                problems.append((f"parameters.{key}", f"{error} (got {str(value)[:40]!r})"))
        elif kind not in ("any", *_FITS[fields[key].type]):
            problems.append((f"parameters.{key}", f"takes a {fields[key].type}, but {str(value)[:60]} is a {kind}"))
    return problems


def _over(spec: WorkflowSpec, step: StepSpec, known: Known, earlier: Collection[str]) -> list[tuple[str, str]]:
    if not step.over:
        return []
    template = known.templates.get(step.template)
    fields = {field.key: field for field in template.fields} if template else {}
    keys = set(fields) if template else _keys(known, step)
    if isinstance(step.over, str):
        try:
            expression = known.language.condition(step.over)
        except ConditionError as error:
            return [("over", str(error))]
        return [("over", reason) for reason in _named(spec, known, expression, earlier, in_fan_out=False)[1]]
    if isinstance(step.over, dict) and template is None:
        return [("over", "needs rows of parameters: axes are for steps of one template")]
    listed = [*step.over] if isinstance(step.over, dict) else sorted({key for row in step.over for key in row})
    problems = [
        ("over", f"{key} is not a parameter of {step.template or step.workflow}") for key in listed if key not in keys
    ]
    if isinstance(step.over, dict) and not problems:
        try:
            points([read_axis(fields[key], text) for key, text in step.over.items()], step.how)
        except ValueError as error:
            problems.append(("over", str(error)))
    if isinstance(step.over, list) and len(step.over) > MAX_ITEMS:
        problems.append(("over", f"has {len(step.over)} rows; at most {MAX_ITEMS} are allowed"))
    return problems


def rows_of(step: StepSpec, fields: Mapping[str, FieldSpec], value: Any = None) -> list[dict[str, Any]]:
    """The rows of a fan-out; `value` is what its expression gave.

    Raises:
        ValueError: they are no rows, or too many.
    """
    if isinstance(step.over, dict):
        return points([read_axis(fields[key], text) for key, text in step.over.items()], step.how)
    rows = step.over if isinstance(step.over, list) else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("needs rows of parameters")
    if not 1 <= len(rows) <= MAX_ITEMS:
        raise ValueError(f"has {len(rows)} rows; 1 to {MAX_ITEMS} are allowed")
    return [dict(row) for row in rows]
