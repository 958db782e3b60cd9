"""What a template's metadata say: files rendered, fields, presets, checks. Read from `template.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.bounds import together
from app.domain.templates.answers import shortened
from app.domain.templates.conditions import ConditionTooLarge, condition
from app.domain.templates.fields import Choice, FieldSpec, validate
from app.errors import FieldError, InvalidInput

MAX_FILES = 12
MAX_FIELDS = 400
"""The shared parts have some 90 together."""
MAX_CHECKS = 200
MAX_PRESETS = 60


class TemplateFile(BaseModel):
    """One rendered file. The role decides the program: d12 is read by crystal, d3 by properties, the rest lies beside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_]+\.[A-Za-z0-9]+$")
    role: Literal["d12", "d3", "auxiliary"]
    when: str = Field("", description="Expression over the fields; the file is rendered only where it is true.")
    verbatim: bool = Field(False, description="Free text by a user: only the deck checker judges its form.")

    @model_validator(mode="after")
    def _named_by_role(self) -> TemplateFile:
        if self.role != "auxiliary" and not self.name.endswith(f".{self.role}"):
            raise ValueError(f"file {self.name}: its name must end in .{self.role}")
        if self.role == "auxiliary" and self.name.endswith((".d12", ".d3", ".sh")):
            raise ValueError(f"file {self.name}: an auxiliary file must not be named like a deck or a script")
        return self

    def wanted(self, values: dict[str, Any]) -> bool:
        """Is the file rendered for these values?"""
        return not self.when or condition(self.when).holds(values)

    @property
    def source(self) -> str:
        """Name of the Jinja file that renders it."""
        return f"{self.name}.j2"


class Product(BaseModel):
    """A file that the job leaves for later jobs: its role, and its name in the job's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str
    name: str


class Check(BaseModel):
    """A condition over several fields that must hold; else `message` is shown at `field`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expression: str
    message: str
    field: str = ""


class Preset(BaseModel):
    """A named set of answers; what it does not name stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: str
    description: str = ""
    values: dict[str, Any]


class TemplateSpec(BaseModel):
    """The metadata of one template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    title: str
    description: str
    category: str = "General"
    tags: tuple[str, ...] = ()
    author: str = ""
    version: str = "1"
    crystal_versions: tuple[str, ...] = Field(("17", "23"), description="Programs that read these decks.")
    since: int = Field(
        default=0, ge=0, le=99, description="Year of the first CRYSTAL that can run it; 0: all that are in use."
    )
    produces: tuple[Product, ...] = Field((), description="Files that later jobs can read, by role.")
    files: tuple[TemplateFile, ...] = Field(min_length=1, max_length=MAX_FILES)
    fields: tuple[FieldSpec, ...] = Field(max_length=MAX_FIELDS)
    checks: tuple[Check, ...] = Field((), max_length=MAX_CHECKS)
    presets: tuple[Preset, ...] = Field((), max_length=MAX_PRESETS)
    example: dict[str, Any] = Field(default_factory=dict, description="A complete, runnable parameter set.")

    @model_validator(mode="after")
    def _consistent(self) -> TemplateSpec:
        keys = [field.key for field in self.fields]
        if len(set(keys)) != len(keys):
            raise ValueError("two fields have the same key")
        for check in self.checks:
            unknown = condition(check.expression).names - set(keys)
            if unknown:
                raise ValueError(f"check {check.expression!r} names unknown fields {sorted(unknown)}")
        fields = {field.key: field for field in self.fields}
        for preset in self.presets:
            for key, value in preset.values.items():
                if key not in fields:
                    raise ValueError(f"preset {preset.id} names the unknown field {key}")
                try:
                    fields[key].read(value)
                except ValueError as error:
                    raise ValueError(f"preset {preset.id}, field {key}: {error}") from error
        return self

    @property
    def needs(self) -> list[FieldSpec]:
        """The fields that attach files of earlier jobs."""
        return [field for field in self.fields if field.type == "file"]

    @property
    def sweepable(self) -> list[FieldSpec]:
        """Fields that can be an axis of a sweep."""
        return [field for field in self.fields if field.sweepable]

    def with_choices(self, lists: Mapping[str, Sequence[Choice]]) -> TemplateSpec:
        """The same template with the lists of `choices_from` filled in."""
        fields = tuple(
            field.model_copy(update={"choices": tuple(lists[field.choices_from])})
            if field.choices_from in lists
            else field
            for field in self.fields
        )
        return self.model_copy(update={"fields": fields})

    @property
    def groups(self) -> list[tuple[str, list[FieldSpec]]]:
        """Fields by group, in the order of the file."""
        groups: dict[str, list[FieldSpec]] = {}
        for field in self.fields:
            groups.setdefault(field.group, []).append(field)
        return list(groups.items())

    def read(self, raw: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
        """Typed values and all errors, those of the cross-field checks included."""
        with together():
            values, errors = validate(self.fields, raw)
            return values, errors + self._failed(values, errors)

    def _failed(self, values: dict[str, Any], errors: list[FieldError]) -> list[FieldError]:
        """The cross-field checks that do not hold, of fields that are right by themselves."""
        failed = []
        faulty = {error.field for error in errors}
        for check in self.checks:
            rule = condition(check.expression)
            if not rule.names <= values.keys() or rule.names & faulty:
                continue
            field = check.field or sorted(rule.names)[0]
            try:
                message = "" if rule.holds(values) else check.message
            except ConditionTooLarge as error:
                message = str(error)
            if message:
                failed.append(FieldError(field, message, shortened(values.get(field, ""))))
        return failed

    def require(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Typed values, or InvalidInput that names every wrong field."""
        values, errors = self.read(raw)
        if errors:
            raise refuse(self.id, errors)
        return values


def refuse(template_id: str, errors: list[FieldError]) -> InvalidInput:
    """The error that a wrong form answers with."""
    listed = "; ".join(
        f"{e.field} {e.reason.rstrip('.')}" + (f" (got {e.value!r})" if e.value else "") for e in errors[:5]
    )
    more = f" and {len(errors) - 5} more" if len(errors) > 5 else ""
    return InvalidInput(
        f"The parameters of template {template_id} are invalid: {listed}{more}.",
        hint="Correct the named fields; nothing was submitted.",
        fields=errors,
    )
