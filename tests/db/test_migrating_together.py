"""Several processes find the same database to be migrated at the same moment: one migrates, the others wait for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.db.engine import Database
from app.settings import Settings
from tests.support.service import PASSWORD, Service

PROCESSES = 3
MIGRATE = """
import sys
from app.db import migrations
from app.settings import Settings
url = Settings(database_url=sys.argv[1]).database
print("ready", flush=True)
sys.stdin.readline()
migrations.upgrade(url)
"""


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    async def ask() -> list[tuple[Any, ...]]:
        database = Database(Settings(database_url=database_url).database)
        try:
            async with database.read() as session:
                return [tuple(row) for row in await session.exec(text(query))]  # type: ignore[call-overload]
        finally:
            await database.close()

    return asyncio.run(ask())


def test_one_process_migrates_and_the_others_wait(empty_database_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, empty_database_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    # All are loaded and wait for their line: what remains is the migration itself.
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, "\n".join(told)
    assert len(rows(empty_database_url, "SELECT version_num FROM alembic_version")) == 1


def test_accounts_are_added_beside_a_starting_service(empty_database_url: str, tmp_path: Path) -> None:
    service = Service(tmp_path / "service", "", CRYSTALDECK_DATABASE_URL=empty_database_url)
    names = ["ada", "bob"]
    adding = [
        subprocess.Popen(
            [Path(sys.executable).parent / "crystaldeck", "user", "add", name, "--password-stdin"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=service.environment,
        )
        for name in names
    ]  # fmt: skip
    try:
        service.start()
        told = [process.communicate(PASSWORD + "\n", timeout=120)[1] for process in adding]
    finally:
        service.stop()
    assert [process.returncode for process in adding] == [0] * len(adding), "\n".join(told)
    users = rows(empty_database_url, "SELECT name, password_hash FROM users ORDER BY name")
    assert [name for name, _ in users] == names
    # Outside of these tests passwords cost what argon2id's authors recommend.
    assert all(hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for _, hashed in users)
