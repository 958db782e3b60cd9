"""A cluster whose settings or looks fail breaks nothing else, and is told of once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from sqlalchemy import update
from sqlmodel import col

from app.db.tables import Cluster, Job, RemoteJob
from app.domain.people.permissions import Actor, Role
from app.services.context import Context
from app.services.jobs import queue
from app.services.running.submission import Dispatcher
from app.settings import ClusterSettings
from tests.security.work.poisoned.poison import are_over, change, three_jobs
from tests.support.app import make_actor, make_client
from tests.support.service import mgo
from tests.support.waiting import until

BAD: list[dict[str, Any]] = [
    {"proxy_jump": "u@h:abc"}, {"proxy_jump": "u@h:70000"}, {"proxy_jump": "a b"}, {"proxy_jump": "a,b"}, {"proxy_jump": "u@"},
    {"crystal": "mpirun 'crystal"}, {"crystal": ""}, {"crystal": "  "}, {"crystal": "a\nb"}, {"crystal": "run {nodes}"},
    {"properties": 'x "y'}, {"launcher": "srun 'x"}, {"launcher": "mpirun -np {tasks}"}, {"launcher": "mpirun -np {}"},
    {"hostname": "a b"}, {"hostname": "host:22"}, {"hostname": "me@host"}, {"hostname": "-oProxyCommand=x"},
    {"hostname": "h\x07"}, {"hostname": "a..b"}, {"username": "a b"}, {"username": "a;b"}, {"username": "-l"},
    {"workdir": "a b"}, {"workdir": "../up"}, {"workdir": "$HOME/x"}, {"workdir": "x;y"}, {"workdir": "`x`"}, {"workdir": ""},
    {"workdir": "~/x"}, {"default_partition": "a b"}, {"setup": "module load 'x"}, {"setup": "a\x00b"}, {"setup": "a\x1bb"},
    {"host_key": "MD5:1"}, {"host_key": "SHA256:short"}, {"port": 0}, {"port": "x"}, {"presets": {"a\nb": {}}},
    {"nonsense": 1},
]  # fmt: skip


@pytest.mark.parametrize("wrong", BAD, ids=[f"{next(iter(one))}={next(iter(one.values()))!r}"[:40] for one in BAD])
def test_settings_that_break_later_are_refused_when_they_are_saved(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ClusterSettings.model_validate({"hostname": "hpc.example.org", **wrong})
    assert next(iter(wrong)) in str(refused.value)


@pytest.mark.parametrize(
    "right",
    [{"hostname": "10.0.0.1"}, {"hostname": "fe80::1"}, {"hostname": "login_1.hpc.example.org"}, {"proxy_jump": "u@h"},
     {"proxy_jump": "h:2222"}, {"proxy_jump": "u@[fe80::1]:22"}, {"launcher": "mpirun -np {ntasks} --bind-to 'core'"},
     {"setup": "module load CRYSTAL/23\nexport X=\"a b\"  # isn't it\n"}, {"workdir": "/scratch/a.b/c-d_e"},
     {"crystal": "/opt/crystal/bin/Pcrystal --flag"}, {"username": "ab12345"},
     {"presets": {"small one": {"ntasks": 4}}}],
)  # fmt: skip
def test_settings_that_centres_really_have(right: dict[str, Any]) -> None:
    ClusterSettings.model_validate({"hostname": "hpc.example.org", **right})


async def test_a_broken_cluster_breaks_nothing_else(app: FastAPI) -> None:
    """A row that an older release stored: its own page says what is wrong, everything else goes on."""
    context: Context = app.state.context
    client = await make_client(app)
    ada = Actor(1, "ada", Role.ADMIN)
    await queue.pause(context, ada)
    here, there = await three_jobs(context, ada), await three_jobs(context, ada)
    async with context.database.write() as session:
        bad = Cluster(name="bad", settings={"hostname": "h", "proxy_jump": "u@h:abc", "crystal": "mpirun 'x"})
        session.add(bad)
        await session.flush()
        states = {there[0]: "queued", there[1]: "staging", there[2]: "running"}
        for job_id, state in states.items():
            await session.exec(update(Job).where(col(Job.id) == job_id).values(cluster_id=bad.id, state=state))
    await queue.resume(context, ada)

    async def ended() -> bool:
        return await are_over(context, *here)

    await until(ended)
    for path in ("/clusters", "/clusters/here", "/clusters/bad", "/new/scf?example=1", "/jobs", f"/jobs/{there[0]}", "/workflows",
                 "/workflows/equation_of_state/start", "/api/v1/clusters", "/api/v1/jobs?cluster=bad",
                 f"/api/v1/jobs/{there[0]}/waiting"):  # fmt: skip
        assert (await client.get(path)).status_code == 200, path
    shown = (await client.get("/clusters/bad")).text
    assert "proxy_jump" in shown and "must be one jump host" in shown and "crystal" in shown
    job = {"template": "scf", "parameters": mgo(), "cluster": "bad"}
    refused = await client.post("/api/v1/jobs", json=job)
    assert (refused.status_code, refused.json()["code"]) == (409, "cluster-broken")
    assert (await client.post("/api/v1/jobs", json=job | {"cluster": "here"})).status_code == 201
    await client.aclose()


async def test_a_fault_of_one_cluster_is_told_there_once(quiet: Context, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    await change(quiet, ids[0], state="staging")
    async with quiet.database.write() as session:
        session.add(RemoteJob(job_id=ids[0], directory="ada/n0"))
    errands: list[Callable[[], Awaitable[None]]] = []
    dispatcher = Dispatcher(quiet, lambda _, work: errands.append(work))

    async def broken(*_: Any) -> None:
        raise KeyError("poison")

    dispatcher._settle = broken  # type: ignore[method-assign]
    for _ in range(3):
        await dispatcher.run(1)
        while errands:
            await errands.pop()()
    async with quiet.database.read() as session:
        cluster = await session.get(Cluster, 1)
    assert cluster is not None and "KeyError" in cluster.problem
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_a_client_is_told_what_is_wrong_with_a_cluster(app: FastAPI) -> None:
    client: httpx.AsyncClient = await make_client(app)
    answer = await client.post(
        "/clusters", data={"name": "new", "hostname": "h", "proxy_jump": "u@h:abc", "crystal": "x 'y"}
    )
    assert answer.status_code == 422
    assert "proxy_jump must be one jump host" in answer.text.replace(":", "") and "crystal" in answer.text
    await client.aclose()
