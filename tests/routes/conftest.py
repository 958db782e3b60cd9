"""The application in this process, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.support.app import EXECUTABLE, running, settings_for
from tests.support.lab import RECORDED


@pytest.fixture
async def app(tmp_path: Path, database_url: str) -> AsyncIterator[FastAPI]:
    (tmp_path / "bin").mkdir()
    shutil.copy(EXECUTABLE, tmp_path / "bin")
    if RECORDED.is_dir():
        (tmp_path / "data").symlink_to(RECORDED)
    settings = settings_for(tmp_path, data=tmp_path / "deck", database_url=database_url)
    async with running(settings) as app:
        yield app
