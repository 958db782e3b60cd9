"""What stands in the way of one account stands in nobody else's: real sshd, whole service in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from fastapi import FastAPI

from app.db.repositories import clusters as cluster_rows
from app.domain.people.permissions import Actor, Role
from app.errors import CrystalDeckError
from app.runners.base import BaseRunner, Check, Package, Receipt
from app.services.clusters import checks as cluster_checks
from app.services.clusters import member_keys
from app.services.clusters import registry as clusters
from app.services.clusters.access import runner_for
from app.services.clusters.remote_accounts import account_of
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.views import get
from app.settings import ClusterSettings
from tests.conftest import refuse_or_skip
from tests.support.app import make_actor, running, settings_for
from tests.support.jobs import job_in
from tests.support.machines.sshd import BINARY, Sshd
from tests.support.service import mgo
from tests.support.waiting import until

Start = Callable[..., AbstractAsyncContextManager[FastAPI]]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if BINARY is None:
        refuse_or_skip("sshd is not installed (apt-get install openssh-server)")
    (tmp_path / "sshd").mkdir()
    server = Sshd(tmp_path / "sshd")
    yield server.start()
    server.stop()


@pytest.fixture
def start(tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Start:
    monkeypatch.setattr("app.transport.hosts.FIRST_DELAY", 0.01)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    program = tmp_path / "crystal"
    program.write_text("#!/bin/sh\ncat > /dev/null\necho here\n")
    program.chmod(0o755)

    @asynccontextmanager
    async def started(**changes: Any) -> AsyncIterator[FastAPI]:
        values = {
            "runner_type": "ssh", "hostname": "127.0.0.1", "port": sshd.port, "host_key": sshd.fingerprint,
            "crystal": str(program), "workdir": str(tmp_path / "work"), "max_jobs": 8,
        } | changes  # fmt: skip
        async with running(settings_for(tmp_path, clusters={"lab": ClusterSettings(**values)})) as app:
            yield app

    return started


async def submit(context: Context, actor: Actor) -> str:
    [job] = await create_jobs(context, actor, [JobRequest("scf", mgo("x"), "lab", {"walltime": "00:10:00"}, "one")])
    return job.id


def failed(checks: list[Check]) -> str:
    return " ".join(check.detail for check in checks if not check.ok)


async def test_an_account_whose_commands_hang_holds_up_no_colleague(start: Start, sshd: Sshd) -> None:
    """A member's start-up files, or a forced command, may never end; the jobs of the others leave all the same."""
    async with start() as app:
        context: Context = app.state.context
        mallory, ada = [await make_actor(context, name, Role.MEMBER) for name in ("mallory", "ada")]
        for actor, prefix in ((mallory, 'command="exec tail -f --pid=$PPID /dev/null" '), (ada, "")):
            key = await member_keys.make_key(context, actor, "lab", sshd.username)
            sshd.allow(prefix + key.public_key)
        stuck = await submit(context, mallory)
        await job_in(context, mallory, stuck, "staging")
        view = await job_in(context, ada, await submit(context, ada))
        assert view.remote is not None and view.remote.marker
        assert (await get(context, mallory, stuck)).job.state == "staging"


