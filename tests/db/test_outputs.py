"""Jobs of an older database: the names of their outputs are taken from their decks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sqlalchemy import text
from sqlmodel import select

from app.crystal.files import outputs_of, writes_scf_log
from app.db import migrations
from app.db.engine import Database
from app.db.tables import Job
from app.settings import Settings

MOMENT = "2026-01-01 00:00:00"
DECKS: dict[str, dict[str, str]] = {
    "scf": {"scf.d12": "MgO\nCRYSTAL\nEND\n"},
    "opt": {"opt.d12": "MgO\nCRYSTAL\nOPTGEOM\nENDOPT\nEND\n"},
    "onelog": {"opt.d12": "MgO\nCRYSTAL\nOPTGEOM\nONELOG\nENDOPT\nEND\n"},
    "bands": {"bands.d12": "MgO\nEND\n", "bands.d3": "BAND\nEND\n", "fort.34": "3 1 1\n"},
}
COLUMNS = (
    "id, token, name, owner_id, cluster_id, template_id, template_revision, parameters, decks, script, resources, priority, "
    "place, batch_head, digest, atoms, archived, state, reason, attention, progress, cancel_requested, attempts, "
    "created_at, updated_at"
)


def job(job_id: str, decks: dict[str, str]) -> str:
    written = json.dumps(decks).replace(":", "\\:")
    moment = MOMENT.replace(":", "\\:")
    return (
        f"INSERT INTO jobs ({COLUMNS}) VALUES ('{job_id}', '{job_id}', 'n', 1, 1, 's', 'r', '{{}}', '{written}', '', '{{}}', 2, 0, "
        f"false, '', 0, false, 'completed', '', '', '{{}}', false, 1, '{moment}', '{moment}')"
    )


async def run(url: str, *statements: str) -> None:
    database = Database(Settings(database_url=url).database)
    try:
        async with database.write() as session:
            for statement in statements:
                await session.exec(text(statement))  # type: ignore[call-overload]
    finally:
        await database.close()


async def stored(url: str) -> dict[str, Any]:
    database = Database(Settings(database_url=url).database)
    try:
        async with database.read() as session:
            return {row.id: row for row in (await session.exec(select(Job))).all()}
    finally:
        await database.close()


def test_names_of_outputs_come_from_the_decks(empty_database_url: str) -> None:
    url = Settings(database_url=empty_database_url).database
    migrations.upgrade(url, "0010")
    user = (
        "INSERT INTO users (id, name, password_hash, role, active, created_at) "
        f"VALUES (1, 'ada', '!', 'admin', true, '{MOMENT}')"
    )
    cluster = (
        "INSERT INTO clusters (id, name, settings, host_key, proxy_host_key, offered_key, problem, partitions, paused, removed_by, "
        f"created_at) VALUES (1, 'c', '{{}}', '', '', '', '', '[]', '', '', '{MOMENT}')"
    )
    asyncio.run(
        run(
            url,
            *(one.replace(":", "\\:") for one in (user, cluster)),
            *(job(name, decks) for name, decks in DECKS.items()),
        )
    )
    migrations.upgrade(url)
    rows = asyncio.run(stored(url))
    assert {name: row.outputs for name, row in rows.items()} == {
        "scf": ["scf.out"], "opt": ["opt.out"], "onelog": ["opt.out"], "bands": ["bands.out", "bands.outp"],
    }  # fmt: skip
    assert {name for name, row in rows.items() if row.scf_log} == {"opt"}
    # A new job gets them from the same rules.
    assert {name: (outputs_of(decks), writes_scf_log(decks)) for name, decks in DECKS.items()} == {
        name: (row.outputs, row.scf_log) for name, row in rows.items()
    }
    migrations.downgrade(url, "0010")
