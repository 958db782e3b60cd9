"""JSON Schemas: of a template's parameters, for notebooks, and of `template.toml` itself, for editors."""

from __future__ import annotations

from typing import Any

from app.domain.templates.answers import FILE_REFERENCE
from app.domain.templates.fields import COMPOSITES, FieldSpec, FieldType
from app.domain.templates.metadata import TemplateSpec

_JSON_TYPES: dict[FieldType, str] = {
    "integer": "integer", "number": "number", "boolean": "boolean", "string": "string", "text": "string",
    "choice": "string", "table": "array", "file": "string", "multichoice": "array",
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
    schema: dict[str, Any] = {"title": field.label} | _shape(field)
    if field.help:
        schema["description"] = field.help
    if field.default is not None:
        schema["default"] = field.default
    if field.type in ("integer", "number"):
        schema |= {k: v for k, v in (("minimum", field.min), ("maximum", field.max)) if v is not None}
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
    extras = {
        "unit": field.unit,
        "visible-when": field.visible_when,
        "enabled-when": field.enabled_when,
        "default-from": field.default_from,
        "choices-from": field.choices_from,
        "sweepable": field.sweepable,
        "since": field.since,
        "role": field.role,
        "staged-as": field.staged_as,
    }
    schema |= {f"x-crystaldeck-{key}": value for key, value in extras.items() if value}
    return schema


def _shape(field: FieldSpec) -> dict[str, Any]:
    """Type and allowed values."""
    values = [choice.value for choice in field.choices]
    if field.type == "multichoice":
        return {"type": "array", "items": {"enum": values}, "uniqueItems": True}
    if field.type == "kmesh":
        limits = {k: v for k, v in (("minimum", field.min), ("maximum", field.max)) if v is not None}
        factor = {"type": "integer"} | limits
        return {"oneOf": [factor, {"type": "array", "items": factor, "minItems": 1, "maxItems": 3}]}
    if field.type == "file":
        return {"type": "string", "pattern": f"^(?:{FILE_REFERENCE.pattern})$"}
    shape: dict[str, Any] = {"type": _JSON_TYPES[field.type]}
    return shape | ({"enum": values} if field.type == "choice" else {})


def metadata_schema() -> dict[str, Any]:
    """The JSON Schema of `template.toml` itself, for editors."""
    schema = TemplateSpec.model_json_schema()
    fields = schema["$defs"]["FieldSpec"]
    composite = {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "description": "Stands for the fields of a structure, a basis set or a band path.",
        "properties": {"type": {"enum": list(COMPOSITES)}, "kinds": {"type": "array", "items": {"type": "string"}}},
    }
    schema["$defs"]["Composite"] = composite
    schema["properties"]["fields"]["items"] = {"anyOf": [{"$ref": "#/$defs/FieldSpec"}, {"$ref": "#/$defs/Composite"}]}
    parts = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Shared parts, such as structure or hamiltonian.",
    }
    schema["properties"] |= {"before": parts, "after": parts}
    assert fields["properties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:crystaldeck:template.toml"} | schema
