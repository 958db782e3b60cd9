"""Clusters are added, changed and removed: settings are judged, the server itself stays out of reach, history stays."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlmodel import col, select

from app.db.tables import Cluster, Credential, Job, now
from app.domain.jobs import JobFilter
from app.domain.people.permissions import Actor, Role
from app.errors import Conflict, InvalidInput
from app.services.clusters import changes as cluster_changes
from app.services.clusters import member_keys
from app.services.clusters import registry as clusters
from app.services.context import Context
from app.services.jobs import actions
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.selections import Selection
from app.services.jobs.views import get, listing
from app.services.provenance.lineage import of_job
from app.transport.keys import make_key_pair
from tests.support import databases
from tests.support.app import make_actor, make_app, make_client, settings_for
from tests.support.service import mgo


@pytest.fixture
async def app(tmp_path: Path, database_url: str) -> AsyncIterator[FastAPI]:
    """The application without its background: nothing connects by itself."""
    settings = settings_for(tmp_path, data=tmp_path / "deck", database_url=database_url)
    databases.prepare(settings)
    app = make_app(settings)
    context: Context = app.state.context
    await cluster_changes.sync_configuration(context)
    try:
        yield app
    finally:
        await context.workers.close()
        await context.pool.close()
        await context.database.close()


@pytest.fixture
async def context(app: FastAPI) -> Context:
    found: Context = app.state.context
    return found


async def add(context: Context, actor: Actor, name: str = "hpc", **settings: str) -> None:
    await cluster_changes.add(context, actor, name, {"hostname": "hpc.example.org", **settings}, remote_only=True)


async def job_on(context: Context, actor: Actor, cluster: str = "hpc") -> str:
    [job] = await create_jobs(context, actor, [JobRequest("scf", mgo(), cluster, {}, "n")])
    return job.id


async def put(context: Context, job_id: str, state: str) -> None:
    async with context.database.write() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(state=state, ended_at=now()))


async def test_settings_change_and_are_judged(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ada = await make_actor(context)
    await add(context, ada, setup="module load A")
    changed = await cluster_changes.edit(
        context, ada, "hpc", {"setup": "module load B", "cores": "64"}, remote_only=True
    )
    assert changed == ["cores", "setup"]
    view = await clusters.get(context, ada, "hpc")
    assert (view.settings.setup, view.settings.cores, view.settings.hostname) == (
        "module load B",
        64,
        "hpc.example.org",
    )
    assert "cluster hpc was changed by ada: cores, setup" in caplog.text
    for wrong in ({"proxy_jump": "u@h:abc"}, {"crystal": "x 'y"}, {"nonsense": 1}, {"presets": {"p": {"ntasks": 0}}}):
        with pytest.raises(InvalidInput):
            await cluster_changes.edit(context, ada, "hpc", wrong, remote_only=True)
    assert (await clusters.get(context, ada, "hpc")).settings == view.settings
    # Empty: as by default.
    await cluster_changes.edit(context, ada, "hpc", {"setup": ""}, remote_only=True)
    assert (await clusters.get(context, ada, "hpc")).settings.setup == ""


async def test_another_machine_shows_its_key_anew(context: Context) -> None:
    ada = await make_actor(context)
    (one, _), (two, _) = make_key_pair("one"), make_key_pair("two")
    await add(context, ada, proxy_jump="jump.example.org")
    async with context.database.write() as session:
        row = (await session.exec(select(Cluster).where(Cluster.name == "hpc"))).one()
        row.host_key, row.proxy_host_key = one, two
        session.add(row)
    await cluster_changes.edit(context, ada, "hpc", {"setup": "x"})
    row = (await clusters.get(context, ada, "hpc")).cluster
    assert (row.host_key, row.proxy_host_key) == (one, two)
    await cluster_changes.edit(context, ada, "hpc", {"proxy_jump": "other.example.org"})
    row = (await clusters.get(context, ada, "hpc")).cluster
    assert (row.host_key, row.proxy_host_key) == (one, "")
    await cluster_changes.edit(context, ada, "hpc", {"hostname": "other.example.org"})
    assert (await clusters.get(context, ada, "hpc")).cluster.host_key == ""


async def test_where_jobs_lie_stays_while_they_are_there(context: Context) -> None:
    ada = await make_actor(context)
    await add(context, ada)
    job = await job_on(context, ada)
    for state in ("staging", "submitted", "running", "finishing"):
        await put(context, job, state)
        for change in ({"hostname": "evil.example.org"}, {"workdir": "elsewhere"}, {"runner_type": "ssh"}):
            with pytest.raises(Conflict, match="1 job is on hpc"):
                await cluster_changes.edit(context, ada, "hpc", change)
    await cluster_changes.edit(context, ada, "hpc", {"setup": "module load X"})
    await put(context, job, "completed")
    await cluster_changes.edit(context, ada, "hpc", {"workdir": "elsewhere"})


async def test_removal_waits_for_what_has_not_ended_and_keeps_the_history(context: Context) -> None:
    ada = await make_actor(context)
    await add(context, ada)
    await member_keys.make_key(context, ada, "hpc", "ada")
    job = await job_on(context, ada)
    for state in ("draft", "queued", "held", "waiting", "staging", "submitted", "running", "finishing"):
        await put(context, job, state)
        with pytest.raises(Conflict, match=f"1 {state}"):
            await cluster_changes.remove(context, ada, "hpc")
    await put(context, job, "completed")
    await cluster_changes.remove(context, ada, "hpc")
    assert [view.cluster.name for view in await clusters.all_of(context, ada)] == ["here"]
    assert (await get(context, ada, job)).row.cluster == "hpc"
    assert [row.job.id for row in await listing(context, ada, JobFilter(cluster="hpc"))] == [job]
    assert (await of_job(context, ada, job)).jobs[job].hostname == "hpc.example.org"
    async with context.database.read() as session:
        keys = (await session.exec(select(Credential))).all()
    assert [(key.private_key, key.retired_at is not None) for key in keys] == [("", True)], "no secret stays behind"
    [again] = await actions.act(context, ada, "rerun", Selection((job,)))
    assert not again.done and "was removed" in again.reason
    with pytest.raises(InvalidInput):
        await job_on(context, ada)


async def test_the_name_of_a_removed_one_is_another_machine(context: Context) -> None:
    ada = await make_actor(context)
    await add(context, ada)
    await member_keys.make_key(context, ada, "hpc", "ada")
    old = await job_on(context, ada)
    await put(context, old, "completed")
    await cluster_changes.remove(context, ada, "hpc")
    await add(context, ada, workdir="new", hostname="new.example.org")
    view = await clusters.get(context, ada, "hpc")
    assert view.credential is None and view.settings.hostname == "new.example.org"
    new = await job_on(context, ada)
    assert (await of_job(context, ada, old)).jobs[old].hostname == "hpc.example.org"
    assert {row.job.id for row in await listing(context, ada, JobFilter(cluster="hpc"))} == {old, new}
    with pytest.raises(Conflict):
        await add(context, ada)
    await put(context, new, "cancelled")
    await cluster_changes.remove(context, ada, "hpc")
    await add(context, ada)


async def test_the_server_itself_is_out_of_reach_of_a_browser(app: FastAPI, context: Context) -> None:
    operator = Actor(0, "operator", Role.ADMIN)
    await cluster_changes.add(context, operator, "local", {"runner_type": "local"})
    await cluster_changes.add(
        context, operator, "mine", {"hostname": "h.example.org", "username": "me", "key_path": "/k"}
    )
    client = await make_client(app, "max", Role.MAINTAINER)
    evil = {"crystal": "sh -c id"}
    for name in ("local", "mine", "here"):
        path = f"/api/v1/clusters/{name}"
        assert (await client.get(path)).json()["fixed"]
        assert (await client.patch(path, json={"settings": evil})).status_code in (403, 409), name
        assert (await client.post(f"/clusters/{name}/edit", data=evil)).status_code in (403, 409), name
        assert "key_path" not in (await client.get(path)).json()["settings"]
    assert (await client.delete("/api/v1/clusters/here")).status_code == 409
    for settings in (
        {},
        {"hostname": "h.example.org", "key_path": "/etc/shadow", "username": "x"},
        {"runner_type": "local"},
    ):
        answer = await client.post("/api/v1/clusters", json={"name": "bad", "settings": settings})
        assert answer.status_code in (403, 422), answer.text
    await add(context, operator, "far")
    turned = await client.patch("/api/v1/clusters/far", json={"settings": {"hostname": "", "runner_type": "local"}})
    assert turned.status_code == 403
    assert (await client.post("/clusters/far/remove", data={"confirm": "fra"})).status_code == 422
    assert "is defined in the server&#39;s configuration file" in (await client.get("/clusters/here/edit")).text
    await client.aclose()


async def test_over_rest_and_on_the_page(app: FastAPI, context: Context) -> None:
    client: httpx.AsyncClient = await make_client(app, "max", Role.MAINTAINER)
    made = await client.post("/api/v1/clusters", json={"name": "hpc", "settings": {"hostname": "hpc.example.org"}})
    assert made.status_code == 201 and made.headers["location"] == "/api/v1/clusters/hpc"
    wrong = await client.post(
        "/api/v1/clusters", json={"name": "x", "settings": {"hostname": "h", "proxy_jump": "u@h:abc"}}
    )
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "proxy_jump"
    changed = await client.patch("/api/v1/clusters/hpc", json={"settings": {"cores": 8}})
    assert changed.json()["settings"]["cores"] == 8
    form = (await client.get("/clusters/hpc/edit")).text
    assert 'name="workdir"' in form and 'name="key_path"' not in form
    bad = await client.post("/clusters/hpc/edit", data={"launcher": "mpirun 'x"})
    assert bad.status_code == 422 and "no closing quotation" in bad.text and "mpirun &#39;x" in bad.text
    assert (await client.post("/clusters/hpc/edit", data={"cores": "16", "fair_share": "true"})).status_code == 303
    shown = (await client.get("/api/v1/clusters/hpc")).json()["settings"]
    assert (shown["cores"], shown["fair_share"]) == (16, True)
    assert (await client.post("/clusters/hpc/remove", data={"confirm": "hpc"})).status_code == 303
    assert (await client.get("/api/v1/clusters/hpc")).status_code == 404
    await client.aclose()


async def test_a_broken_cluster_is_corrected_on_its_page(app: FastAPI, context: Context) -> None:
    client = await make_client(app, "max", Role.MAINTAINER)
    async with context.database.write() as session:
        session.add(Cluster(name="bad", settings={"hostname": "h.example.org", "proxy_jump": "u@h:abc", "cores": 4}))
    form = (await client.get("/clusters/bad/edit")).text
    assert "must be one jump host" in form and 'value="4"' in form
    assert (await client.post("/clusters/bad/edit", data={"cores": "8"})).status_code == 422
    assert (await client.post("/clusters/bad/edit", data={"proxy_jump": "u@jump.example.org"})).status_code == 303
    found = (await client.get("/api/v1/clusters/bad")).json()
    assert (found["broken"], found["settings"]["cores"]) == ("", 4)
    await client.aclose()
