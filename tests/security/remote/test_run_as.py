"""Jobs on this server run as another account where its operator says so: proved with a real one, as the kernel sees it."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.errors import ConfigurationError, RemoteFailure, Unreachable
from app.services.context import Context
from app.services.jobs import files as file_views
from app.services.jobs import views as jobs
from app.services.jobs.attachments import keep_upload
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.upkeep import doctor
from app.settings import ClusterSettings
from app.transport.local import LocalTransport
from tests.conftest import refuse_or_skip
from tests.support.app import make_actor, running, settings_for
from tests.support.jobs import job_in
from tests.support.machines import accounts
from tests.support.service import mgo
from tests.support.waiting import until

PROGRAM = """\
#!/bin/sh
cat > /dev/null
{ id -un; echo "$HOME"; env; } > WHO.DAT
cat "SECRET" > STOLEN.DAT 2> /dev/null || echo refused > STOLEN.DAT
head -c 70000000 /dev/zero > fort.9
[ ! -f fort.20 ] || wc -c < fort.20 > SIZE.DAT
echo "EEEEEEEEEE STARTING"
[ ! -f wait ] && case $(head -n 1 INPUT) in *slow*) sleep 60 ;; esac
exit 0
"""


@pytest.fixture
def account() -> pwd.struct_passwd:
    if reason := accounts.missing():
        refuse_or_skip(reason)
    return accounts.second_account()


@pytest.fixture(params=["kernel", "sudo"])
def way(
    request: pytest.FixtureRequest, account: pwd.struct_passwd, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """As root the account is changed directly; a service that is not root asks sudo.

    This sudo stands in for the real one, which needs a rule in /etc; it changes the account just as really.
    """
    if request.param == "sudo":
        sudo = shelf / "sudo"
        sudo.write_text(
            '#!/bin/sh\n[ "$1 $2 $3 $5" = "-n -H -u --" ] || exit 99\nname=$4\nshift 5\n'
            f'echo "$name $1" >> {shelf}/asked\n'
            'exec setpriv --reuid "$name" --regid "$name" --init-groups -- "$@"\n'
        )
        sudo.chmod(0o755)
        (shelf / "asked").touch()
        monkeypatch.setenv("PATH", f"{shelf}:{os.environ['PATH']}")
        monkeypatch.setattr("app.transport.local.os.geteuid", lambda: 4242)
    return str(request.param)


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that other accounts can read."""
    folder = Path(tempfile.mkdtemp(prefix="crystaldeck-run-as-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def work(account: pwd.struct_passwd) -> Iterator[str]:
    """A work directory below the home of the account."""
    name = f"work-{os.getpid()}-{os.urandom(4).hex()}"
    yield name
    shutil.rmtree(Path(account.pw_dir, name), ignore_errors=True)


@pytest.fixture
async def app(tmp_path: Path, shelf: Path, work: str, way: str) -> AsyncIterator[FastAPI]:
    secret = tmp_path / "deck" / "secret"
    secret.parent.mkdir()
    secret.write_text("the service's own\n")
    secret.chmod(0o600)
    program = shelf / "program"
    program.write_text(PROGRAM.replace("SECRET", str(secret)))
    program.chmod(0o755)
    settings = settings_for(tmp_path, data=tmp_path / "deck")
    settings.clusters["here"] = ClusterSettings(
        runner_type="local", crystal=str(program), workdir=work, run_as=accounts.NAME, max_jobs=4, cores=4
    )
    async with running(settings) as app:
        yield app


async def text_of(context: Context, actor: Any, job_id: str, name: str) -> str:
    file, _ = await jobs.open_file(context, actor, job_id, name)
    with file:
        return file.read().decode()


async def test_a_job_is_the_other_accounts_in_every_way(
    app: FastAPI, account: pwd.struct_passwd, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYSTALDECK_DATABASE_URL", "postgresql://deck:hunter2@db/deck")
    context: Context = app.state.context
    actor = await make_actor(context)
    upload = await keep_upload(context, actor, "fort.20", b"x" * 1000)
    parameters = mgo("own", guess_file=upload)
    [job] = await create_jobs(context, actor, [JobRequest("scf", parameters, "here", {}, "own")])
    view = await job_in(context, actor, job.id)
    who = (await text_of(context, actor, job.id, "WHO.DAT")).splitlines()
    assert who[:2] == [account.pw_name, account.pw_dir]
    assert "hunter2" not in "\n".join(who) and f"USER={account.pw_name}" in who
    assert await text_of(context, actor, job.id, "STOLEN.DAT") == "refused\n"
    assert (await text_of(context, actor, job.id, "SIZE.DAT")).strip() == "1000"
    # A large file came home by the other way too, and all that lies there belongs to the account.
    assert {file.name: file.size for file in view.files}["fort.9"] == 70_000_000
    assert view.remote is not None
    folder = Path(account.pw_dir, work, view.remote.directory)
    owners = {path.stat().st_uid for path in (folder, *folder.rglob("*"))}
    assert owners == {account.pw_uid}
    entries = await file_views.listing(context, actor, job.id)
    assert "WHO.DAT" in {entry.name for entry in entries}


async def test_a_running_job_is_cancelled(app: FastAPI, account: pwd.struct_passwd) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    [job] = await create_jobs(context, actor, [JobRequest("scf", mgo("slow"), "here", {}, "slow")])
    view = await job_in(context, actor, job.id, "running")
    assert view.remote is not None
    pid = int(view.remote.scheduler_id.partition(".")[0])
    assert Path(f"/proc/{pid}").stat().st_uid == account.pw_uid
    await jobs.cancel(context, actor, job.id)
    assert (await job_in(context, actor, job.id)).job.state == "cancelled"
    await until(lambda: not lives(pid))


def lives(pid: int) -> bool:
    """A process that has ended stays in the table until its parent asks for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


async def test_large_files_go_and_come_as_that_account(
    way: str, account: pwd.struct_passwd, work: str, tmp_path: Path
) -> None:
    transport = LocalTransport(run_as=account.pw_name)
    assert transport.where == f"this server as {account.pw_name}"
    await transport.run('cd && mkdir -p "$1/ada/job"', [work])
    (tmp_path / "mine").write_bytes(os.urandom(3_000_000))
    await transport.upload(tmp_path / "mine", work, "ada/job/fort.9")
    there = Path(account.pw_dir, work, "ada/job/fort.9")
    assert there.stat().st_uid == account.pw_uid
    await transport.download(work, "ada/job/fort.9", tmp_path / "back", 3_000_000)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "mine").read_bytes()
    # What only the service may read does not come, even where a link leads to it.
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secret").chmod(0o600)
    there.unlink()
    there.symlink_to(tmp_path / "secret")
    with pytest.raises(RemoteFailure):
        await transport.download(work, "ada/job/fort.9", tmp_path / "stolen", 1000)
    assert (tmp_path / "stolen").read_bytes() == b""


async def test_a_command_that_hangs_is_ended_with_its_group(way: str, account: pwd.struct_passwd, shelf: Path) -> None:
    transport = LocalTransport(run_as=account.pw_name)
    with pytest.raises(Unreachable):
        await transport.run("sleep 600 & echo $! > /tmp/cdjobs-$1; wait", [str(os.getpid())], timeout=1)
    note = Path(f"/tmp/cdjobs-{os.getpid()}")
    pid = int(note.read_text())
    note.unlink()
    await until(lambda: not lives(pid))
    if way == "sudo":
        assert "cdjobs /bin/kill" in (shelf / "asked").read_text()


async def test_an_account_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no account 'nobody-here'"):
        await LocalTransport(run_as="nobody-here").run("true")


def test_doctor_says_as_whom_jobs_run() -> None:
    def told(**settings: str) -> list[tuple[bool, str]]:
        return [
            (check.ok, f"{check.detail} {check.remedy}")
            for check in doctor._jobs_here("here", ClusterSettings(**settings))
        ]  # type: ignore[arg-type]

    [(ok, words)] = told(runner_type="local")
    assert ok and "the service's own account" in words and "run_as" in words
    [(ok, words)] = told(runner_type="local", run_as="nobody-here")
    assert not ok and "useradd --create-home nobody-here" in words
    [(ok, words)] = told(runner_type="local", run_as="daemon")
    assert ok and "run as daemon" in words
    assert told(runner_type="ssh", hostname="far") == []
