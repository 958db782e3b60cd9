"""One small service for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """People, their objects, and requests in their names; see `tests/support/world.py`."""
    made = World(tmp_path_factory.mktemp("world"))
    try:
        yield made
    finally:
        made.close()
