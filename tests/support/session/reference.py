"""Reference values of the recorded files, and a count of what was compared with them for the end of the test report."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "crystal"
"""Beside the project, not in it."""
TABLE: dict[str, Counter[str]] = {}
"""By recorded file: names of the reference values, and how many numbers each held."""


@cache
def reference() -> dict[str, Any]:
    file = RECORDED / "reference.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def cases(*endings: str) -> list[tuple[str, str]]:
    """Recorded files with reference values whose names end so."""
    return [
        (case, name)
        for case, entry in reference().items()
        for name in entry.get("values", {})
        if name.endswith(endings)
    ]


def compared(case: str, name: str, key: str, count: int = 1) -> None:
    """A value was found equal to the reference."""
    TABLE.setdefault(f"{case}/{name}", Counter())[key] += count


def packed() -> dict[str, dict[str, int]]:
    """The table, for another process."""
    return {file: dict(keys) for file, keys in TABLE.items()}


def unpack(table: dict[str, dict[str, int]]) -> None:
    """Add what another process compared."""
    for file, keys in table.items():
        TABLE.setdefault(file, Counter()).update(keys)


def lines() -> list[str]:
    """The table: file, how many values, which."""
    rows = [f"{file:58s} {sum(keys.values()):5d}  {', '.join(sorted(keys))}" for file, keys in sorted(TABLE.items())]
    total = sum(sum(keys.values()) for keys in TABLE.values())
    return [*rows, f"{len(rows)} files, {total} values, all equal"] if rows else []
