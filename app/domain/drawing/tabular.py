"""Columns of numbers as a CSV file: what stands under a plot, for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(columns: Mapping[str, Sequence[Any]]) -> str:
    """Columns of one length or shorter, which end in empty cells. Text that a spreadsheet would compute gets a quote before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in zip_longest(*columns.values(), fillvalue=None))
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else repr(value) if isinstance(value, float) else value
