"""The application in this process, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.support.app import place_replay, running, settings_for


@pytest.fixture
async def app(tmp_path: Path, database_url: str) -> AsyncIterator[FastAPI]:
    place_replay(tmp_path)
    settings = settings_for(tmp_path, data=tmp_path / "deck", database_url=database_url)
    async with running(settings) as app:
        yield app
