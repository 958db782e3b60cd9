"""Two members with one account name on a real sshd: nobody computes, waits or is suspended by another one's key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.db.member_keys import Credential
from app.domain.permissions import Actor, Role
from app.services import member_keys
from app.services.context import Context
from app.services.creation import JobRequest, create_jobs
from app.services.jobs import JobView, get
from app.settings import ClusterSettings
from app.transport.host_keys import fingerprint
from tests.conftest import refuse_or_skip
from tests.support.app import make_actor, running, settings_for
from tests.support.service import TERMINAL, mgo
from tests.support.sshd import BINARY, Sshd


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if BINARY is None:
        refuse_or_skip("sshd is not installed (apt-get install openssh-server)")
    server = Sshd(tmp_path / "sshd")
    (tmp_path / "sshd").mkdir()
    yield server.start()
    server.stop()


@pytest.fixture
async def app(tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    monkeypatch.setattr("app.transport.hosts.FIRST_DELAY", 0.01)
    program = tmp_path / "crystal"
    program.write_text("#!/bin/sh\ncat > /dev/null\necho here\n")
    program.chmod(0o755)
    cluster = ClusterSettings(
        runner_type="ssh", hostname="127.0.0.1", port=sshd.port, host_key=sshd.fingerprint, crystal=str(program),
        workdir=str(tmp_path / "work"), max_jobs=8,
    )  # fmt: skip
    async with running(settings_for(tmp_path, clusters={"lab": cluster})) as app:
        yield app


async def member(context: Context, sshd: Sshd, name: str, *, accepted: bool) -> tuple[Actor, Credential]:
    """A member with a key of their own for the one account that there is."""
    actor = await make_actor(context, name, Role.MEMBER)
    credential = await member_keys.make_key(context, actor, "lab", sshd.username)
    if accepted:
        sshd.allow(credential.public_key)
    return actor, credential


async def submit(context: Context, actor: Actor) -> str:
    request = JobRequest(
        template="scf", parameters=mgo("x"), cluster="lab", resources={"walltime": "00:10:00"}, name="one"
    )
    [job] = await create_jobs(context, actor, [request])
    return job.id


async def until(context: Context, actor: Actor, job_id: str, *states: str, attention: str = "") -> JobView:
    """The job, once it is in one of these states and its attention says this, or once it is over."""
    async with asyncio.timeout(20):
        while True:
            view = await get(context, actor, job_id)
            if view.job.state in TERMINAL or (view.job.state in states and attention in view.job.attention):
                return view
            await asyncio.sleep(0.05)


async def test_a_name_that_was_typed_opens_no_door(app: FastAPI, sshd: Sshd) -> None:
    """The colleague's connection is open; a member types the colleague's account and has a key that was never accepted."""
    context: Context = app.state.context
    mallory, _ = await member(context, sshd, "mallory", accepted=False)
    ada, hers = await member(context, sshd, "ada", accepted=True)
    await until(context, ada, await submit(context, ada))
    stolen = await submit(context, mallory)
    view = await until(context, mallory, stolen, "queued", attention="does not accept the key")
    assert view.job.state == "queued" and view.remote is None
    assert set(sshd.accepted()) == {fingerprint(hers.public_key)}


async def test_a_refused_key_suspends_nobody_else(app: FastAPI, sshd: Sshd) -> None:
    """The member came first and is suspended; the colleague of the same account is not."""
    context: Context = app.state.context
    mallory, his = await member(context, sshd, "mallory", accepted=False)
    ada, hers = await member(context, sshd, "ada", accepted=True)
    stuck = await submit(context, mallory)
    async with asyncio.timeout(20):
        while len(sshd.refused()) < 3:
            await asyncio.sleep(0.05)
    view = await until(context, ada, await submit(context, ada))
    assert view.remote is not None and view.remote.scheduler_id
    assert set(sshd.accepted()) == {fingerprint(hers.public_key)}
    await until(context, mallory, stuck, "queued", attention="suspended")
    assert sshd.refused() == [fingerprint(his.public_key)] * 3
