"""Services whose only program prints one line: with their background, and without it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.services.clusters import changes as cluster_changes
from app.services.context import Context
from tests.security.work.poisoned.poison import PROGRAM
from tests.support import databases
from tests.support.app import make_app, running, settings_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a service lives whose program prints one line."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "replay"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return tmp_path


@pytest.fixture
async def quiet(folder: Path, database_url: str) -> AsyncIterator[Context]:
    """The services without their background: each step is taken by the test itself."""
    settings = settings_for(folder, data=folder / "deck", database_url=database_url)
    databases.prepare(settings)
    app = make_app(settings)
    context: Context = app.state.context
    await cluster_changes.sync_configuration(context)
    try:
        yield context
    finally:
        await context.workers.close()
        await context.pool.close()
        await context.database.close()


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[FastAPI]:
    async with running(settings_for(folder, data=folder / "deck")) as app:
        yield app
