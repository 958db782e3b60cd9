"""Two members with one account name on a real sshd: nobody computes, waits or is suspended by another one's key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from app.db.repositories import clusters as cluster_rows
from app.db.repositories import credentials, jobs, users
from app.db.tables import Credential, JobAttachment
from app.domain.people.permissions import Actor, Role
from app.errors import Conflict, InvalidInput
from app.services.clusters import changes as cluster_changes
from app.services.clusters import checks as cluster_checks
from app.services.clusters import member_keys
from app.services.clusters import registry as clusters
from app.services.clusters.remote_accounts import account_of
from app.services.context import Context
from app.services.jobs.attachments import attached_files
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.files import listing
from app.services.jobs.views import JobView, get
from app.settings import ClusterSettings
from app.transport.host_keys import fingerprint
from tests.conftest import refuse_or_skip
from tests.support.app import make_actor, make_client, running, settings_for
from tests.support.machines.sshd import BINARY, Sshd
from tests.support.service import TERMINAL, mgo
from tests.support.waiting import until


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
    monkeypatch.setattr("app.services.running.turns.AWAY", 0.01)
    program = tmp_path / "crystal"
    # A job whose deck says "wait" goes on until somebody lets it.
    program.write_text(f"#!/bin/sh\ngrep -q wait && while [ ! -e {tmp_path}/go ]; do sleep 0.05; done\necho here\n")
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


async def submit(context: Context, actor: Actor, title: str = "x") -> str:
    request = JobRequest(
        template="scf", parameters=mgo(title), cluster="lab", resources={"walltime": "00:10:00"}, name="one"
    )
    [job] = await create_jobs(context, actor, [request])
    return job.id


async def job_in(context: Context, actor: Actor, job_id: str, *states: str, attention: str = "") -> JobView:
    """The job, once it is in one of these states and its attention says this, or once it is over."""

    async def there() -> JobView | None:
        view = await get(context, actor, job_id)
        reached = view.job.state in states and attention in view.job.attention
        return view if reached or view.job.state in TERMINAL else None

    view = await until(there)
    assert view is not None
    return view


async def test_a_name_that_was_typed_opens_no_door(app: FastAPI, sshd: Sshd) -> None:
    """The colleague's connection is open; a member types the colleague's account and has a key that was never accepted."""
    context: Context = app.state.context
    mallory, _ = await member(context, sshd, "mallory", accepted=False)
    ada, hers = await member(context, sshd, "ada", accepted=True)
    await job_in(context, ada, await submit(context, ada))
    stolen = await submit(context, mallory)
    view = await job_in(context, mallory, stolen, "queued", attention="does not accept the key")
    assert view.job.state == "queued" and view.remote is None
    assert set(sshd.accepted()) == {fingerprint(hers.public_key)}


async def test_a_refused_key_suspends_nobody_else(app: FastAPI, sshd: Sshd) -> None:
    """The member came first and is suspended; the colleague of the same account is not."""
    context: Context = app.state.context
    mallory, his = await member(context, sshd, "mallory", accepted=False)
    ada, hers = await member(context, sshd, "ada", accepted=True)
    stuck = await submit(context, mallory)
    await until(lambda: len(sshd.refused()) >= 3)
    view = await job_in(context, ada, await submit(context, ada))
    assert view.remote is not None and view.remote.scheduler_id
    assert set(sshd.accepted()) == {fingerprint(hers.public_key)}
    await job_in(context, mallory, stuck, "queued", attention="suspended")
    assert sshd.refused() == [fingerprint(his.public_key)] * 3


# -- what becomes of jobs when a key changes --------------------------------------------------------------------------


async def credential_of(context: Context, job_id: str) -> Credential:
    """The key that a job is watched with."""
    async with context.database.read() as session:
        remote = await jobs.remote(session, job_id)
        assert remote is not None and remote.credential_id is not None
        return (await credentials.by_ids(session, [remote.credential_id]))[remote.credential_id]


async def test_a_new_key_takes_the_jobs_over_once_it_is_accepted(app: FastAPI, sshd: Sshd, tmp_path: Path) -> None:
    context: Context = app.state.context
    ada, first = await member(context, sshd, "ada", accepted=True)
    running_job = await submit(context, ada, "wait")
    await job_in(context, ada, running_job, "running")
    second = await member_keys.make_key(context, ada, "lab", sshd.username)
    checks = await cluster_checks.test_cluster(context, ada, "lab")
    assert [check.name for check in checks if not check.ok] == ["login"]
    # Not accepted yet: the job is watched with the key that it was submitted with.
    assert (await credential_of(context, running_job)).id == first.id
    sshd.allow(second.public_key)
    sshd.refuse(first.public_key)
    checks = await cluster_checks.test_cluster(context, ada, "lab")
    assert "login" in [check.name for check in checks if check.ok]
    assert (await credential_of(context, running_job)).id == second.id
    async with context.database.read() as session:
        assert not (await credentials.by_ids(session, [first.id or 0]))[first.id or 0].private_key
    assert first.id not in {key.credential_id for key in context.pool.keys}
    (tmp_path / "go").touch()
    view = await job_in(context, ada, running_job)
    assert view.remote is not None and view.remote.marker and not view.job.attention


async def test_a_job_stays_with_its_account_when_its_owner_goes_to_another(
    app: FastAPI, sshd: Sshd, tmp_path: Path
) -> None:
    context: Context = app.state.context
    ada, first = await member(context, sshd, "ada", accepted=True)
    there = await submit(context, ada, "wait")
    await job_in(context, ada, there, "running")
    await member_keys.make_key(context, ada, "lab", "elsewhere")
    later = await submit(context, ada)
    view = await job_in(context, ada, later, "queued", attention="does not accept the key for the account elsewhere")
    assert view.remote is None
    await member_keys.forget_unneeded(context)
    assert (await credential_of(context, there)).private_key
    (tmp_path / "go").touch()
    view = await job_in(context, ada, there)
    assert view.remote is not None and view.remote.marker and view.remote.account == sshd.username
    # Its last job has ended: the earlier key is thrown away, its connection closed, and the job's page says so.
    await member_keys.forget_unneeded(context)
    assert not (await credential_of(context, there)).private_key
    assert first.id not in {key.credential_id for key in context.pool.keys}
    with pytest.raises(Conflict, match="was removed"):
        await listing(context, ada, there)


async def test_removing_a_key_leaves_its_jobs_to_nobody_else(app: FastAPI, sshd: Sshd, tmp_path: Path) -> None:
    """A colleague who may use the same account does not come to watch them either."""
    context: Context = app.state.context
    ada, _ = await member(context, sshd, "ada", accepted=True)
    bob, his = await member(context, sshd, "bob", accepted=True)
    hers = await submit(context, ada, "wait")
    await job_in(context, ada, hers, "running")
    assert await member_keys.remove_keys(context, ada, "lab") == 1
    assert await member_keys.remove_keys(context, ada, "lab") == 0
    own = await submit(context, bob)
    await job_in(context, bob, own)
    (tmp_path / "go").touch()
    view = await job_in(context, ada, hers, "running", attention="was removed: nobody watches the job")
    assert view.remote is not None and not view.remote.marker
    later = await submit(context, ada)
    await job_in(context, ada, later, "queued", attention="You have no key for lab yet")
    # A new key for the same account, once accepted, takes the job up where it was left.
    again = await member_keys.make_key(context, ada, "lab", sshd.username)
    sshd.allow(again.public_key)
    view = await job_in(context, ada, hers)
    assert view.remote is not None and view.remote.marker
    assert (await credential_of(context, hers)).id == again.id
    assert (await credential_of(context, own)).id == his.id


async def test_a_key_that_the_cluster_takes_back_is_said_on_its_jobs_only(
    app: FastAPI, sshd: Sshd, tmp_path: Path
) -> None:
    context: Context = app.state.context
    ada, hers = await member(context, sshd, "ada", accepted=True)
    bob, _ = await member(context, sshd, "bob", accepted=True)
    one, other = await submit(context, ada, "wait"), await submit(context, bob, "wait")
    await job_in(context, ada, one, "running")
    await job_in(context, bob, other, "running")
    sshd.refuse(hers.public_key)
    await context.pool.drop_credentials([key for key in context.pool.keys if key.user_id == ada.user_id])
    await job_in(context, ada, one, "running", attention="does not accept the key")
    assert not (await get(context, bob, other)).job.attention
    assert not (await clusters.get(context, bob, "lab")).cluster.problem
    sshd.allow(hers.public_key)
    (tmp_path / "go").touch()
    await cluster_checks.test_cluster(context, ada, "lab")
    assert not (await job_in(context, ada, one)).job.attention


async def test_the_page_says_what_becomes_of_the_jobs(app: FastAPI, sshd: Sshd, tmp_path: Path) -> None:
    context: Context = app.state.context
    async with await make_client(app, "zoe", Role.MEMBER) as client:
        assert "Remove my keys" not in (await client.get("/clusters/lab")).text
        await client.post("/clusters/lab/key", data={"username": sshd.username})
        async with context.database.read() as session:
            user = await users.by_name(session, "zoe")
            assert user is not None and user.id is not None
            first = await credentials.current(session, 1, user.id)
        assert first is not None
        sshd.allow(first.public_key)
        zoe = Actor(user.id, "zoe", Role.MEMBER)
        job_id = await submit(context, zoe, "wait")
        await job_in(context, zoe, job_id, "running")
        assert "1 of your jobs there will no longer be monitored" in (await client.get("/clusters/lab")).text
        await client.post("/clusters/lab/key", data={"username": "elsewhere"})
        page = (await client.get("/clusters/lab")).text
        assert f"Your earlier key for <code>{sshd.username}</code> is kept" in page and "elsewhere" in page
        assert (await client.post("/clusters/lab/key/remove")).status_code == 303
        page = (await client.get("/clusters/lab")).text
        assert "earlier key" not in page and "Remove my keys" not in page
        (tmp_path / "go").touch()


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["-oProxyCommand=id", "a b", "a\nb", "a\x00", "a;id", "$(id)", "../x", "al\u00edce", "\u0661", "a" * 65, "a@b"],
)
async def test_hostile_account_names_are_refused(app: FastAPI, name: str) -> None:
    context: Context = app.state.context
    mallory = await make_actor(context, "mallory", Role.MEMBER)
    with pytest.raises(InvalidInput, match="is not an account name"):
        await member_keys.make_key(context, mallory, "lab", name)
    with pytest.raises((InvalidInput, ValidationError), match="username"):
        cluster_changes.check_cluster("far", ClusterSettings(runner_type="ssh", hostname="h", username=name))


# -- attached files ---------------------------------------------------------------------------------------------------


async def test_only_the_same_credential_copies_on_the_cluster(app: FastAPI, sshd: Sshd) -> None:
    """A path that an earlier job left means something else, or nothing, in another account."""
    context: Context = app.state.context
    ada, _ = await member(context, sshd, "ada", accepted=True)
    bob, _ = await member(context, sshd, "bob", accepted=True)
    source = await submit(context, ada)
    view = await job_in(context, ada, source)
    assert view.remote is not None
    taking = {actor.name: await submit(context, actor) for actor in (ada, bob)}
    async with context.database.write() as session:
        for job_id in taking.values():
            session.add(
                JobAttachment(
                    job_id=job_id, field="f", name="fort.34", sha256="0", size=1, source=f"job:{source}/scf.out"
                )
            )
        cluster = await cluster_rows.by_name(session, "lab")
    assert cluster is not None
    accounts = {job_id: await account_of(context, cluster, actor.user_id)
                for job_id, actor in zip(taking.values(), (ada, bob), strict=True)}  # fmt: skip
    async with context.database.read() as session:
        rows = list((await jobs.get_all(session, accounts)).values())
        found = await attached_files(context, session, rows, accounts)
    assert found[taking["ada"]][0].remote == f"{view.remote.directory}/scf.out"
    assert found[taking["bob"]][0].remote == ""
