"""A workflow as people write it: steps, what passes between them, and what is to come out. Pure.

A step is one of three: jobs of a template, another workflow, or values computed from earlier steps. What passes along an
edge is worked out in `wiring`; whether all of it makes sense is said by `workflow_checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.domain.templates.conditions import ConditionError
from app.domain.templates.fields import FieldSpec
from app.domain.workflows.expressions import Language, paths
from app.errors import FieldError, InvalidInput

NAME = r"^[a-z][a-z0-9_]{0,39}$"
MAX_STEPS = 100
MAX_INPUTS = 50
MAX_OUTPUTS = 100
MAX_VALUES = 50
"""Values that one step computes."""
MAX_NAMED = 200
"""Steps that one step names, files that it takes, remedies that it tries."""
MAX_ITEMS = 1000
"""Most jobs of one step."""
_DECK = re.compile(r"\.(d12|d3)(\.j2)?$")
Policy = Literal["skip", "continue", "ask"]


class StepSpec(BaseModel):
    """One step. Values may hold expressions: `{{ steps.opt.results.energy_total }}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    title: str = ""
    template: str = Field("", description="The template of its jobs.")
    workflow: str = Field("", description="The workflow of the library that it runs instead.")
    values: dict[str, str] = Field(
        default_factory=dict, max_length=MAX_VALUES, description="The values that it computes instead, by name."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that override those of the workflow."
    )
    after: tuple[str, ...] = Field((), max_length=MAX_NAMED, description="Steps that must have ended before.")
    files: dict[str, str] = Field(
        default_factory=dict, description="Where a file field takes its file from, as `step:role`; empty: no file."
    )
    when: str = Field("", description="An expression; where it is false, the step is skipped.")
    over: str | dict[str, str] | list[dict[str, Any]] = Field(
        "", description="One job for each: rows of parameters, axes as of a sweep, or an expression that gives rows."
    )
    how: Literal["grid", "zip"] = Field("grid", description="How axes are combined.")
    cluster: str = Field("", description="The cluster; empty: that of the run.")
    resources: dict[str, Any] = Field(default_factory=dict, description="Resources that override those of the run.")
    retries: int = Field(2, ge=0, le=10, description="How often a job is restarted after a machine failure.")
    backoff: float = Field(30.0, ge=0, le=86400, description="Seconds before the first restart; doubled each time.")
    remedies: tuple[str, ...] = Field(
        (), max_length=MAX_NAMED, description="Remedies that are tried in turn when a calculation fails."
    )
    on_failure: Policy = Field("skip", description="What to do about dependent steps if it still fails.")

    @field_validator("template")
    @classmethod
    def _short(cls, value: str) -> str:
        """`scf.d12.j2`, as the files are called, names the template `scf`."""
        return _DECK.sub("", value)

    @model_validator(mode="after")
    def _one_kind(self) -> StepSpec:
        if sum(map(bool, (self.template, self.workflow, self.values))) != 1:
            raise ValueError("a step needs one of template, workflow and values")
        if self.values and (self.over or self.remedies or self.parameters or self.files):
            raise ValueError("a step of values has no parameters, files, remedies or over")
        if self.workflow and (self.files or self.remedies):
            raise ValueError("a step that runs a workflow has no files and remedies of its own")
        return self

    @property
    def kind(self) -> Literal["job", "workflow", "values"]:
        """Does the step make jobs, run a workflow, or compute values?"""
        return "job" if self.template else "workflow" if self.workflow else "values"

    @property
    def heading(self) -> str:
        """Title for a page."""
        return self.title or self.name.replace("_", " ")


class OutputSpec(BaseModel):
    """A result of the whole workflow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    value: str
    label: str = ""
    unit: str = ""


class WorkflowSpec(BaseModel):
    """A whole workflow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    title: str = ""
    description: str = ""
    inputs: tuple[FieldSpec, ...] = Field(
        (), max_length=MAX_INPUTS, description="Inputs asked for at the start besides parameters of the templates."
    )
    parameters: dict[str, Any] = Field(default_factory=dict, description="For every step whose template has the field.")
    steps: tuple[StepSpec, ...] = Field(min_length=1, max_length=MAX_STEPS)
    outputs: tuple[OutputSpec, ...] = Field((), max_length=MAX_OUTPUTS)

    @model_validator(mode="after")
    def _names(self) -> WorkflowSpec:
        for what, names in (
            ("steps", [step.name for step in self.steps]),
            ("outputs", [output.name for output in self.outputs]),
            ("inputs", [field.key for field in self.inputs]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"two {what} are named {twice[0]}")
        return self

    @property
    def heading(self) -> str:
        """Title for a page."""
        return self.title or self.name.replace("_", " ")

    def step(self, name: str) -> StepSpec:
        """The step of this name, which must exist."""
        return next(step for step in self.steps if step.name == name)

    @property
    def names(self) -> list[str]:
        """Names of all steps, in the order of the definition."""
        return [step.name for step in self.steps]


def read_workflow(raw: Mapping[str, Any]) -> WorkflowSpec:
    """A workflow from TOML, JSON, or what the Python classes make.

    Raises:
        InvalidInput: every wrong place, as `steps.2.template`.
    """
    fields = dict(raw)
    if isinstance(fields.get("name"), str):
        fields["name"] = re.sub(r"[^a-z0-9_]+", "_", fields["name"].lower()).strip("_")[:40]
    try:
        return WorkflowSpec.model_validate(fields)
    except ValidationError as error:
        wrong = [
            FieldError(
                ".".join(map(str, item["loc"])) or "workflow",
                item["msg"].removeprefix("Value error, "),
                str(item.get("input", ""))[:60],
            )
            for item in error.errors()
        ]
        reasons = "; ".join(f"{entry.field}: {entry.reason}" for entry in wrong[:5])
        raise InvalidInput(
            f"The workflow cannot be read: {reasons}.",
            hint="Correct the named entries; nothing was saved or submitted.",
            fields=wrong,
        ) from error


def as_written(spec: WorkflowSpec) -> dict[str, Any]:
    """The workflow as it is kept and sent: what is as by default is left out."""
    return spec.model_dump(mode="json", exclude_defaults=True)


def with_parameters(definition: Mapping[str, Any], steps: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A definition with parameters of single steps changed.

    Raises:
        InvalidInput: there is no such step.
    """
    if unknown := sorted(set(steps) - {step["name"] for step in definition["steps"]}):
        raise InvalidInput(
            f"There is no step {unknown[0][:40]!r}.",
            hint="See the steps of the workflow.",
            fields=[FieldError(f"steps.{name}", "is not a step of this workflow") for name in unknown],
        )
    return {
        **definition,
        "steps": [
            {**step, "parameters": {**step.get("parameters", {}), **steps[step["name"]]}}
            if step["name"] in steps
            else step
            for step in definition["steps"]
        ],
    }


_ROWS_OF_ONE = re.compile(r"(?:\{\{)?\s*rows\(\s*['\"]([a-z][a-z0-9_]*)['\"]\s*,")


def row_keys(step: StepSpec) -> set[str] | None:
    """Parameters that the rows of a fan-out name; None where only a result will tell."""
    if isinstance(step.over, dict):
        return set(step.over)
    if isinstance(step.over, list):
        return {key for row in step.over for key in row}
    if not step.over:
        return set()
    match = _ROWS_OF_ONE.match(step.over.strip())
    return {match.group(1)} if match else None


def named_steps(language: Language, step: StepSpec) -> set[str]:
    """Steps that the expressions of a step name; wrong expressions name none."""
    names: set[str] = set()
    try:
        listed = [*language.inside(step.parameters), *language.inside(step.resources)]
        listed += [part for text in step.values.values() for part in language.computed(text).expressions]
        listed += [language.condition(step.when)] if step.when else []
        listed += list(language.inside(step.over))
    except ConditionError:
        return names
    for expression in listed:
        names |= {path[1] for path in paths(expression) if path[0] == "steps" and len(path) > 1}
    return names


def dependencies(language: Language, spec: WorkflowSpec) -> dict[str, list[str]]:
    """For each step those that must end before it: said by `after`, named in an expression, or a source of files."""
    listed = {}
    for step in spec.steps:
        sources = [source.partition(":")[0] for source in step.files.values() if source]
        named = [*step.after, *sources, *sorted(named_steps(language, step))]
        listed[step.name] = [name for name in dict.fromkeys(named) if name in spec.names]
    return listed


def in_order(before: Mapping[str, list[str]]) -> list[str]:
    """Steps so that each comes behind those that it depends on.

    Raises:
        ValueError: they go round in a circle; says which.
    """
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise ValueError(f"the steps {' → '.join(error.args[1])} depend on each other in a circle") from error


def ancestors(before: Mapping[str, list[str]], name: str) -> list[str]:
    """All steps that a step depends on, the nearest first."""
    reached: dict[str, None] = {}
    level = list(before.get(name, ()))
    while level:
        fresh = [parent for parent in dict.fromkeys(level) if parent not in reached]
        reached |= dict.fromkeys(fresh)
        level = [earlier for parent in fresh for earlier in before.get(parent, ())]
    return list(reached)
