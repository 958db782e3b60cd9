"""A machine without SFTP, with one session per connection and talkative csh accounts: jobs run, the test says what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from app.services.clusters import checks as cluster_checks
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.settings import ClusterSettings
from tests.conftest import refuse_or_skip
from tests.support.app import make_actor, running, settings_for
from tests.support.jobs import job_in
from tests.support.machines.sshd import BINARY, Sshd
from tests.support.service import mgo


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    for program in ("sshd", "tcsh"):
        if (BINARY if program == "sshd" else shutil.which(program)) is None:
            refuse_or_skip(f"{program} is not installed")
    (tmp_path / "sshd").mkdir()
    server = Sshd(tmp_path / "sshd", "MaxSessions 1").start()
    (server.home / ".cshrc").write_text("echo 'Welcome to the machine'\n")
    yield server
    server.stop()


def settings(sshd: Sshd, tmp_path: Path, **changes: str) -> ClusterSettings:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "key")
    sshd.allow('command="exec tcsh -c \\"$SSH_ORIGINAL_COMMAND\\"" ' + key.export_public_key().decode())
    program = tmp_path / "crystal"
    program.write_text("#!/bin/sh\ncat > /dev/null\necho here\nhead -c 3000000 /dev/urandom > LARGE.DAT\n")
    program.chmod(0o755)
    return ClusterSettings(
        runner_type="ssh", hostname="127.0.0.1", port=sshd.port, host_key=sshd.fingerprint, username=sshd.username,
        key_path=tmp_path / "key", crystal=str(program), workdir=changes.get("workdir", str(tmp_path / "work")),
    )  # fmt: skip


async def test_jobs_run_and_their_large_files_come(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.running.fetching.BLOCK_SIZE", 1 << 20)
    async with running(settings_for(tmp_path, clusters={"lab": settings(sshd, tmp_path)})) as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        report = {check.name: check for check in await cluster_checks.test_cluster(context, ada, "lab")}
        assert report["large files"].ok, report["large files"].detail
        assert "one session per connection" in report["events"].detail
        assert not [path for path in (tmp_path / "work").iterdir() if "test" in path.name]
        [job] = await create_jobs(context, ada, [JobRequest("scf", mgo(), "lab", {"walltime": "00:10:00"}, "one")])
        view = await job_in(context, ada, job.id)
        assert view.remote is not None and view.remote.scheduler_id and not view.job.attention
        assert {file.name: file.size for file in view.files}["LARGE.DAT"] == 3_000_000


async def test_what_keeps_large_files_away_is_said(sshd: Sshd, tmp_path: Path) -> None:
    """Another dd than Linux has: it knows no file that is opened without following links."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dd").write_text('#!/bin/sh\necho "dd: unknown operand $1" >&2\nexit 1\n')
    (tools / "dd").chmod(0o755)
    (sshd.home / ".cshrc").write_text(f"setenv PATH {tools}:$PATH\n")
    async with running(settings_for(tmp_path, clusters={"lab": settings(sshd, tmp_path)})) as app:
        ada = await make_actor(app.state.context)
        report = {check.name: check for check in await cluster_checks.test_cluster(app.state.context, ada, "lab")}
        assert not report["large files"].ok and "unknown operand" in report["large files"].detail
