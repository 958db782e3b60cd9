"""A machine whose scheduler only a login shell finds: the test of the cluster says so, and with the setting jobs run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from app.domain.people.permissions import Actor
from app.runners.batch_systems import Check
from app.services.clusters import checks as cluster_checks
from app.services.clusters.changes import sync_configuration
from app.services.context import Context
from app.settings import ClusterSettings
from tests.conftest import refuse_or_skip
from tests.support.app import make_actor, running, settings_for
from tests.support.machines.sshd import BINARY, Sshd

SCHEDULER = ("sinfo", "sbatch", "squeue", "sacct", "scancel", "scontrol", "srun")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """Its PATH has everything but a scheduler; ~/.profile adds the folder of one, and talks."""
    if BINARY is None:
        refuse_or_skip("sshd is not installed (apt-get install openssh-server)")
    usual, slurm = tmp_path / "usual", tmp_path / "slurm"
    for folder in (usual, slurm, tmp_path / "sshd"):
        folder.mkdir()
    for program in (entry for folder in ("/usr/bin", "/bin") for entry in os.scandir(folder)):
        if program.name not in SCHEDULER and not (usual / program.name).is_symlink():
            (usual / program.name).symlink_to(program.path)
    (slurm / "sinfo").write_text(
        '#!/bin/sh\ncase "$*" in *version*) echo slurm 29.1.3 ;; *-o*) echo "main*(up,1:00:00,2 nodes)" ;; esac\n'
    )
    (slurm / "sacct").write_text("#!/bin/sh\nexit 0\n")
    for program in slurm.iterdir():
        program.chmod(0o755)
    server = Sshd(tmp_path / "sshd", path=usual).start()
    (server.home / ".profile").write_text(f"echo Welcome; echo Welcome >&2; PATH={slurm}:$PATH; cat\n")
    yield server
    server.stop()


async def report(context: Context, actor: Actor, settings: ClusterSettings) -> dict[str, Check]:
    """What the test says with these settings in the configuration file."""
    context.settings.clusters["lab"] = settings
    await sync_configuration(context)
    return {check.name: check for check in await cluster_checks.test_cluster(context, actor, "lab")}


async def test_a_scheduler_that_only_a_login_shell_finds(sshd: Sshd, tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(tmp_path / "key")
    sshd.allow(key.export_public_key().decode())
    plain = ClusterSettings(
        hostname="127.0.0.1", port=sshd.port, host_key=sshd.fingerprint, username=sshd.username, key_path=tmp_path / "key",
        workdir=str(tmp_path / "work"), crystal="true", properties="true",
    )  # fmt: skip
    async with running(settings_for(tmp_path, clusters={"lab": plain})) as app:
        ada = await make_actor(app.state.context)
        told = (await report(app.state.context, ada, plain))["scheduler"]
        assert not told.ok and "set login_shell = true" in told.detail
        told = (await report(app.state.context, ada, plain.model_copy(update={"login_shell": True})))["scheduler"]
        assert (told.ok, told.detail) == (True, "slurm 29.1.3")
        # The other way: a setting that is not needed any more is not advised.
        (sshd.home / ".profile").unlink()
        told = (await report(app.state.context, ada, plain))["scheduler"]
        assert not told.ok and "set login_shell" not in told.detail