async def test_a_fault_that_nobody_foresaw_stays_with_its_account(
    start: Start, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_batch = BaseRunner.submit

    async def fails(self: BaseRunner, batch: Sequence[Package]) -> dict[str, Receipt]:
        if any(package.directory.startswith("mallory/") for package in batch):
            raise ValueError("a name that nobody thought of")
        return await submit_batch(self, batch)

    monkeypatch.setattr(BaseRunner, "submit", fails)
    async with start() as app:
        context: Context = app.state.context
        mallory, ada = [await make_actor(context, name, Role.MEMBER) for name in ("mallory", "ada")]
        for actor in (mallory, ada):
            sshd.allow((await member_keys.make_key(context, actor, "lab", sshd.username)).public_key)
        broken = await submit(context, mallory)

        async def told() -> bool:
            return "ValueError" in (await get(context, mallory, broken)).job.attention

        await until(told)
        await job_in(context, ada, await submit(context, ada))
        assert (await get(context, mallory, broken)).job.state in ("staging", "queued")
        assert not (await clusters.get(context, ada, "lab")).cluster.problem


async def test_an_account_of_the_group_is_one_connection(start: Start, sshd: Sshd, tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "group")
    sshd.allow(key.export_public_key().decode())
    async with start(username=sshd.username, key_path=tmp_path / "group") as app:
        context: Context = app.state.context
        members = [await make_actor(context, name, Role.MEMBER) for name in ("ada", "bob")]
        for actor in members:
            await job_in(context, actor, await submit(context, actor))
        assert sshd.accepted() == [key.get_fingerprint()]


@pytest.mark.parametrize("jump", [False, True])
async def test_a_key_file_that_is_not_there_is_said(start: Start, sshd: Sshd, tmp_path: Path, jump: bool) -> None:
    """The host key of a machine behind a jump host is asked for through a login there."""
    way = {"proxy_jump": f"{sshd.username}@127.0.0.1:{sshd.port}", "proxy_host_key": sshd.fingerprint} if jump else {}
    async with start(username=sshd.username, key_path=tmp_path / "nowhere", **way) as app:
        context: Context = app.state.context
        checks = await cluster_checks.test_cluster(context, await make_actor(context), "lab")
        assert "cannot be read: No such file or directory" in failed(checks)
        assert "No such file" in (await clusters.get(context, await make_actor(context, "bob"), "lab")).cluster.problem


@pytest.mark.parametrize("jump", [False, True])
@pytest.mark.parametrize(
    ("agent", "words"), [(None, "none runs in the service's environment"), ("/nowhere/agent", "gives no key")]
)
async def test_an_agent_that_is_not_there_is_said(
    start: Start, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, jump: bool, agent: str | None, words: str
) -> None:
    if agent is not None:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    way = {"proxy_jump": f"{sshd.username}@127.0.0.1:{sshd.port}", "proxy_host_key": sshd.fingerprint} if jump else {}
    async with start(username=sshd.username, use_agent=True, **way) as app:
        context: Context = app.state.context
        assert words in failed(await cluster_checks.test_cluster(context, await make_actor(context), "lab"))
        assert not sshd.refused()


async def test_a_member_without_a_key_is_no_trouble_of_the_cluster(start: Start, sshd: Sshd) -> None:
    async with start() as app:
        context: Context = app.state.context
        ada = await make_actor(context, "ada", Role.MEMBER)
        assert "You have no key" in failed(await cluster_checks.test_cluster(context, ada, "lab"))
        await member_keys.make_key(context, ada, "lab", sshd.username)
        assert "does not accept the key" in failed(await cluster_checks.test_cluster(context, ada, "lab"))
        assert not (await clusters.get(context, ada, "lab")).cluster.problem


async def test_a_connection_follows_the_settings_of_its_cluster(start: Start, sshd: Sshd, tmp_path: Path) -> None:
    """Another process may change them: this one's connection is closed, and work begun before does not open the old one."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "group")
    sshd.allow(key.export_public_key().decode())
    async with start(username=sshd.username, key_path=tmp_path / "group") as app:
        context: Context = app.state.context
        async with context.database.read() as session:
            cluster = await cluster_rows.by_name(session, "lab")
        assert cluster is not None
        account = await account_of(context, cluster, 1)
        await runner_for(context, account)
        await member_keys.close_stale(context)
        assert context.pool.is_open(account.key)
        async with context.database.write() as session:
            row = await cluster_rows.by_name(session, "lab")
            assert row is not None
            row.settings = row.settings | {"hostname": "localhost"}
            session.add(row)
        await member_keys.close_stale(context)
        assert account.key not in context.pool.keys
        with pytest.raises(CrystalDeckError, match="settings of lab changed"):
            await runner_for(context, account)
        assert not context.pool.is_open(account.key)
