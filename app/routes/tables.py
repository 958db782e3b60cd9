"""Tables of values as texts, which a page only draws: what is shown of rows read from an output, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST = 200
"""Rows that a page shows; all of them are in the API."""
Column = tuple[str, str | int, str]
"""Heading, the field (or place) in a row, and the pattern of `%` for its values; without a pattern it is a text."""
AtomColumn = tuple[str, Sequence[Any] | None, str]
"""Heading, a value or a vector for each atom, and the pattern of its numbers. `{}` in the heading becomes the vector's axis."""
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Table:
    """Headings (text, and whether it is one of numbers), rows of texts, and how many rows there are in all."""

    headings: list[tuple[str, bool]]
    rows: list[list[str]]
    total: int


def formatted(value: Any, pattern: str = "") -> str:
    """A value by a pattern of `%`, as it stands where there is none; a dash where there is no value."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return " ".join(formatted(part, pattern) for part in value)
    return pattern % value if pattern else str(value)


def number_table(columns: Sequence[Column], rows: Sequence[Any]) -> Table:
    """Rows that are mappings or sequences. A column of which no row has a value is left out."""
    filled = [column for column in columns if any(_value(row, column[1]) is not None for row in rows)]
    return Table(
        [(heading, bool(pattern)) for heading, _, pattern in filled],
        [[formatted(_value(row, field), pattern) for _, field, pattern in filled] for row in rows[:MOST]],
        len(rows),
    )


def flat_rows(rows: Sequence[Mapping[str, Any]], *fields: str) -> list[list[Any]]:
    """The fields of each row side by side; one that is a list, or a tensor by rows, takes a place for each of its numbers."""
    return [[part for field in fields for part in _parts(row[field])] for row in rows]


def atom_table(atoms: Sequence[Mapping[str, Any]] | None, columns: Sequence[AtomColumn]) -> Table:
    """A row for each atom, named by its number and symbol. A column without values is left out; a vector takes three."""
    split = [narrow for column in columns for narrow in _by_axis(column)]
    total = max((len(values) for _, values, _ in split), default=0)
    rows = [[_name(atoms or (), place), *(_at(values, place) for _, values, _ in split)] for place in range(total)]
    numbered = [(heading, place, pattern) for place, (heading, _, pattern) in enumerate(split, 1)]
    return number_table([("Atom", 0, ""), *numbered], rows)


def _parts(value: Any) -> list[Any]:
    return [part for inner in value for part in _parts(inner)] if isinstance(value, list | tuple) else [value]


def _value(row: Any, field: str | int) -> Any:
    return row.get(field) if isinstance(row, Mapping) else row[field]


def _by_axis(column: AtomColumn) -> list[tuple[str, Sequence[Any], str]]:
    heading, values, pattern = column
    if not values:
        return []
    if not any(isinstance(value, list | tuple) for value in values):
        return [(heading, values, pattern)]
    vectors = [value or (None, None, None) for value in values]
    return [(heading.format(axis), [vector[place] for vector in vectors], pattern) for place, axis in enumerate(_AXES)]


def _name(atoms: Sequence[Mapping[str, Any]], place: int) -> str:
    return f"{place + 1} {atoms[place]['symbol']}" if place < len(atoms) else str(place + 1)


def _at(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None
