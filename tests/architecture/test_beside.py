"""Only the tests of recorded outputs look beside the clone; the guard that says so works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.session import beside


@pytest.mark.parametrize(
    "look",
    [
        lambda place: (place / "data" / "x").read_text(),
        lambda place: list(place.iterdir()),
        lambda place: subprocess.run(["cat", place / "x"], check=False),
    ],
    ids=["read", "list", "program"],
)
def test_whoever_looks_beside_the_clone_fails(look: object) -> None:
    assert callable(look)
    with pytest.raises(beside.LooksBeside, match="recorded"):
        look(Path(beside.BESIDE))


def test_its_neighbours_may_be_opened(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    assert list((tmp_path / "shared").iterdir()) == []


@pytest.mark.recorded
def test_tests_of_recorded_outputs_may_look(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        (Path(beside.BESIDE) / "nothing-of-that-name").read_text()
