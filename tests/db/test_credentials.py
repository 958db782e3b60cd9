"""Keys and the jobs that were submitted with them: what an older database says of it, and one current key at a time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.db import migrations
from app.db.engine import Database
from app.settings import Settings

MOMENT = "'2026-01-01 00:00:00'"
CLUSTERS = {
    1: {"hostname": "a.example.org", "runner_type": "slurm"},
    2: {"hostname": "b.example.org", "runner_type": "slurm", "username": "group", "key_path": "/keys/group"},
    3: {"hostname": "c.example.org", "runner_type": "ssh", "username": "agent", "use_agent": True},
    4: {"hostname": "", "runner_type": "local"},
}


async def run(url: str, *statements: str) -> list[Any]:
    database = Database(Settings(database_url=url).database)
    try:
        async with database.write() as session:
            for statement in statements:
                result = await session.exec(text(statement))  # type: ignore[call-overload]
            return list(result) if result.returns_rows else []
    finally:
        await database.close()


def cluster(number: int, settings: dict[str, Any]) -> str:
    return (
        "INSERT INTO clusters (id, name, settings, host_key, proxy_host_key, offered_key, problem, partitions, paused, "
        f"active, created_at) VALUES ({number}, 'c{number}', '{json.dumps(settings)}', '', '', '', '', '[]', '', "
        f"true, {MOMENT})"
    ).replace(":", "\\:")


def job(job_id: str, owner: int, number: int) -> list[str]:
    return [
        "INSERT INTO jobs (id, token, name, owner_id, cluster_id, template_id, template_revision, parameters, decks, script, "
        "resources, priority, place, batch_head, digest, atoms, archived, state, reason, attention, progress, "
        f"cancel_requested, attempts, created_at, updated_at) VALUES ('{job_id}', '{job_id}', 'n', {owner}, {number}, 's', "
        f"'r', '{{}}', '{{}}', '', '{{}}', 2, 0, false, '', 0, false, 'running', '', '', '{{}}', false, 1, "
        f"{MOMENT}, {MOMENT})".replace(":", "\\:"),
        "INSERT INTO remote_jobs (job_id, directory, scheduler_id, queue_state, queue_reason, accounting_state, marker, nodes, "
        f"wall_s, cpu_s, memory_mb, read_offset) VALUES ('{job_id}', 'd', '1', '', '', '', '', '', 0, 0, 0, 0)",
    ]


def credential(number: int, user: int, username: str) -> str:
    return (
        "INSERT INTO credentials (id, cluster_id, user_id, username, public_key, private_key, created_at) "
        f"VALUES ({number}, 1, {user}, '{username}', 'p', 's', {MOMENT})"
    ).replace(":", "\\:")


def test_jobs_of_an_older_database_keep_the_key_that_they_were_submitted_with(empty_database_url: str) -> None:
    url = empty_database_url
    target = Settings(database_url=url).database
    migrations.upgrade(target, "0007")
    people = [
        f"INSERT INTO users (id, name, password_hash, role, active, created_at) VALUES ({n}, 'u{n}', '', 'member', true, "
        f"{MOMENT})".replace(":", "\\:")
        for n in (1, 2, 3)
    ]
    jobs = [*job("own", 1, 1), *job("other", 2, 1), *job("none", 3, 1), *job("group", 1, 2), *job("agent", 2, 3),
            *job("here", 1, 4)]  # fmt: skip
    asyncio.run(
        run(
            url, *people, *(cluster(number, settings) for number, settings in CLUSTERS.items()),
            credential(11, 1, "shared"), credential(12, 2, "shared"), *jobs,
        )
    )  # fmt: skip
    migrations.upgrade(target)
    rows = asyncio.run(run(url, "SELECT job_id, credential_id, account FROM remote_jobs"))
    assert {row[0]: (row[1], row[2]) for row in rows} == {
        "own": (11, "shared"), "other": (12, "shared"), "none": (None, ""), "group": (None, "group"),
        "agent": (None, "agent"), "here": (None, ""),
    }  # fmt: skip
    with pytest.raises(IntegrityError):
        asyncio.run(run(url, credential(13, 1, "second")))
    retired = f"UPDATE credentials SET retired_at = {MOMENT} WHERE id = 11".replace(":", "\\:")
    asyncio.run(run(url, retired, credential(14, 1, "second"), "UPDATE remote_jobs SET credential_id = 14"))
    migrations.downgrade(target, "0007")
    assert sorted(row[0] for row in asyncio.run(run(url, "SELECT id FROM credentials"))) == [12, 14]
    assert len(asyncio.run(run(url, "SELECT job_id FROM remote_jobs"))) == 6
