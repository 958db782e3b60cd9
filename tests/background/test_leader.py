"""One leader of all processes: a locked file beside SQLite, an advisory lock of PostgreSQL. It ends with its process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from app.background.leader import LeaderLock
from app.db.engine import Database
from app.settings import Settings
from tests.support.machines.postgres import Postgres
from tests.support.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]

OTHER = """
import asyncio, sys
from pathlib import Path
from app.background.leader import LeaderLock
from app.db.engine import Database

async def main():
    lock = LeaderLock(Database(sys.argv[1]), Path(sys.argv[2]))
    while True:
        print(await lock.acquire(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(Settings(database_url=database_url).database)
    yield database
    await database.close()


class Other:
    """Another process that asks for the lock when it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._first = True

    async def acquires(self) -> bool:
        assert self.process.stdin is not None and self.process.stdout is not None
        if not self._first:
            self.process.stdin.write(b"again\n")
        self._first = False
        async with asyncio.timeout(60):
            return (await self.process.stdout.readline()).decode().strip() == "True"

    async def die(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def another_process(database: Database, folder: Path) -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER, database.url, str(folder), cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    other = Other(process)
    try:
        yield other
    finally:
        if process.returncode is None:
            await other.die()


async def leads(lock: LeaderLock) -> None:
    """Return once it leads: a server learns of a dead client's end a moment later."""
    await until(lock.acquire, "the lead", 30)


async def test_one_at_a_time(database: Database, tmp_path: Path) -> None:
    first, second = LeaderLock(database, tmp_path), LeaderLock(database, tmp_path)
    assert await first.acquire() and await first.acquire()
    assert not await second.acquire()
    await first.release()
    assert await second.acquire()
    await second.release()


async def test_one_of_two_processes_and_the_other_one_after_its_death(database: Database, tmp_path: Path) -> None:
    own = LeaderLock(database, tmp_path)
    async with another_process(database, tmp_path) as other:
        assert await other.acquires()
        assert not await own.acquire()
        await other.die()
        await leads(own)
    async with another_process(database, tmp_path) as other:
        assert not await other.acquires()
        await own.release()
        assert await other.acquires()


async def test_a_released_lock_is_not_taken_again(database: Database, tmp_path: Path) -> None:
    """A tick that is still under way while the service stops must not make it the leader once more."""
    lock = LeaderLock(database, tmp_path)
    assert await lock.acquire()
    await lock.release()
    assert not await lock.acquire()
    other = LeaderLock(database, tmp_path)
    assert await other.acquire()
    await other.release()


async def test_many_ask_at_once(database: Database, tmp_path: Path) -> None:
    first, second = LeaderLock(database, tmp_path), LeaderLock(database, tmp_path)
    answers = await asyncio.gather(*(lock.acquire() for _ in range(20) for lock in (first, second)))
    assert {tuple(answers[0::2]), tuple(answers[1::2])} == {(True,) * 20, (False,) * 20}
    await asyncio.gather(first.release(), second.release(), first.acquire(), second.acquire())
    third = LeaderLock(database, tmp_path)
    assert await third.acquire()
    await third.release()


async def test_a_leader_whose_connection_the_server_ended_asks_anew(postgres: Postgres, tmp_path: Path) -> None:
    database = Database(Settings(database_url=postgres.new_database()).database)
    first, second = LeaderLock(database, tmp_path), LeaderLock(database, tmp_path)
    assert await first.acquire()
    ended = text(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    )
    async with database.engine.connect() as connection:
        await connection.execute(ended)
    await leads(second)
    assert not await first.acquire()
    await second.release()
    await leads(first)
    await first.release()
    # Nothing of all that stayed checked out: the next user of the pool would wait for it.
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await database.close()
