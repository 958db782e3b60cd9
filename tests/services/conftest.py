"""The application in this process, with settings of its only cluster; a real program replays stored outputs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.support.app import place_replay, running, settings_for


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Any]:
    """The application, with settings of its only cluster."""
    place_replay(tmp_path)

    @asynccontextmanager
    async def started(**limits: Any) -> AsyncIterator[FastAPI]:
        settings = settings_for(tmp_path, data=tmp_path / "deck")
        settings.clusters["here"] = settings.clusters["here"].model_copy(update=limits)
        async with running(settings) as app:
            yield app

    return started
