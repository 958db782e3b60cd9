"""Fields of an input template: what a form asks, and the one validator that turns answers into typed values.

HTML attributes and the JSON Schema are derived from these specifications; neither is an authority of its own.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.conditions import ConditionError, condition
from app.errors import FieldError

FieldType = Literal["integer", "number", "boolean", "string", "text", "choice", "table"]
_KEY = r"^[a-z][a-z0-9_]*$"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORTRAN_EXPONENT = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")


class Choice(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str
    label: str = ""
    group: str = ""

    @property
    def text(self) -> str:
        return self.label or self.value


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
    """One field. `default_from`, `visible_when` are expressions over other fields (see `conditions`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=_KEY)
    type: FieldType
    label: str
    help: str = ""
    keyword: str = Field("", description="The CRYSTAL keyword that the field writes.")
    unit: str = ""
    group: str = "General"
    advanced: bool = False
    required: bool = True
    default: Any = None
    default_from: str = ""
    visible_when: str = ""
    min: float | None = None
    max: float | None = None
    step: float | None = None
    pattern: str = ""
    max_length: int = 20000
    choices: tuple[Choice, ...] = ()
    columns: tuple[Column, ...] = ()
    min_rows: int = 1
    max_rows: int = 1000

    @model_validator(mode="after")
    def _complete(self) -> FieldSpec:
        for expression in (self.default_from, self.visible_when):
            if expression:
                condition(expression)
        if self.type == "choice" and not self.choices:
            raise ValueError(f"field {self.key}: a choice needs choices")
        if self.type == "table" and not self.columns:
            raise ValueError(f"field {self.key}: a table needs columns")
        return self

    def visible(self, values: dict[str, Any]) -> bool:
        return not self.visible_when or condition(self.visible_when).holds(values)

    def starting_value(self, values: dict[str, Any]) -> Any:
        """The default, computed from other fields where `default_from` says so."""
        if self.default_from:
            try:
                return condition(self.default_from).value(values)
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
                if value not in {choice.value for choice in self.choices}:
                    raise ValueError("must be one of " + ", ".join(choice.value for choice in self.choices))
                return value
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
                raise ValueError("must not hold control characters")
        if not value and self.required:
            raise ValueError("must not be empty")
        if len(value) > self.max_length:
            raise ValueError(f"must have at most {self.max_length} characters, has {len(value)}")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise ValueError(f"must match {self.pattern}")
        return value

    def _read_table(self, raw: Any) -> list[dict[str, Any]]:
        """Rows from JSON (lists or objects) or from text, one row a line, columns separated by blanks or commas."""
        if isinstance(raw, str):
            raw = [line.replace(",", " ").split() for line in raw.splitlines() if line.strip()]
        if not isinstance(raw, list):
            raise ValueError("must be rows")
        if not self.min_rows <= len(raw) <= self.max_rows:
            raise ValueError(f"must have {self.min_rows} to {self.max_rows} rows, has {len(raw)}")
        return [self._read_row(number, row) for number, row in enumerate(raw, start=1)]

    def _read_row(self, number: int, row: Any) -> dict[str, Any]:
        cells = [row.get(column.key) for column in self.columns] if isinstance(row, dict) else row
        if not isinstance(cells, list) or len(cells) != len(self.columns):
            wanted = " ".join(column.key for column in self.columns)
            raise ValueError(f"row {number} must have {len(self.columns)} columns: {wanted}")
        values: dict[str, Any] = {}
        for column, cell in zip(self.columns, cells, strict=True):
            try:
                values[column.key] = read_cell(column, cell)
            except ValueError as error:
                raise ValueError(f"row {number}, {column.key}: {error} (got {str(cell)[:40]})") from error
        return values

    def as_text(self, value: Any) -> str:
        """The value as it stands in a form control."""
        if value is None:
            return ""
        if self.type == "table" and isinstance(value, list):
            rows = [row.values() if isinstance(row, dict) else row for row in value]
            return "\n".join("  ".join(str(cell) for cell in row) for row in rows)
        if self.type == "boolean":
            return "true" if value in (True, "true", "on", "1") else ""
        return str(value)


def read_cell(column: Column, cell: Any) -> Any:
    if column.type == "string":
        if not isinstance(cell, (str, int)) or isinstance(cell, bool):
            raise ValueError("must be text")
        text = str(cell)
        if column.pattern and not re.fullmatch(column.pattern, text):
            raise ValueError(f"must match {column.pattern}")
        return text
    number = read_integer(cell) if column.type == "integer" else read_number(cell)
    return check_range(number, column.min, column.max)


def read_integer(raw: Any) -> int:
    """A whole number; True, 8.9 and '8.9' are refused rather than truncated."""
    if isinstance(raw, bool) or not isinstance(raw, (int, str, float)):
        raise ValueError("must be a whole number")
    if isinstance(raw, str) and not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", raw):
        raise ValueError("must be a whole number")
    if isinstance(raw, float) and not raw.is_integer():
        raise ValueError("must be a whole number")
    return int(raw)


def read_number(raw: Any) -> float:
    """A finite number; fractions such as 1/3 and Fortran exponents such as 1.0D-3 are understood."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise ValueError("must be a number")
    try:
        if isinstance(raw, str):
            numerator, slash, denominator = _FORTRAN_EXPONENT.sub("e", raw.strip()).partition("/")
            value = float(numerator) / float(denominator) if slash else float(numerator)
        else:
            value = float(raw)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError("must be a number") from None
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def read_boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in ("true", "on", "1", "yes"):
        return True
    if raw is None or (isinstance(raw, str) and raw.lower() in ("", "false", "off", "0", "no")):
        return False
    raise ValueError("must be true or false")


def check_range(value: float, low: float | None, high: float | None) -> float:
    if low is not None and value < low:
        raise ValueError(f"must be at least {low:g}")
    if high is not None and value > high:
        raise ValueError(f"must be at most {high:g}")
    return value


def validate(fields: tuple[FieldSpec, ...], raw: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Typed values of all visible fields, and every error. Invisible fields are dropped, never rendered.

    Fields are read in order, so `visible_when` and `default_from` may name earlier fields only.
    """
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for key in raw.keys() - {field.key for field in fields}:
        errors.append(FieldError(key, "is not a parameter of this template", str(raw[key])[:80]))
    for field in fields:
        if not field.visible(values):
            continue
        given = raw.get(field.key)
        if given is None or (given == "" and field.type not in ("text", "boolean")):
            given = field.starting_value(values)
        if given is None and field.type != "boolean":
            if field.required:
                errors.append(FieldError(field.key, "must be given"))
            continue
        try:
            values[field.key] = field.read(given)
        except ValueError as error:
            errors.append(FieldError(field.key, str(error), field.as_text(given)[:80]))
    return values, errors
