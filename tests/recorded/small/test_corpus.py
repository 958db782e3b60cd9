"""The second opinion on recorded outputs, decks, structures and files of properties."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.library.archive.corpus import examine
from app.services.upkeep.corpus import files_below
from tests.support.session.reference import RECORDED

FILES = list(files_below(RECORDED)) if RECORDED.is_dir() else []
CASES = list(files_below(RECORDED.parents[1] / "cases")) if (RECORDED.parents[1] / "cases").is_dir() else []


@pytest.mark.parametrize(("path", "kind"), FILES, ids=lambda value: value.name if isinstance(value, Path) else "")
def test_nothing_disagrees(path: Path, kind: str) -> None:
    entry = examine(path, str(path.relative_to(RECORDED)), kind)
    assert (entry.disagrees, entry.examined) == ([], True)
    if kind == "data":
        assert not entry.verdict.startswith("refused")


@pytest.mark.parametrize(("path", "kind"), CASES, ids=lambda value: value.name if isinstance(value, Path) else "")
def test_nothing_disagrees_in_small_cases(path: Path, kind: str) -> None:
    entry = examine(path, path.name, kind)
    assert (entry.disagrees, entry.examined) == ([], True)
