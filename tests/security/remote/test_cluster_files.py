"""What lies in a job's directory was put there by a program, perhaps a hostile one: links, pipes, a million files, a terabyte.

Only regular files inside the directory are listed, read and fetched, on the cluster and here.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
from fastapi import FastAPI

from app.errors import NotFound, RemoteFailure
from app.runners.base import Handle, RemoteFile
from app.runners.batch_systems import step
from app.runners.direct import DirectRunner
from app.services.context import Context
from app.services.jobs import archives
from app.services.jobs import files as file_views
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.selections import Selection
from app.services.jobs.views import open_file
from app.settings import ClusterSettings
from app.transport.base import Transport
from app.transport.local import LocalTransport
from app.transport.ssh import Endpoint, Login, SSHTransport, connect
from tests.conftest import refuse_or_skip
from tests.support.app import make_actor, running, settings_for
from tests.support.jobs import ended_job, job_in
from tests.support.machines.sshd import BINARY, Sshd
from tests.support.service import mgo

SECRET = b"the service's secret\n"
JOB = "ada/job-abcdefghij"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work directory with one job in it, and a secret beside it."""
    folder = tmp_path / "work" / JOB
    (folder / ".crystaldeck").mkdir(parents=True)
    (folder / ".crystaldeck" / "token").write_text("t" * 32)
    (folder / ".crystaldeck" / "exit").write_text("0 - 5 1\n")
    (folder / "scf.out").write_text("EEEEEEEEEE STARTING\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "optc001").write_text("3 1 1\n")
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "fort.9").write_bytes(SECRET)
    (tmp_path / "elsewhere" / ".crystaldeck").mkdir()
    return tmp_path / "work"


def runner(work: Path, **limits: float) -> DirectRunner:
    settings = ClusterSettings(runner_type="local", workdir=str(work), **limits)  # type: ignore[arg-type]
    return DirectRunner(LocalTransport(), settings)


HANDLE = Handle("job", "1.1", JOB, "scf.out")


# -- links and pipes, on the cluster -------------------------------------------------------------------------------------------


def plant(work: Path) -> None:
    """What a hostile job leaves behind."""
    folder = work / JOB
    (folder / "link").symlink_to(work.parent / "secret")
    (folder / "inside").symlink_to("scf.out")
    (folder / "away").symlink_to(work.parent / "elsewhere")
    (folder / "state").symlink_to(".crystaldeck")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")


async def test_a_list_names_links_and_follows_none(work: Path) -> None:
    plant(work)
    entries = {entry.name: entry.kind for entry in await runner(work).browse(JOB, 100)}
    assert entries == {
        "scf.out": "file", "sub/optc001": "file",
        "link": "link", "inside": "link", "away": "link", "state": "link", "dangling": "link",
    }  # fmt: skip


async def test_only_regular_files_are_fetched(work: Path) -> None:
    plant(work)
    listed = (await runner(work).list_files([HANDLE]))["job"]
    assert {file.name for file in listed.files} == {"scf.out", "sub/optc001"}
    everything = [RemoteFile("job", name, 1, "0" * 64) for name in ("link", "inside", "scf.out")]
    stream = io.BytesIO()
    await runner(work).fetch([HANDLE], everything, stream.write)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        assert [member.name for member in archive if member.isreg()] == [f"{JOB}/scf.out"]
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize(
    "name",
    ["link", "away/fort.9", "state/token", "dangling", "pipe", ".crystaldeck/token", "./.crystaldeck/token",
     "sub/../.crystaldeck/token", ".CrystalDeck/token", ".crystaldec\u212a/token", "../../../secret", "/etc/passwd", "sub",
     ".crystaldeck/../../../../secret"],
)  # fmt: skip
async def test_nothing_else_is_read(work: Path, name: str) -> None:
    plant(work)
    async with asyncio.timeout(20):
        data, size = await runner(work).read(JOB, name, 0)
    assert (data, size) == (b"", 0)


async def test_a_regular_file_is_read_also_below(work: Path) -> None:
    assert await runner(work).read(JOB, "sub/optc001", 2) == (b"1 1\n", 6)


async def test_the_step_itself_reads_no_state(work: Path) -> None:
    """Whatever is asked of it."""
    for name in (
        ".crystaldeck/token",
        "../job-abcdefghij/.crystaldeck/token",
        "./scf.out",
        "/etc/passwd",
        "../../../secret",
    ):
        line = f"job\t{JOB}\t{name}\t0\n".encode()
        done = await LocalTransport().run(step("peek"), [str(work), "1000", "all"], stdin=line)
        assert done.stdout.split(b"\t")[4].startswith(b"0\n"), (name, done.stdout)


