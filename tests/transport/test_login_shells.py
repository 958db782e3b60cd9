"""Accounts whose login shell is not bash, and programs that only a login shell finds: through a real sshd, and the line alone."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncssh
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import Unreachable
from app.transport.command_lines import Command, sh_command
from app.transport.ssh import Endpoint, Login, SSHTransport, connect
from tests.conftest import refuse_or_skip
from tests.support.machines.sshd import BINARY, Sshd

SHELLS = {
    "dash": ["dash", "-c"],
    "bash": ["bash", "--norc", "-c"],
    "tcsh": ["tcsh", "-f", "-c"],
    "fish": ["fish", "--no-config", "-c"],
}
HOSTILE = [
    "", "-n", "it's", 'a "b"', "$(touch x)", "`touch x`", "a\nb\n", "\\n \\0101 \\\\", "!!", "!$", "%s%n", "*", "~", "ä€\U0001f600",
    "\x80\x88".encode("latin-1").decode("utf-8", "surrogateescape"), "\t\r\x1b[31m", "a;b|c&d<e>f(g)h{i}j#k", "x" * 20000,
]  # fmt: skip


def shell(name: str) -> list[str]:
    if shutil.which(SHELLS[name][0]) is None:
        refuse_or_skip(f"{name} is not installed (apt-get install {name})")
    return SHELLS[name]


async def run_in(words: list[str], command: Command, stdin: bytes = b"") -> tuple[bytes, bytes, int]:
    process = await asyncio.create_subprocess_exec(
        *words,
        command.line,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(command.opening + stdin)
    return out.partition(command.marker)[2], err, process.returncode or 0


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize("login_shell", [False, True])
async def test_every_shell_gives_a_script_its_arguments_and_its_input(
    name: str, login_shell: bool, tmp_path: Path
) -> None:
    command = sh_command('for word; do printf "%s\\0" "$word"; done\ncat\nexit 7', HOSTILE, login_shell=login_shell)
    data = os.urandom(3_000_000)
    out, err, status = await run_in(["env", f"HOME={tmp_path}", *shell(name)], command, data)
    words = b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in HOSTILE)
    assert (out[: len(words)], err, status) == (words, b"", 7)
    assert out[len(words) :] == data


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_any_text_stays_one_argument(word: str) -> None:
    out, err, status = asyncio.run(run_in(["dash", "-c"], sh_command('printf %s "$1"; echo "$#"', [word])))
    assert (out, err, status) == (word.encode() + b"1\n", b"", 0)


@pytest.mark.parametrize("name", SHELLS)
async def test_half_a_step_runs_nothing(name: str, tmp_path: Path) -> None:
    """The connection breaks while it is sent."""
    command = sh_command(f"touch {tmp_path}/ran\necho 1\n")
    for length in (0, 1, 30, len(command.opening) - 1):
        half = Command(command.line, command.opening[:length], command.marker)
        out, _, status = await run_in(shell(name), half)
        assert out == b"" and status != 0 and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("login_shell", [False, True])
async def test_data_never_runs_as_a_step(login_shell: bool, tmp_path: Path) -> None:
    """A start-up file takes the first line, and what comes behind it is no step."""
    command = sh_command("cat", login_shell=login_shell)
    eaten = Command(command.line, b"", command.marker)
    out, _, status = await run_in(
        shell("dash"), eaten, f"set -- x touch {tmp_path}/ran\ntouch {tmp_path}/ran\n".encode()
    )
    assert out == b"" and status != 0 and not (tmp_path / "ran").exists()


def test_the_line_is_the_same_whatever_is_run_but_for_a_random_word() -> None:
    first, second = sh_command("echo 1\necho 2"), sh_command('echo "$1"', HOSTILE)
    assert first.line.rpartition(" ")[0] == second.line.rpartition(" ")[0] and len(first.line) < 250
    assert first.marker != second.marker
    for line in (first.line, sh_command("true", login_shell=True).line):
        assert line.isascii() and line.isprintable() and not set("\\!#`\n") & set(line)
    with pytest.raises(ValueError, match="NUL"):
        sh_command("true", ["a\0b"])


# -- through sshd ------------------------------------------------------------------------------------------------------------------

Opener = Callable[..., "asyncio.Future[SSHTransport]"]


@pytest.fixture
async def open_account(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the test's own account as if its login shell were another one: sshd runs that one with `-c` and the line."""
    if BINARY is None:
        refuse_or_skip("sshd is not installed (apt-get install openssh-server)")
    key = asyncssh.generate_private_key("ssh-ed25519")
    sshd = Sshd(tmp_path / "sshd").start()
    opened: list[SSHTransport] = []

    async def open_with(words: list[str]) -> SSHTransport:
        options = f'command="{shlex.join(words)} \\"$SSH_ORIGINAL_COMMAND\\"" ' if words else ""
        sshd.allow(options + key.export_public_key().decode())
        endpoint = Endpoint("127.0.0.1", sshd.port, sshd.username, sshd.public)
        opened.append(SSHTransport(await connect(Login(endpoint, (key.export_private_key(),))), "ada@test"))
        return opened[-1]

    yield open_with  # type: ignore[misc]
    for transport in opened:
        await transport.close()
    sshd.stop()


@pytest.mark.parametrize("name", SHELLS)
async def test_an_account_with_any_login_shell_runs_steps_and_is_followed(open_account: Opener, name: str) -> None:
    transport = await open_account(shell(name))
    done = await transport.run('printf "%s\\0" "$@"\ncat >&2\nexit 3', ["it's\n$x", "!!"], stdin=b"in\n")
    assert (done.status, done.stdout, done.stderr) == (3, b"it's\n$x\0!!\0", b"in\n")
    async with asyncio.timeout(20), transport.follow('echo "$1"\nsleep 60', ["one"]) as lines:
        assert await anext(lines) == b"one\n"


async def test_a_program_that_only_a_profile_finds(open_account: Opener, tmp_path: Path) -> None:
    """PATH is set in ~/.profile, which sshd's shell does not read; the profile is chatty, curious, and so is the logout."""
    home = tmp_path / "sshd" / "home"
    tools = tmp_path / "opt" / "bin"
    tools.mkdir(parents=True)
    (tools / "sqhello").write_text("#!/bin/sh\necho hello; cat\n")
    (tools / "sqhello").chmod(0o755)
    (home / ".profile").write_text(f"echo Welcome to the machine\nread -r eaten\nPATH={tools}:$PATH\n")
    (home / ".bash_logout").write_text("echo Goodbye\n")
    plain = await open_account([])
    assert (await plain.run("sqhello")).status == 127
    done = await plain.in_login_shell().run("sqhello; exit 0", stdin=b"data\n")
    assert (done.status, done.stdout) == (0, b"hello\ndata\n")


async def test_a_shell_that_runs_nothing_is_named(open_account: Opener) -> None:
    """What looks like an empty answer would be taken for one: no job is there."""
    transport = await open_account(["/bin/echo", "This account is currently not available.", "#"])
    with pytest.raises(Unreachable, match=r"login shell.*not available"):
        await transport.run("echo 1")
