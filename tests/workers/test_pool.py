"""Worker processes: they may be slow, greedy or dead, and nobody else notices; users take turns."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidInput, LimitReached, WorkStopped
from app.workers.pool import MAX_ANSWER, MAX_QUESTION, Processes, Workers
from app.workers.turns import Turns
from tests.support.machines.lab import REPOSITORY
from tests.support.waiting import wait_until

MEMORY = 700 << 20


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    made = Processes(2, MEMORY, preload=())
    yield made
    made.close()


@pytest.fixture
async def workers(processes: Processes) -> AsyncIterator[Workers]:
    made = Workers(processes, seconds=30, waiting=3, owned=False)
    yield made
    await made.close()


# -- work: functions of a module, which the processes import ---------------------------------------------------------------


def pid() -> int:
    return os.getpid()


def take(size: int) -> int:
    return len(bytearray(size))


def refuse(reason: str) -> None:
    raise InvalidInput(reason, hint="Do otherwise.")


class Stubborn(Exception):
    """Cannot be read after a journey."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


def stubborn() -> None:
    raise Stubborn("a", "b")


def note(folder: str, name: str) -> None:
    """Begin, and end when told so: two files tell of it."""
    (Path(folder) / name).write_text("begun")
    while not (Path(folder) / f"{name}.go").exists():
        time.sleep(0.01)


async def begun(folder: Path, *names: str) -> None:
    """Return once these pieces of work run."""

    def all_there() -> bool:
        return all((folder / name).exists() for name in names)

    await asyncio.to_thread(wait_until, all_there, f"the start of {names}", 30)


