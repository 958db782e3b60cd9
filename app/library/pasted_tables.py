"""Pasted tables and CSV files, read in worker processes: the first line names the columns, each further one is a row."""

from __future__ import annotations

import csv
import io
from typing import Any

from app.domain.templates.metadata import TemplateSpec
from app.errors import FieldError, InvalidInput

MAX_TABLE = 2_000_000
"""Characters."""
MAX_ROWS = 1000
MAX_COLUMNS = 200


def read_table(
    spec: TemplateSpec, text: str, row_keys: tuple[str, ...], resource_keys: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Rows by column, from text separated by tabs, semicolons or commas.

    Raises:
        InvalidInput: no header, an unknown column, too many columns, or a row of a different length.
    """
    if len(text) > MAX_TABLE:
        raise InvalidInput(f"The table has {len(text)} characters; at most {MAX_TABLE} are allowed.", hint="Split it.")
    header = text.lstrip("\ufeff\r\n").partition("\n")[0]
    separator = next((char for char in "\t;," if char in header), ",")
    lines: list[list[str]] = []
    for line in csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=separator):
        if any(map(str.strip, line)):
            lines.append(line)
        if len(lines) > MAX_ROWS + 1:
            raise InvalidInput(
                f"The table has more than {MAX_ROWS} rows (the limit).", hint="Put the rest into another batch."
            )
    if len(lines) < 2:
        raise InvalidInput(
            "The table has no rows.", hint="The first line names the columns, each further line is a job."
        )
    columns = _columns(spec, lines[0], row_keys, resource_keys)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(columns):
            raise InvalidInput(
                f"Line {number} of the table has {len(line)} cells, the header {len(columns)}.",
                hint="Put a cell that contains the separator in double quotes.",
                fields=[FieldError("table", f"line {number} has {len(line)} cells")],
            )
        rows.append({column: cell.strip() for column, cell in zip(columns, line, strict=True)})
    return rows


def _columns(
    spec: TemplateSpec, header: list[str], row_keys: tuple[str, ...], resource_keys: tuple[str, ...]
) -> list[str]:
    """Keys of the columns, which are named by key or by label."""
    if len(header) > MAX_COLUMNS:
        raise InvalidInput(
            f"The table has {len(header)} columns; at most {MAX_COLUMNS} are allowed.", hint="Remove some columns."
        )
    names = {field.key: field.key for field in spec.fields} | {field.label.lower(): field.key for field in spec.fields}
    names |= {key: key for key in row_keys} | {key: f"resources.{key}" for key in resource_keys}
    names |= {f"resources.{key}": f"resources.{key}" for key in resource_keys}
    columns = [names.get(cell.strip().lower(), names.get(cell.strip(), "")) for cell in header]
    if "" in columns:
        unknown = [cell.strip()[:40] for cell, column in zip(header, columns, strict=True) if not column]
        raise InvalidInput(
            f"Unknown column {unknown[0]!r}.",
            hint=f"Columns: name, cluster, priority, walltime …, or a parameter of {spec.id} by key or label.",
            fields=[FieldError("table", f"has an unknown column {name}") for name in unknown[:20]],
        )
    return columns
