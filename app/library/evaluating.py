"""What the worker processes do with the expressions of workflows: values, conditions, rows of a fan-out, parameters.

An expression may walk through all results of a step with a thousand jobs, and a person wrote it: so it is evaluated here, and
what it makes is limited (`domain.bounds`, and the limits below).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.crystal.decks.remedies import REMEDIES
from app.crystal.language import LANGUAGE
from app.crystal.outputs.results import shape_of_results
from app.domain.templates.conditions import Condition, ConditionError
from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.checks import Checked, Known, check, rows_of
from app.domain.workflows.definition import OutputSpec, StepSpec, WorkflowSpec
from app.domain.workflows.expressions import paths
from app.domain.workflows.states import StepState

MAX_TOLD = 200
"""Characters of a value that is kept beside the expression that gave it."""
MAX_OUTCOME = 200_000
"""Bytes that the values of one step, or the rows of its fan-out, or the outputs of a run may have as JSON."""


@dataclass(frozen=True)
class Begun:
    """How a step begins: skipped or failed with its reason, or with tasks: a row of parameters for each."""

    state: StepState = StepState.RUNNING
    message: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    uses: list[list[dict[str, Any]]] = field(default_factory=list)
    """For each row the values that it takes, and from which jobs."""
    outcome: dict[str, Any] = field(default_factory=dict)
    """Of a step that computes values."""


def begin(
    step: StepSpec, fields: Sequence[FieldSpec], names: Mapping[str, Any], jobs_of: Mapping[str, list[str]]
) -> Begun:
    """The beginning of a step whose turn has come."""
    try:
        if step.when and not LANGUAGE.condition(step.when).value(names):
            return Begun(StepState.SKIPPED, f"The condition {step.when} is false.")
        if step.kind == "values":
            outcome = {key: LANGUAGE.computed(text).value(names) for key, text in step.values.items()}
            _refuse_large(outcome, "its values")
            return Begun(rows=[{}], uses=[uses_of(step, names, {}, jobs_of)], outcome=outcome)
        rows: list[dict[str, Any]] = [{}]
        if step.over:
            value = LANGUAGE.condition(step.over).value(names) if isinstance(step.over, str) else None
            rows = rows_of(step, {field.key: field for field in fields}, value)
            _refuse_large(rows, "its rows")
    except ConditionError as error:
        return Begun(StepState.FAILED, f"The step {step.name} cannot begin: {error}.")
    except ValueError as error:
        return Begun(StepState.FAILED, f"{error}.")
    return Begun(rows=rows, uses=[uses_of(step, names, row, jobs_of) for row in rows])


def _refuse_large(value: Any, what: str) -> None:
    size = len(json.dumps(value, default=str))
    if size > MAX_OUTCOME:
        raise ValueError(f"{what} take {size:,} bytes as JSON; at most {MAX_OUTCOME:,} are allowed")


def outputs(wanted: Sequence[OutputSpec], names: Mapping[str, Any]) -> dict[str, Any]:
    """The results of a whole workflow; what has no value says why."""
    results: dict[str, Any] = {}
    for output in wanted:
        try:
            value = LANGUAGE.fill(output.value, names)
            _refuse_large([value, *(result.get("value") for result in results.values())], "all outputs together")
        except ValueError as error:
            results[output.name] = {"value": None, "reason": str(error)}
        except Exception as error:
            # One that fails takes none of the others with it.
            results[output.name] = {"value": None, "reason": f"{type(error).__name__}: {error}"[:MAX_TOLD]}
        else:
            results[output.name] = {"value": value}
    return results


def fill(value: Any, names: Mapping[str, Any]) -> Any:
    """A parameter, a list or a mapping of them, with all expressions replaced by their values.

    Raises:
        ConditionError
    """
    return LANGUAGE.fill(value, names)


def pending(parameters: Mapping[str, Any], names: Mapping[str, Any]) -> tuple[str, ...]:
    """Parameters with expressions that have no value yet."""
    keys = []
    for key, value in parameters.items():
        try:
            LANGUAGE.fill(value, names)
        except ConditionError:
            keys.append(key)
    return tuple(keys)


def rows_now(step: StepSpec, fields: Sequence[FieldSpec], names: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of a fan-out as far as they are known before the run: one empty row where only a result will tell.

    Raises:
        ConditionError, ValueError: they are no rows.
    """
    if not step.over:
        return [{}]
    if not isinstance(step.over, str):
        return rows_of(step, {field.key: field for field in fields})
    expression = "{{" + step.over.strip().removeprefix("{{").removesuffix("}}") + "}}"
    if pending({"over": expression}, names):
        return [{}]
    return rows_of(step, {}, LANGUAGE.condition(step.over).value(names))


def read_inputs(text: str) -> Any:
    """The inputs of a workflow from the TOML of its editor; what is no TOML stays a text, which the check then refuses."""
    try:
        return tomllib.loads(text).get("inputs", [])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return f"not valid TOML: {error}"


def check_workflow(
    spec: WorkflowSpec, templates: Mapping[str, TemplateSpec], workflows: Mapping[str, WorkflowSpec]
) -> Checked:
    """The workflow with its order, its wiring and everything that is wrong with it."""
    return check(spec, known_of(templates, workflows))


def known_of(templates: Mapping[str, TemplateSpec], workflows: Mapping[str, WorkflowSpec]) -> Known:
    """What a workflow may name, these templates and workflows among it."""
    return Known(templates, workflows, shape_of_results(), list(REMEDIES), LANGUAGE)


def has_expressions(value: Any) -> bool:
    """Is there anything to evaluate in a parameter, a list or a mapping of them?"""
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, Mapping):
        return any(map(has_expressions, value.values()))
    return isinstance(value, (list, tuple)) and any(map(has_expressions, value))


def uses_of(
    step: StepSpec, names: Mapping[str, Any], item: Mapping[str, Any], jobs_of: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    """Which values came from which jobs, for those who ask later."""
    uses = []
    for key, expression in _expressions(step):
        givers = list(dict.fromkeys(path[1] for path in paths(expression) if path[0] == "steps" and len(path) > 1))
        if not givers:
            continue
        try:
            text = str(expression.value({**names, "item": item}))[:MAX_TOLD]
        except ConditionError:
            text = ""
        listed = list(dict.fromkeys(job for name in givers for job in jobs_of.get(name, [])))
        uses.append({"parameter": key, "expression": expression.source, "value": text, "jobs": listed, "steps": givers})
    return uses


def _expressions(step: StepSpec) -> Iterator[tuple[str, Condition]]:
    """All expressions of a step, with the parameter, value or key that they stand in."""
    for key, value in step.parameters.items():
        yield from ((key, expression) for expression in LANGUAGE.inside(value))
    for key, text in step.values.items():
        yield from ((key, expression) for expression in LANGUAGE.computed(text).expressions)
    for key, text in (("when", step.when), ("over", step.over if isinstance(step.over, str) else "")):
        if text:
            yield key, LANGUAGE.condition(text)