@pytest.mark.parametrize("what", ["output", "marker", "state", "directory"])
async def test_a_poll_follows_no_link_and_waits_for_no_pipe(work: Path, what: str) -> None:
    folder = work / JOB
    (work.parent / "exit").write_text("0 - 7 1\n")
    match what:
        case "output":
            (folder / "scf.out").unlink()
            (folder / "scf.out").symlink_to(work.parent / "secret")
        case "marker":
            (folder / ".crystaldeck" / "exit").unlink()
            (folder / ".crystaldeck" / "exit").symlink_to(work.parent / "exit")
        case "state":
            (folder / ".crystaldeck").rename(folder / "moved")
            (folder / ".crystaldeck").symlink_to(folder / "moved")
        case "directory":
            folder.rename(work.parent / "moved")
            folder.symlink_to(work.parent / "moved")
    glimpse = (await runner(work)._peek([HANDLE], "all"))["job"]
    assert SECRET not in glimpse.data
    if what in ("output", "directory"):
        assert (glimpse.size, glimpse.data) == (0, b"")
    if what in ("marker", "state", "directory"):
        assert glimpse.marker is None


async def test_a_pipe_in_the_place_of_output_and_marker_holds_up_nobody(work: Path) -> None:
    for path in (work / JOB / "scf.out", work / JOB / ".crystaldeck" / "exit"):
        path.unlink()
        os.mkfifo(path)
    other = work / "ada" / "other-abcdefghij"
    (other / ".crystaldeck").mkdir(parents=True)
    (other / "scf.out").write_text("hello\n")
    async with asyncio.timeout(20):
        seen = await runner(work).peek([HANDLE, Handle("other", "2.2", "ada/other-abcdefghij", "scf.out")])
        listed = await runner(work).list_files([HANDLE])
    assert (seen["job"].marker, seen["job"].size) == (None, 0)
    assert seen["other"].data == b"hello\n"
    assert {file.name for file in listed["job"].files} == {"sub/optc001"}


async def test_a_directory_that_became_a_link_is_said(work: Path) -> None:
    (work / JOB).rename(work.parent / "moved")
    (work / JOB).symlink_to(work.parent / "moved")
    listed = (await runner(work).list_files([HANDLE]))["job"]
    assert listed.files == [] and "symbolic link" in listed.left[0]


# -- the race between look and read ----------------------------------------------------------------------------------------------


