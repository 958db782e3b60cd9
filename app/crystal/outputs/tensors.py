"""Tensors as outputs print them: rows whose numbers may touch, and tables of components headed by what their columns are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from app.crystal.outputs.facts.polarisation import Tensor
from app.crystal.outputs.sheet import finite_number, number

_NUMBER = re.compile(r"[-+]?\d*\.\d+(?:[EeDd][-+]?\d+)?")
_FIXED = re.compile(r"[-+]?\d*\.\d{5}")
_HEADING = re.compile(r"(?P<name>[A-Z][A-Z0-9]*(?:\(\d\))?)(?P<notes>(?: *\([^)]*\))*)(?P<unit> *PM/V)?", re.IGNORECASE)
_NOTE = re.compile(r"\(([^)]*)\)")
_PARTS = re.compile(r"^\s*re(?:al)?\s*,\s*im", re.IGNORECASE)

WIDEST = 400
"""Characters of a row; a longer line is no row of a table."""


def numbers_in(text: str, count: int) -> list[float] | None:
    """`count` numbers of a row; those of five decimals may touch each other. None: it does not hold just so many."""
    if len(text) > WIDEST:
        return None
    words = text.split()
    if len(words) == count:
        with suppress(ValueError):
            return [finite_number(word) for word in words]
    for pattern in (_NUMBER, _FIXED):
        parts = pattern.findall(text)
        if len(parts) == count and not pattern.sub("", text).strip():
            return [number(part) for part in parts]
    return None


@dataclass(frozen=True)
class Column:
    """A quantity of a table of components: its name, whether real and imaginary parts stand side by side, its unit as printed."""

    name: str
    is_complex: bool = False
    unit: str | None = None

    @property
    def width(self) -> int:
        """How many numbers of a row it takes."""
        return 2 if self.is_complex else 1


def columns_of(heading: str) -> list[Column]:
    """What stands behind the word COMPONENT (or COMP.) of a heading, such as `ALPHA(Re,Im)   EPSILON   CHI(1)`."""
    columns = []
    for match in _HEADING.finditer(heading):
        notes = _NOTE.findall(match["notes"])
        units = [note for note in notes if not _PARTS.match(note)]
        unit = match["unit"] or (units[0] if units else "")
        columns.append(Column(match["name"].upper(), len(units) < len(notes), unit.strip() or None))
    return columns


_COMPONENT = re.compile(r"COMP(?:ONENTS?|\.)?\s+(?P<columns>\S.*)$")


MOST_ROWS = 20_000


@dataclass
class ComponentTable:
    """Rows of components over columns, read one by one. `rank` is how many axes name a component.

    Before the component may stand the frequencies of the fields in eV.
    """

    rank: int
    columns: list[Column] = field(default_factory=list)
    rows: list[tuple[tuple[float, ...], str, list[float] | None]] = field(default_factory=list)
    """Frequencies, component, values; None where a value could not be printed."""

    def take(self, line: str) -> bool:
        """Read a line. False: it does not belong to the table."""
        if len(line) > WIDEST or len(self.rows) >= MOST_ROWS:
            return False
        if not line.strip() or line.strip(" -=") == "":
            return True
        if not self.columns:
            if match := _COMPONENT.search(line):
                self.columns = columns_of(match["columns"])
            return True
        row = re.match(rf"^(?P<fields>[ \d.+-]*?) *(?P<axes>[XYZ]{{{self.rank}}})(?![A-Z]) *(?P<values>.*)$", line)
        if row is None:
            return False
        frequencies = tuple(number(part) for part in _NUMBER.findall(row["fields"]))
        width = sum(column.width for column in self.columns)
        self.rows.append((frequencies, row["axes"], numbers_in(row["values"], width)))
        return True

    def place(self, name: str) -> int | None:
        """Where the values of a column begin in a row."""
        at = 0
        for column in self.columns:
            if column.name == name:
                return at
            at += column.width
        return None

    def tensor(self, frequencies: tuple[float, ...], name: str, imaginary: bool = False) -> Tensor | None:
        """A symmetric tensor of rank two. Components that are not printed vanish by symmetry; the diagonal must stand there."""
        at = self.place(name)
        if at is None or (imaginary and not self._is_complex(name)):
            return None
        parts = {axes: values for own, axes, values in self.rows if own == frequencies}
        if None in parts.values() or not {"XX", "YY", "ZZ"} <= parts.keys():
            return None
        tensor = [[0.0] * 3 for _ in range(3)]
        for axes, values in parts.items():
            i, j = ("XYZ".index(axis) for axis in axes)
            tensor[i][j] = tensor[j][i] = (values or [])[at + imaginary]
        return tensor

    def _is_complex(self, name: str) -> bool:
        return any(column.name == name and column.is_complex for column in self.columns)


def refractive_indices(dielectric: Sequence[Sequence[float]]) -> list[float] | None:
    """Square roots of the principal values of a real dielectric tensor; None where the field does not pass undamped."""
    values = np.linalg.eigvalsh(np.array(dielectric, dtype=float))
    return [round(float(value), 6) for value in np.sqrt(values)] if values.min() > 0 else None