def let_go(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.go").touch()


async def test_work_runs_in_another_process(workers: Workers) -> None:
    assert await workers.run(1, pid) != os.getpid()


async def test_first_callers_at_once_start_each_process_once() -> None:
    own = Workers(Processes(2, MEMORY, preload=()), waiting=50)
    try:
        found = await asyncio.gather(*(own.run(user, pid) for user in range(12)))
        assert len(set(found)) <= 2
        assert set(found) >= set(await asyncio.gather(*(own.run(user, pid) for user in range(12))))
    finally:
        await own.close()


async def test_what_takes_too_long_is_ended_and_says_so(workers: Workers) -> None:
    with pytest.raises(WorkStopped, match=r"took longer than 0.3 s \(the limit\)"):
        await workers.run(1, time.sleep, 100, seconds=0.3)
    assert await workers.run(1, pid)


async def test_what_takes_too_much_memory_is_ended_and_says_so(workers: Workers) -> None:
    assert await workers.run(1, take, 100 << 20) == 100 << 20
    with pytest.raises(WorkStopped, match="more than 700 MB of memory"):
        await workers.run(1, take, 900 << 20)
    assert await workers.run(1, pid)


async def test_a_death_concerns_nobody_else(workers: Workers, tmp_path: Path) -> None:
    other = asyncio.create_task(workers.run(2, note, str(tmp_path), "other"))
    await begun(tmp_path, "other")
    for _ in range(3):
        with pytest.raises(WorkStopped, match="its process ended"):
            await workers.run(1, os._exit, 3)
    assert not other.done()
    let_go(tmp_path, "other")
    await other


async def test_a_process_that_dies_idle_is_replaced(workers: Workers) -> None:
    for found in set(await asyncio.gather(*(workers.run(user, pid) for user in (1, 2)))):
        os.kill(found, signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda found=found: not _alive(found), "its end", 20)
    assert await asyncio.gather(*(workers.run(user, pid) for user in (1, 2, 3)))


async def test_a_kill_at_whatever_moment_costs_nobody_an_answer(workers: Workers) -> None:
    for moment in range(0, 12, 2):
        os.kill(await workers.run(1, pid), signal.SIGKILL)
        await asyncio.sleep(moment / 100)
        assert await asyncio.wait_for(workers.run(1, pid), 25)


async def test_a_large_question_to_a_process_that_dies_holds_nobody_up(workers: Workers) -> None:
    os.kill(await workers.run(1, pid), signal.SIGKILL)
    assert await asyncio.wait_for(workers.run(1, len, bytes(20 << 20)), 25) == 20 << 20


def _alive(process: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_errors_travel_with_their_words(workers: Workers) -> None:
    with pytest.raises(InvalidInput, match="no such thing") as caught:
        await workers.run(1, refuse, "no such thing")
    assert caught.value.hint == "Do otherwise."
    with pytest.raises(RuntimeError, match="Stubborn: a"):
        await workers.run(1, stubborn)
    assert await workers.run(1, pid)


async def test_question_and_answer_are_limited_in_size(workers: Workers) -> None:
    with pytest.raises(WorkStopped, match="56 MB"):
        await workers.run(1, len, b"x" * (MAX_QUESTION + 1))
    with pytest.raises(WorkStopped, match="the limit is 4 MB"):
        await workers.run(1, bytes, MAX_ANSWER + 1)


async def test_one_user_never_has_all_processes(workers: Workers, tmp_path: Path) -> None:
    mine = [asyncio.create_task(workers.run(1, note, str(tmp_path), f"mine{n}")) for n in range(3)]
    await begun(tmp_path, "mine0")
    assert await workers.run(2, pid)
    assert not (tmp_path / "mine1").exists()
    let_go(tmp_path, *(f"mine{n}" for n in range(3)))
    await asyncio.gather(*mine)


async def test_too_much_of_one_user_is_refused_and_names_the_limit(workers: Workers, tmp_path: Path) -> None:
    mine = [asyncio.create_task(workers.run(1, note, str(tmp_path), "first"))]
    await begun(tmp_path, "first")
    mine += [asyncio.create_task(workers.run(1, pid)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(LimitReached, match="the limit is 3"):
        await workers.run(1, pid)
    patient = asyncio.create_task(workers.run(1, pid, patient=True))
    assert await workers.run(2, pid)
    let_go(tmp_path, "first")
    await asyncio.gather(*mine, patient)


async def test_whoever_goes_away_leaves_the_queue(workers: Workers, tmp_path: Path) -> None:
    first = asyncio.create_task(workers.run(1, note, str(tmp_path), "first"))
    await begun(tmp_path, "first")
    gone = asyncio.create_task(workers.run(1, note, str(tmp_path), "gone"))
    await asyncio.sleep(0)
    gone.cancel()
    let_go(tmp_path, "first")
    await first
    assert await workers.run(1, pid)
    assert not (tmp_path / "gone").exists()


def test_users_take_turns() -> None:
    turns: Turns[str] = Turns(3)
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        turns.add(name[0], name)
    order: list[tuple[Any, str]] = []
    while taken := turns.take():
        order.append(taken)
    assert [item for _, item in order] == ["a1", "b1", "c1"]
    assert turns.waiting("a") == 2
    for user in ("a", "b", "c"):
        turns.done(user)
    assert [turns.take(), turns.take(), turns.take()] == [("a", "a2"), ("b", "b2"), ("a", "a3")]
    assert turns.take() is None


def test_one_user_leaves_a_place_free() -> None:
    turns: Turns[int] = Turns(3)
    for number in range(5):
        turns.add("a", number)
    assert [turns.take(), turns.take(), turns.take()] == [("a", 0), ("a", 1), None]
    turns.add("b", 9)
    assert turns.take() == ("b", 9)
    turns.remove("a", 2)
    turns.done("a")
    assert turns.take() == ("a", 3)


SERVICE = """
import asyncio, os, sys, time
sys.path.insert(0, sys.argv[1])
if __name__ == "__main__":
    from app.workers.pool import Processes, Workers

    async def main():
        workers = Workers(Processes(2, 1 << 30, preload=()))
        print(*await asyncio.gather(*(workers.run(user, os.getpid) for user in range(4))), flush=True)
        await workers.run(1, time.sleep, 100, seconds=100)

    asyncio.run(main())
"""


def test_a_killed_service_leaves_no_process_behind(tmp_path: Path) -> None:
    program, errors = tmp_path / "service.py", tmp_path / "errors"
    program.write_text(SERVICE)
    with errors.open("w") as words:
        service = subprocess.Popen([sys.executable, program, REPOSITORY], stdout=subprocess.PIPE, stderr=words)
    with service:
        assert service.stdout is not None
        found = {int(text) for text in service.stdout.readline().split()}
        assert found, errors.read_text()
        assert all(map(_alive, found))
        service.kill()
    wait_until(lambda: not any(map(_alive, found)), "the end of the workers")
