"""Fields of an input template: what a form asks, and the one validator that turns answers into typed values.

HTML attributes and the JSON Schema are derived from these specifications; neither is an authority of its own.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.bounds import together
from app.domain.templates.answers import (
    check_pattern,
    check_range,
    fits,
    listed,
    read_boolean,
    read_cell,
    read_file,
    read_integer,
    read_mesh,
    read_number,
    read_several,
    shortened,
)
from app.domain.templates.conditions import ConditionError, ConditionTooLarge, condition
from app.errors import FieldError

FieldType = Literal["integer", "number", "boolean", "string", "text", "choice", "multichoice", "table", "kmesh", "file"]
COMPOSITES = ("structure", "basis", "kpath")
"""Types that stand for a whole set of fields; the loader puts those of `_shared/<type>.toml` in their place."""
_KEY = r"^[a-z][a-z0-9_]*$"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_LENGTH = 1_000_000
"""Characters of a text: a deck's."""
MAX_ROWS = 10_000
MAX_CHOICES = 2000
MAX_COLUMNS = 40
TOLD = 20
"""Choices, or unknown parameters, that an error lists."""


class Choice(BaseModel):
    """One choice of a field: its value, its label and the group under which it is listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str
    label: str = ""
    group: str = ""
    since: int = Field(
        default=0, ge=0, le=99, description="Year of the first CRYSTAL that knows it; 0: all that are in use."
    )

    @property
    def text(self) -> str:
        """What the page shows for it."""
        return f"{self.label or self.value}{f' (CRYSTAL{self.since:02})' if self.since else ''}"


class Column(BaseModel):
    """One column of a table field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=_KEY)
    type: Literal["integer", "number", "string"] = "number"
    label: str = ""
    min: float | None = None
    max: float | None = None
    pattern: str = ""


