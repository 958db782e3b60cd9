"""Databases that are up to date already: one is migrated once in a process, and each test gets a copy of it.

Migrating costs a third of a second, copying a few milliseconds. What migrates is tested in `tests/db`, on empty databases.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from sqlalchemy.engine import make_url

from app.db import migrations
from app.settings import Settings


def migrate(database_url: str) -> None:
    """Bring a database up to date, also from a test that runs in an event loop."""
    url = Settings(database_url=database_url).database
    with ThreadPoolExecutor(1) as thread:
        thread.submit(migrations.upgrade, url).result()


@cache
def _template() -> bytes:
    """An SQLite file that is up to date."""
    with tempfile.TemporaryDirectory(prefix="crystaldeck-template-") as folder:
        file = Path(folder, "deck.sqlite3")
        migrate(f"sqlite:///{file}")
        assert [one.name for one in file.parent.iterdir() if one.name.startswith(file.name + "-")] == []
        return file.read_bytes()


def new_sqlite(file: Path) -> str:
    """The URL of a new SQLite file that is up to date."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_bytes(_template())
    return f"sqlite:///{file}"


def prepare(settings: Settings) -> None:
    """Give settings that name an SQLite file which is not there yet one that is up to date."""
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        new_sqlite(Path(url.database))
