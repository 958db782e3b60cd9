"""What centres switch off: SFTP, more than one session per connection. Through a real sshd."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest

from app.errors import RemoteFailure, Unreachable
from app.transport.ssh import Endpoint, Login, SSHTransport, connect
from tests.conftest import refuse_or_skip
from tests.support.machines.sshd import BINARY, Sshd

Opener = Callable[..., Awaitable[SSHTransport]]
NO_SFTP = ("Subsystem sftp /nowhere/sftp-server",)
ONE_SESSION = ("MaxSessions 1",)
FOLLOWED = "echo one; sleep 60"


@pytest.fixture
async def open_machine(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a connection to an sshd with these lines in its configuration."""
    if BINARY is None:
        refuse_or_skip("sshd is not installed (apt-get install openssh-server)")
    machines: list[tuple[Sshd, SSHTransport]] = []

    async def opened(*options: str, bashrc: str = "") -> SSHTransport:
        sshd = Sshd(tmp_path / f"sshd{len(machines)}", *options).start()
        (sshd.home / ".bashrc").write_text(bashrc)
        key = asyncssh.generate_private_key("ssh-ed25519")
        sshd.allow(key.export_public_key().decode())
        endpoint = Endpoint("127.0.0.1", sshd.port, sshd.username, sshd.public)
        machines.append(
            (sshd, SSHTransport(await connect(Login(endpoint, (key.export_private_key(),))), "ada@test", 20))
        )
        return machines[-1][1]

    yield opened
    for sshd, transport in machines:
        await transport.close()
        sshd.stop()


# -- large files -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "bashrc"),
    [
        (NO_SFTP, ""),
        (("Subsystem sftp /usr/lib/openssh/sftp-server",), "echo '*** Welcome ***'\n"),
        (ONE_SESSION, "cat /etc/passwd; echo warning >&2\n"),
    ],
)
async def test_a_large_file_goes_there_and_back(
    open_machine: Opener, tmp_path: Path, options: tuple[str, ...], bashrc: str
) -> None:
    transport = await open_machine(*options, bashrc=bashrc)
    data = os.urandom(5_000_000)
    (tmp_path / "fort.9").write_bytes(data)
    (tmp_path / "work" / "ada").mkdir(parents=True)
    (tmp_path / "part").write_bytes(data[:1_234_567])
    async with asyncio.timeout(60):
        await transport.upload(tmp_path / "fort.9", str(tmp_path / "work"), "ada/copy")
        await transport.download(str(tmp_path / "work"), "ada/copy", tmp_path / "part", len(data))
    assert (tmp_path / "work" / "ada" / "copy").read_bytes() == data == (tmp_path / "part").read_bytes()


async def test_what_stops_a_copy_is_said_and_holds_no_channel(open_machine: Opener, tmp_path: Path) -> None:
    """A full disk and a missing file, more often than there are channels."""
    transport = await open_machine()
    (tmp_path / "mine").write_bytes(b"x" * 3_000_000)
    for _ in range(12):
        with pytest.raises(RemoteFailure, match="No such file"):
            await transport.download(str(tmp_path), "nowhere", tmp_path / "part", 10)
        with pytest.raises(RemoteFailure, match="sent more than"):
            await transport.download(str(tmp_path), "mine", tmp_path / "some", 10)
        with pytest.raises(RemoteFailure):
            await transport.upload(tmp_path / "mine", str(tmp_path), "nowhere/mine")
        (tmp_path / "some").unlink()
    assert (await transport.run("echo 1")).stdout == b"1\n"


# -- few sessions ------------------------------------------------------------------------------------------------------------------


async def test_one_session_is_for_commands(open_machine: Opener) -> None:
    """The events are given up, not the commands; they queue."""
    transport = await open_machine(*ONE_SESSION)

    async def number(value: int) -> bytes:
        return (await transport.run('sleep 0.05; echo "$1"', [str(value)])).stdout

    async with asyncio.timeout(60):
        answers = asyncio.gather(*(number(value) for value in range(20)))
        for _ in range(2):
            with pytest.raises(RemoteFailure, match="allows one session"):
                async with transport.follow(FOLLOWED):
                    pass
        assert await answers == [f"{value}\n".encode() for value in range(20)]
    assert transport.is_open


@pytest.mark.parametrize("sessions", [2, 3, 10])
async def test_more_sessions_are_followed_too(open_machine: Opener, sessions: int) -> None:
    transport = await open_machine(f"MaxSessions {sessions}")
    async with asyncio.timeout(60):
        before = asyncio.gather(*(transport.run("sleep 0.05") for _ in range(8)))
        async with transport.follow(FOLLOWED) as lines:
            assert await anext(lines) == b"one\n"
            done = await asyncio.gather(*(transport.run("sleep 0.05; exit 4") for _ in range(12)))
            assert {one.status for one in done} == {4}
        assert {one.status for one in await before} == {0}


async def test_a_command_waits_for_a_large_one_without_failing(open_machine: Opener, tmp_path: Path) -> None:
    """Its own time limit begins when it is its turn."""
    transport = await open_machine(*ONE_SESSION)
    long = asyncio.create_task(transport.run(f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo long"))
    await asyncio.sleep(0)
    short = asyncio.create_task(transport.run("echo short", timeout=0.5))
    done, _ = await asyncio.wait({long, short}, timeout=1.5)
    assert not done
    (tmp_path / "go").touch()
    async with asyncio.timeout(30):
        assert [(await task).stdout for task in (long, short)] == [b"long\n", b"short\n"]


async def test_a_session_that_hangs_does_not_keep_the_room_for_ever(open_machine: Opener) -> None:
    """It goes on after nobody waits for it, and is counted: then only another connection helps, and this one says so."""
    transport = await open_machine(*ONE_SESSION)
    async with asyncio.timeout(60):
        with pytest.raises(Unreachable, match="did not finish"):
            await transport.run("trap '' HUP PIPE; sleep 50 > /dev/null 2>&1", timeout=0.3)
        with pytest.raises(Unreachable):
            await transport.run("true")
    assert not transport.is_open
