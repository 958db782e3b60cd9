"""Tests against outputs, decks and files that CRYSTAL wrote, which lie beside the project and are no part of it.

Where they are not there, one test stands for all: it is skipped, with the reason, and nothing else of this folder is looked at.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.session.reference import RECORDED

HERE = Path(__file__).parent
STANDS_FOR_ALL = "test_presence.py"
collect_ignore = (
    []
    if RECORDED.is_dir()
    else ["small", *(path.name for path in HERE.glob("test_*.py") if path.name != STANDS_FOR_ALL)]
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("recorded")


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded CRYSTAL outputs."""
    return RECORDED
