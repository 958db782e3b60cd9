"""Clusters as pages show them: each with the reader's own keys and jobs, at the cost of one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.db.tables import Job, RemoteJob
from app.domain.people.permissions import Role
from app.main import create_app
from app.services.clusters import changes, member_keys, registry
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.settings import ClusterSettings
from tests.support import databases
from tests.support.app import make_actor, processes, settings_for
from tests.support.service import mgo
from tests.support.statements import statements

NAMES = [f"c{number}" for number in range(6)]


@pytest.fixture
async def context(tmp_path: Path, database_url: str) -> AsyncIterator[Context]:
    machines = {name: ClusterSettings(runner_type="slurm", hostname=f"{name}.example.org") for name in NAMES}
    settings = settings_for(tmp_path, database_url=database_url, clusters=machines)
    databases.prepare(settings)
    context: Context = create_app(settings, processes()).state.context
    await changes.sync_configuration(context)
    try:
        yield context
    finally:
        await context.workers.close()
        await context.pool.close()
        await context.database.close()


async def test_all_cost_what_one_costs(context: Context) -> None:
    ada = await make_actor(context, "ada", Role.MEMBER)
    for name in NAMES:
        await member_keys.make_key(context, ada, name, "ada")
    with statements(context.database) as one:
        await registry.get(context, ada, "c0")
    with statements(context.database) as every:
        views = await registry.all_of(context, ada)
    assert [view.cluster.name for view in views] == NAMES
    assert len(every) == len(one) <= 5, every


async def test_each_shows_its_own_keys_and_jobs(context: Context) -> None:
    ada, bob = await make_actor(context, "ada", Role.MEMBER), await make_actor(context, "bob", Role.MEMBER)
    first = await member_keys.make_key(context, ada, "c1", "ada")
    second = await member_keys.make_key(context, ada, "c1", "ada")
    await member_keys.make_key(context, bob, "c1", "bob")
    made = await create_jobs(context, ada, [JobRequest("scf", mgo(str(n)), "c1", {}, f"n{n}") for n in range(3)])
    async with context.database.write() as session:
        for job, key in zip(made, (first, second, second), strict=True):
            await session.exec(update(Job).where(col(Job.id) == job.id).values(state="running"))
            session.add(RemoteJob(job_id=job.id, directory=job.id, credential_id=key.id, account="ada"))
    views = {view.cluster.name: view for view in await registry.all_of(context, ada)}
    shown = views["c1"]
    assert shown.credential is not None and shown.credential.id == second.id
    assert [key.id for key in shown.earlier] == [first.id]
    assert (shown.active_jobs, shown.watched) == (3, 3)
    assert (views["c2"].credential, views["c2"].active_jobs, views["c2"].watched) == (None, 0, 0)
    others = await registry.get(context, bob, "c1")
    assert (others.active_jobs, others.watched, others.earlier) == (3, 0, [])
