"""What a template's metadata say: files rendered, fields, presets, checks. Read from `template.toml`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.conditions import condition
from app.domain.fields import FieldSpec, FieldType, validate
from app.errors import FieldError, InvalidInput


class TemplateFile(BaseModel):
    """One rendered file. The role decides the program: d12 is read by crystal, d3 by properties."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_]+\.(d12|d3)$")
    role: Literal["d12", "d3"]
    when: str = Field("", description="Expression over the fields; the file is rendered only where it holds.")
    verbatim: bool = Field(False, description="A person's own text: only the deck checker judges its form.")

    def wanted(self, values: dict[str, Any]) -> bool:
        return not self.when or condition(self.when).holds(values)

    @property
    def source(self) -> str:
        return f"{self.name}.j2"


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

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    description: str
    category: str = "General"
    tags: tuple[str, ...] = ()
    author: str = ""
    version: str = "1"
    files: tuple[TemplateFile, ...] = Field(min_length=1)
    fields: tuple[FieldSpec, ...]
    checks: tuple[Check, ...] = ()
    presets: tuple[Preset, ...] = ()
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
    def groups(self) -> list[tuple[str, list[FieldSpec]]]:
        """Fields by group, in the order of the file."""
        groups: dict[str, list[FieldSpec]] = {}
        for field in self.fields:
            groups.setdefault(field.group, []).append(field)
        return list(groups.items())

    def read(self, raw: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
        """Typed values and all errors, those of the cross-field checks included."""
        values, errors = validate(self.fields, raw)
        faulty = {error.field for error in errors}
        for check in self.checks:
            rule = condition(check.expression)
            if rule.names <= values.keys() and not rule.names & faulty and not rule.holds(values):
                field = check.field or sorted(rule.names)[0]
                errors.append(FieldError(field, check.message, str(values.get(field, ""))[:80]))
        return values, errors

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
        f"The parameters of template {template_id} are wrong: {listed}{more}.",
        hint="Correct the named fields; nothing was submitted.",
        fields=errors,
    )


_JSON_TYPES: dict[FieldType, str] = {
    "integer": "integer", "number": "number", "boolean": "boolean", "string": "string", "text": "string",
    "choice": "string", "table": "array",
}  # fmt: skip


def json_schema(spec: TemplateSpec) -> dict[str, Any]:
    """The template as JSON Schema (2020-12), with a complete, runnable parameter set under `examples`."""
    properties = {field.key: _property(field) for field in spec.fields}
    required = [
        f.key
        for f in spec.fields
        if f.required and f.default is None and not f.default_from and not f.visible_when and f.type != "boolean"
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:crystaldeck:template:{spec.id}:{spec.version}",
        "title": spec.title,
        "description": spec.description,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required,
        "x-crystaldeck-checks": [check.model_dump() for check in spec.checks],
        "x-crystaldeck-presets": [preset.model_dump() for preset in spec.presets],
        "examples": [spec.example],
    }


def _property(field: FieldSpec) -> dict[str, Any]:
    schema: dict[str, Any] = {"title": field.label, "type": _JSON_TYPES[field.type]}
    if field.help:
        schema["description"] = field.help
    if field.default is not None:
        schema["default"] = field.default
    if field.type in ("integer", "number"):
        schema |= {k: v for k, v in (("minimum", field.min), ("maximum", field.max)) if v is not None}
    if field.choices:
        schema["enum"] = [choice.value for choice in field.choices]
    if field.pattern:
        schema["pattern"] = f"^(?:{field.pattern})$"
    if field.columns:
        schema["items"] = {
            "type": "array",
            "prefixItems": [{"title": c.key, "type": _JSON_TYPES[c.type]} for c in field.columns],
            "minItems": len(field.columns),
            "maxItems": len(field.columns),
        }
        schema |= {"minItems": field.min_rows, "maxItems": field.max_rows}
    extras = {"unit": field.unit, "visible-when": field.visible_when, "default-from": field.default_from}
    schema |= {f"x-crystaldeck-{key}": value for key, value in extras.items() if value}
    return schema
