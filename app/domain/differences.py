"""Differences between texts, file by file. Comparing takes long where texts have little in common: worker processes do it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

MOST_LINES = 2000
"""Lines of a difference that are shown; of one among many a quarter."""


def difference(before: Mapping[str, str], after: Mapping[str, str], most: int = MOST_LINES) -> str:
    """A unified difference over all files."""
    lines: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        lines += difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="", n=2)
    rest = len(lines) - most
    return "\n".join(lines if rest <= 0 else [*lines[:most], f"… and {rest} more lines"])


def step_by_step(versions: Sequence[Mapping[str, str]]) -> list[str]:
    """Of each version, the newest first, its difference to the one before."""
    return [
        difference(versions[place + 1] if place + 1 < len(versions) else {}, version, MOST_LINES // 4)
        for place, version in enumerate(versions)
    ]