async def test_a_file_that_changes_while_its_sum_is_computed_is_not_trusted(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is swapped for a link just while sha256sum reads it, and back before anybody looks again."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (work / JOB / "fort.9").write_bytes(b"mine\n")
    (tools / "sha256sum").write_text(
        f"#!/bin/sh\nif [ -f ./fort.9 ]; then mv fort.9 {tmp_path}/kept; ln -s {tmp_path}/secret fort.9; fi\n"
        f'/usr/bin/sha256sum "$@"\n[ ! -L ./fort.9 ] || {{ rm fort.9; mv {tmp_path}/kept fort.9; }}\n'
    )
    (tools / "sha256sum").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    listed = (await runner(work).list_files([HANDLE]))["job"]
    sums = {file.name: file.sha256 for file in listed.files}
    assert sums["fort.9"] == "" and sums["scf.out"]


# -- sizes -----------------------------------------------------------------------------------------------------------------------


async def test_a_sparse_terabyte_is_named_and_left(work: Path) -> None:
    with (work / JOB / "fort.1").open("wb") as file:
        file.truncate(1 << 40)
    async with asyncio.timeout(20):
        listed = (await runner(work, max_file_gb=1).list_files([HANDLE]))["job"]
    assert {file.name for file in listed.files} == {"scf.out", "sub/optc001"}
    [reason] = listed.left
    assert "fort.1" in reason and "1024 GiB" in reason and "max_file_gb" in reason


async def test_more_than_one_job_may_bring_is_named_and_left(work: Path) -> None:
    for number in range(4):
        with (work / JOB / f"big{number}").open("wb") as file:
            file.truncate(1 << 20)
    listed = (await runner(work, max_job_gb=2.5 / 1024).list_files([HANDLE]))["job"]
    names = {file.name for file in listed.files}
    assert "scf.out" in names and len(names & {f"big{number}" for number in range(4)}) == 2
    assert len(listed.left) == 2 and all("max_job_gb" in reason for reason in listed.left)


async def test_very_many_files_leave_room_for_what_matters(work: Path) -> None:
    many = work / JOB / "sub"
    for number in range(3000):
        (many / f"x{number}").touch()
    listed = (await runner(work, max_files=50).list_files([HANDLE]))["job"]
    assert "scf.out" in {file.name for file in listed.files}
    assert len(listed.files) <= 100
    assert any("max_files" in reason and "29" in reason for reason in listed.left), listed.left
    assert len(await runner(work).browse(JOB, 10)) == 10


async def test_an_endless_marker_or_line_costs_nothing(work: Path) -> None:
    (work / JOB / ".crystaldeck" / "exit").write_bytes(b"0" * 50_000_000)
    done = await runner(work)._run(
        step("peek"), str(work), "10", "all", stdin=f"job\t{JOB}\tscf.out\t0\n".encode(), doing="x"
    )
    assert len(done.stdout) < 1000


async def test_names_with_line_ends_and_signs_are_left_alone(work: Path) -> None:
    for name in ("a\nS\t1\t1\t1\tada\tx", "a\nD\tother", "b\tc", "D\tother", "\x1b[31mred", "back\\slash", "-rf"):
        (work / JOB / name).write_text("x")
    listed = await runner(work).list_files([HANDLE])
    assert set(listed) == {"job"}
    assert {file.name for file in listed["job"].files} <= {"scf.out", "sub/optc001", "-rf", "back\\slash"}
    assert {entry.name for entry in await runner(work).browse(JOB, 100)} <= {
        "scf.out",
        "sub/optc001",
        "-rf",
        "back\\slash",
    }


async def test_an_answer_without_end_is_cut_off(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.transport.local.MAX_ANSWER", 1 << 20)
    async with asyncio.timeout(20):
        with pytest.raises(RemoteFailure, match="sent more than"):
            await LocalTransport().run("exec cat /dev/zero")
        with pytest.raises(RemoteFailure, match="sent more than"):
            stream = RemoteFile("job", "scf.out", 10, "0" * 64)
            endless = runner(work)
            monkeypatch.setattr("app.runners.base.step", lambda name: "exec cat /dev/zero")
            await endless.fetch([HANDLE], [stream], lambda data: None)


async def test_a_line_without_end_is_no_line(work: Path) -> None:
    script = "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo token ended 5; sleep 60"
    async with asyncio.timeout(20), LocalTransport().follow(script) as lines:
        first, second = await anext(lines), await anext(lines)
    assert len(first) < 10_000 and second == b"token ended 5\n"


# -- large files -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["local", "ssh"])
async def transport(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transport]:
    if request.param == "local":
        yield LocalTransport()
        return
    if BINARY is None:
        refuse_or_skip("sshd is not installed (apt-get install openssh-server)")
    key = asyncssh.generate_private_key("ssh-ed25519")
    sshd = Sshd(tmp_path / "sshd").start()
    sshd.allow(key.export_public_key().decode())
    endpoint = Endpoint("127.0.0.1", sshd.port, sshd.username, sshd.public)
    transport = SSHTransport(await connect(Login(endpoint, (key.export_private_key(),))), "ada@test")
    yield transport
    await transport.close()
    sshd.stop()


async def test_a_large_file_comes_whole_and_goes_on_where_it_stopped(
    transport: Transport, work: Path, tmp_path: Path
) -> None:
    data = os.urandom(3_000_000)
    (work / JOB / "fort.9").write_bytes(data)
    (tmp_path / "part").write_bytes(data[:1_000_001])
    await transport.download(str(work), f"{JOB}/fort.9", tmp_path / "part", len(data))
    assert (tmp_path / "part").read_bytes() == data
    await transport.upload(tmp_path / "part", str(work), f"{JOB}/.crystaldeck/incoming")
    assert (work / JOB / ".crystaldeck" / "incoming").read_bytes() == data


@pytest.mark.parametrize("name", ["link", "away/fort.9", "dangling", "pipe"])
async def test_no_large_file_comes_through_a_link(transport: Transport, work: Path, tmp_path: Path, name: str) -> None:
    plant(work)
    async with asyncio.timeout(20):
        with contextlib.suppress(RemoteFailure):
            await transport.download(str(work), f"{JOB}/{name}", tmp_path / "part", 1 << 30)
    assert not (tmp_path / "part").exists() or (tmp_path / "part").read_bytes() == b""


async def test_no_more_comes_than_was_asked_for(transport: Transport, work: Path, tmp_path: Path) -> None:
    (work / JOB / "fort.9").write_bytes(b"x" * 10_000_000)
    with pytest.raises(RemoteFailure):
        await transport.download(str(work), f"{JOB}/fort.9", tmp_path / "part", 1000)
    assert (tmp_path / "part").stat().st_size <= 1000


@pytest.mark.parametrize("where", ["fort.9", "away/fort.9"])
async def test_nothing_large_is_written_through_a_link(
    transport: Transport, work: Path, tmp_path: Path, where: str
) -> None:
    (tmp_path / "mine").write_bytes(b"evil\n")
    if where == "fort.9":
        (work / JOB / "fort.9").symlink_to(tmp_path / "secret")
        await transport.upload(tmp_path / "mine", str(work), f"{JOB}/{where}")
        assert (work / JOB / "fort.9").read_bytes() == b"evil\n" and not (work / JOB / "fort.9").is_symlink()
    else:
        plant(work)
        with pytest.raises(RemoteFailure):
            await transport.upload(tmp_path / "mine", str(work), f"{JOB}/{where}")
    assert (tmp_path / "secret").read_bytes() == SECRET
    assert (tmp_path / "elsewhere" / "fort.9").read_bytes() == SECRET


# -- here ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    async with running(settings_for(tmp_path, data=tmp_path / "deck")) as app:
        yield app


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
async def test_nothing_that_lies_here_leads_elsewhere(app: FastAPI, tmp_path: Path, kind: str) -> None:
    """Whatever came into the folder of results: a link in it is not followed by any of the ways to read."""
    context: Context = app.state.context
    actor = await make_actor(context)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "BAND.DAT").write_bytes(SECRET)
    name = "sub/BAND.DAT" if kind == "folder" else "BAND.DAT"
    job_id = await ended_job(context, actor, {name: b"x", "scf.out": b"hello\n"})
    folder = context.job_folder(job_id) / "files"
    (folder / name).unlink()
    match kind:
        case "link":
            (folder / name).symlink_to(tmp_path / "secret")
        case "folder":
            (folder / "sub").rmdir()
            (folder / "sub").symlink_to(tmp_path / "elsewhere")
        case "pipe":
            os.mkfifo(folder / name)
    async with asyncio.timeout(20):
        with pytest.raises(NotFound):
            await open_file(context, actor, job_id, name)
        with pytest.raises(NotFound):
            await file_views.piece(context, actor, job_id, name)
        chosen = await file_views.chosen(context, actor, job_id, [])
        every = await archives.members(context, actor, Selection(ids=(job_id,)))
    whole = b"".join(archives.zipped(chosen)) + b"".join(archives.zipped(every))
    assert SECRET not in whole and name not in [found for found, _ in chosen]
    assert "scf.out" in [found for found, _ in chosen]


async def test_a_file_is_read_from_what_was_opened(app: FastAPI, tmp_path: Path) -> None:
    """The name may be swapped after the look: what was opened is what is sent."""
    context: Context = app.state.context
    actor = await make_actor(context)
    (tmp_path / "secret").write_bytes(SECRET)
    job_id = await ended_job(context, actor, {"scf.out": b"hello\n"})
    opened, _ = await open_file(context, actor, job_id, "scf.out")
    path = context.job_folder(job_id) / "files" / "scf.out"
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    with opened:
        assert opened.read() == b"hello\n"


async def test_lines_that_come_later_are_heard(transport: Transport, tmp_path: Path) -> None:
    script = f"echo one; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; head -c 300000 /dev/zero | tr '\\0' x; echo; echo two"
    async with asyncio.timeout(20), transport.follow(script) as lines:
        assert await anext(lines) == b"one\n"
        (tmp_path / "go").touch()
        assert len(await anext(lines)) < 10_000
        assert await anext(lines) == b"two\n"


async def test_one_file_that_cannot_come_holds_up_no_other_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It became a link just now, or a folder is to lie where a file is: that job lacks a file, the round goes on."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\ncat\nmkdir sub\necho 1 > sub/optc001\nhead -c 2000 /dev/zero > EVIL.DAT\n")
    program.chmod(0o755)
    settings = settings_for(tmp_path, data=tmp_path / "deck")
    settings.clusters["here"] = settings.clusters["here"].model_copy(update={"crystal": str(program)})
    monkeypatch.setattr("app.services.running.fetching.BLOCK_SIZE", 1500)
    fetch = DirectRunner.fetch_large

    async def hostile(self: DirectRunner, job: Handle, file: RemoteFile, local: Path) -> None:
        if file.name == "EVIL.DAT" and job.job_id == bad.id:
            raise RemoteFailure("EVIL.DAT is not a regular file.")
        await fetch(self, job, file, local)

    monkeypatch.setattr(DirectRunner, "fetch_large", hostile)
    async with running(settings) as app:
        context: Context = app.state.context
        actor = await make_actor(context)
        bad, good = await create_jobs(
            context, actor, [JobRequest("scf", mgo(), "here", {}, name) for name in ("a", "b")]
        )
        place = context.job_folder(bad.id) / "files" / "sub"
        place.parent.mkdir(parents=True)
        place.write_text("in the way")
        views = {job.id: await job_in(context, actor, job.id) for job in (bad, good)}
        names = {job_id: {file.name for file in view.files} for job_id, view in views.items()}
        assert {"EVIL.DAT", "sub/optc001", "scf.out"} <= names[good.id] and not views[good.id].job.attention
        assert "scf.out" in names[bad.id] and not {"EVIL.DAT", "sub/optc001"} & names[bad.id]
        assert "Not all files were fetched" in views[bad.id].job.attention