class FieldSpec(BaseModel):
    """One field. `default_from`, `visible_when`, `enabled_when` are expressions over earlier fields (see `conditions`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=_KEY)
    type: FieldType
    label: str
    help: str = ""
    keyword: str = Field("", description="The CRYSTAL keyword that the field writes.")
    since: int = Field(
        default=0, ge=0, le=99, description="Year of the first CRYSTAL that knows it; 0: all that are in use."
    )
    unit: str = ""
    group: str = "General"
    advanced: bool = False
    required: bool = True
    default: Any = None
    default_from: str = ""
    visible_when: str = Field("", description="Where it is false, the field is dropped and never rendered.")
    enabled_when: str = Field("", description="Where it is false, the field is shown with its default.")
    min: float | None = None
    max: float | None = None
    step: float | None = None
    pattern: str = ""
    max_length: int = Field(20000, ge=1, le=MAX_LENGTH)
    choices: tuple[Choice, ...] = Field((), max_length=MAX_CHOICES)
    choices_from: str = Field("", description="A list kept by the service, such as basis_library.")
    sweepable: bool = Field(False, description="May be an axis of a sweep.")
    role: str = Field("", description="Of a file: wavefunction, geometry or restart.")
    staged_as: str = Field("", description="Of a file: the name under which the program finds it.")
    accept: tuple[str, ...] = Field((), description="Of a file: names that match, such as fort.9.")
    columns: tuple[Column, ...] = Field((), max_length=MAX_COLUMNS)
    min_rows: int = Field(1, ge=0, le=MAX_ROWS)
    max_rows: int = Field(1000, ge=1, le=MAX_ROWS)

    @model_validator(mode="after")
    def _complete(self) -> FieldSpec:
        for pattern in (self.pattern, *(column.pattern for column in self.columns)):
            check_pattern(pattern)
        for expression in (self.default_from, self.visible_when, self.enabled_when):
            if expression:
                condition(expression)
        if self.type in ("choice", "multichoice") and not self.choices and not self.choices_from:
            raise ValueError(f"field {self.key}: a choice needs choices or choices_from")
        if self.type == "file" and not (self.role and self.staged_as):
            raise ValueError(f"field {self.key}: a file needs role and staged_as")
        if self.type == "table" and not self.columns:
            raise ValueError(f"field {self.key}: a table needs columns")
        return self

    def visible(self, values: dict[str, Any]) -> bool:
        """Is the field part of the form, given the values of the others?"""
        return not self.visible_when or condition(self.visible_when).holds(values)

    def enabled(self, values: dict[str, Any]) -> bool:
        """May the field be changed, given the values of the others?"""
        return not self.enabled_when or condition(self.enabled_when).holds(values)

    def starting_value(self, values: dict[str, Any]) -> Any:
        """The default, computed from other fields where `default_from` says so."""
        if self.default_from:
            try:
                return condition(self.default_from).value(values)
            except ConditionTooLarge:
                raise
            except ConditionError:
                return self.default
        return self.default

    def read(self, raw: Any) -> Any:
        """Turn what a form (text) or a notebook (JSON) sent into a typed value.

        Raises:
            ValueError: the reason in words, without the field's name.
        """
        match self.type:
            case "integer":
                return self._in_range(read_integer(raw))
            case "number":
                return self._in_range(read_number(raw))
            case "boolean":
                return read_boolean(raw)
            case "choice":
                value = str(raw)
                known = [choice.value for choice in self.choices]
                if value not in known:
                    raise ValueError("must be one of " + (listed(known) or "a list that is still empty"))
                return value
            case "multichoice":
                return read_several(raw, [choice.value for choice in self.choices])
            case "kmesh":
                return read_mesh(raw, self.min, self.max)
            case "file":
                return read_file(raw)
            case "table":
                return self._read_table(raw)
        return self._read_string(raw)

    def _in_range(self, value: float) -> float:
        return check_range(value, self.min, self.max)

    def _read_string(self, raw: Any) -> str:
        if not isinstance(raw, str):
            raise ValueError("must be text")
        if self.type == "string":
            if _CONTROL.search(raw):
                raise ValueError("must be one line without control characters")
            value = raw.strip()
        else:
            value = raw.replace("\r\n", "\n").replace("\r", "\n")
            if _CONTROL.search(value.replace("\n", "").replace("\t", "")):
                raise ValueError("must not contain control characters")
        if not value and self.required:
            raise ValueError("must not be empty")
        if len(value) > self.max_length:
            raise ValueError(f"must be at most {self.max_length} characters long, not {len(value)}")
        if self.pattern and not fits(self.pattern, value):
            raise ValueError(f"must match {self.pattern}")
        return value

    def _read_table(self, raw: Any) -> list[dict[str, Any]]:
        """Rows from JSON (lists or objects) or from text, one row a line, columns separated by blanks or commas."""
        if isinstance(raw, str):
            raw = [line.replace(",", " ").split() for line in raw.splitlines() if line.strip()]
        if not isinstance(raw, list):
            raise ValueError("must be rows")
        if not self.min_rows <= len(raw) <= self.max_rows:
            raise ValueError(f"must have {self.min_rows} to {self.max_rows} rows, not {len(raw)}")
        return [self._read_row(number, row) for number, row in enumerate(raw, start=1)]

    def _read_row(self, number: int, row: Any) -> dict[str, Any]:
        cells = [row.get(column.key) for column in self.columns] if isinstance(row, dict) else row
        if not isinstance(cells, list) or len(cells) != len(self.columns):
            wanted = " ".join(column.key for column in self.columns)
            raise ValueError(f"row {number} must have {len(self.columns)} columns: {wanted}")
        values: dict[str, Any] = {}
        for column, cell in zip(self.columns, cells, strict=True):
            try:
                values[column.key] = read_cell(column.type, cell, column.pattern, column.min, column.max)
            except ValueError as error:
                raise ValueError(f"row {number}, {column.key}: {error} (got {shortened(cell, 40)})") from error
        return values

    def as_text(self, value: Any) -> str:
        """The value as a form control shows it."""
        if value is None:
            return ""
        if self.type == "table" and isinstance(value, list):
            rows = [row.values() if isinstance(row, dict) else row for row in value]
            return "\n".join("  ".join(str(cell) for cell in row) for row in rows)
        if isinstance(value, (list, tuple)):
            return " ".join(map(str, value))
        if self.type == "boolean":
            return "true" if value in (True, "true", "on", "1") else ""
        return str(value)


def validate(fields: tuple[FieldSpec, ...], raw: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Typed values of all visible fields, and every error. Invisible fields are dropped, never rendered.

    Fields are read in order, so `visible_when` and `default_from` may name earlier fields only.
    """
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    unknown = raw.keys() - {field.key for field in fields}
    for key in sorted(unknown)[:TOLD]:
        errors.append(FieldError(key[:80], "is not a parameter of this template", shortened(raw[key])))
    with together():
        for field in fields:
            if error := _answer(field, raw.get(field.key), values):
                errors.append(error)
    return values, errors


def _answer(field: FieldSpec, raw: Any, values: dict[str, Any]) -> FieldError | None:
    """Put the value of one field to the others, or answer what is wrong with it."""
    try:
        if not field.visible(values):
            return None
        if not field.enabled(values) or raw is None or (raw == "" and field.type not in ("text", "boolean")):
            raw = field.starting_value(values)
        if raw is None and field.type != "boolean":
            return FieldError(field.key, "is required") if field.required else None
        values[field.key] = field.read(raw)
    except ValueError as error:
        return FieldError(field.key, str(error), shortened(field.as_text(raw)))
    return None
