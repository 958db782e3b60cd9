"""Jobs on this server see little of it: no secrets of the service's environment, and on request not even its account."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import ClusterSettings, Settings
from app.transport.environment import child_environment
from app.transport.local import LocalTransport

SECRETS = {
    "CRYSTALDECK_DATABASE_URL": "postgresql://deck:hunter2@db/deck",
    "CRYSTALDECK_MASTER_KEY": "k3y",
    "crystaldeck_lower": "x",
    "SSH_AUTH_SOCK": "/run/agent.sock",
    "AWS_SECRET_ACCESS_KEY": "x",
    "GITHUB_TOKEN": "x",
    "PGPASSWORD": "x",
    "LD_PRELOAD": "/tmp/evil.so",
    "BASH_ENV": "/tmp/evil.sh",
    "ENV": "/tmp/evil.sh",
    "PYTHONPATH": "/tmp",
    "BASH_FUNC_cd%%": "() { echo evil; }",
}
KEPT = {"LANG": "C.UTF-8", "LC_NUMERIC": "C", "TZ": "UTC", "TMPDIR": "/var/tmp", "SLURM_CONF": "/etc/slurm/slurm.conf"}


async def test_a_command_on_this_server_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SECRETS | KEPT).items():
        monkeypatch.setenv(name, value)
    done = await LocalTransport().run("env")
    seen = dict(line.split("=", 1) for line in done.text.splitlines() if "=" in line)
    assert not SECRETS.keys() & seen.keys()
    assert "hunter2" not in done.text and "evil" not in done.text
    assert {name: seen[name] for name in KEPT} == KEPT
    assert seen["HOME"] == str(Path.home()) and seen["PATH"] == os.environ["PATH"]


async def test_a_command_that_is_followed_sees_no_secret_either(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    async with LocalTransport().follow("env; echo end") as lines:
        seen = b""
        async for line in lines:
            seen += line
            if line == b"end\n":
                break
    assert not [name for name in SECRETS if f"{name}=".encode() in seen]


def test_more_variables_pass_only_by_name() -> None:
    environ = {"MODULEPATH": "/opt/modules", "LICENSE_FILE": "/opt/licence", "PATH": "/bin"} | SECRETS
    assert child_environment(environ, ("LICENSE_FILE",))["LICENSE_FILE"] == "/opt/licence"
    assert "LICENSE_FILE" not in child_environment(environ)


@pytest.mark.parametrize(
    "name", ["CRYSTALDECK_DATABASE_URL", "crystaldeck_x", "SSH_AUTH_SOCK", "A=B", "", "LD_PRELOAD"]
)
def test_no_setting_lets_a_secret_pass(name: str) -> None:
    with pytest.raises(ValueError):
        Settings(pass_environment=[name])
    assert name not in child_environment({name: "x"}, (name,))


def test_only_a_machine_of_this_server_runs_as_another_account() -> None:
    assert ClusterSettings(runner_type="local", run_as="jobs").run_as == "jobs"
    for name in ("-x", "root;id", "a b", "jobs\n", "../x", "x" * 40):
        with pytest.raises(ValueError):
            ClusterSettings(runner_type="local", run_as=name)


def test_a_service_that_runs_hands_its_settings_to_no_child() -> None:
    """Not even to one that a library starts; and its memory and environment are root's to read alone."""
    script = (
        "import ctypes, os, subprocess\n"
        "from app.transport.environment import agent_socket, hide_secrets\n"
        "hide_secrets()\n"
        "print(subprocess.run(['env'], capture_output=True, text=True).stdout)\n"
        "print('dumpable', ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
        "print('owner', os.stat('/proc/self/environ').st_uid)\n"
        "print('agent', agent_socket())\n"
    )
    environment = {**os.environ, **{name: value for name, value in SECRETS.items() if name.upper().startswith("CRYST")}}
    environment |= {"SSH_AUTH_SOCK": "/run/agent.sock"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert "hunter2" not in done.stdout and "SSH_AUTH_SOCK" not in done.stdout and "k3y" not in done.stdout
    assert {"dumpable 0", "owner 0", "agent /run/agent.sock"} <= set(done.stdout.splitlines())
