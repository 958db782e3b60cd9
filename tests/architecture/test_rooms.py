"""Rooms stay small: modules, and the folders that hold them, of the service and of its tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from tests.support.machines.lab import REPOSITORY

LONGEST = 450
MIDDLE = 150
MOST_MODULES = 15


def modules(root: str) -> dict[Path, int]:
    """Lines of each module below a folder; what only marks a folder as a package is no module."""
    return {
        path.relative_to(REPOSITORY): len(path.read_text(encoding="utf-8").splitlines())
        for path in (REPOSITORY / root).rglob("*.py")
        if path.name != "__init__.py" and "_share" not in path.parts
    }


def test_no_module_is_too_long() -> None:
    """Divide it where its subject divides."""
    assert not {str(path): lines for path, lines in modules("app").items() if lines > LONGEST}


def test_half_of_the_modules_are_short() -> None:
    assert median(modules("app").values()) <= MIDDLE


@pytest.mark.parametrize("root", ["app", "tests"])
def test_no_folder_is_crowded(root: str) -> None:
    """Divide it into rooms that are named after what happens in them."""
    counted = Counter(str(path.parent) for path in modules(root))
    assert not {name: count for name, count in counted.items() if count > MOST_MODULES}
