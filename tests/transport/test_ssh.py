"""The connection manager against a real asyncssh server in this process: channels, back-off, suspension, noise."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from app.domain.people.credentials import CredentialKey
from app.errors import CircuitOpen, ConfigurationError, HostKeyChanged, LoginRefused, RemoteFailure, Unreachable
from app.transport.base import NoiseFilter
from app.transport.command_lines import sh_command
from app.transport.host_keys import fingerprint, offered_key
from app.transport.keys import make_key_pair
from app.transport.local import LocalTransport
from app.transport.pool import ConnectionPool
from app.transport.ssh import Endpoint, Login, connect

KEY = CredentialKey(1, "alice")


class Server:
    """Runs real commands; counts log-ins; can print noise before each command."""

    def __init__(self, allowed: asyncssh.SSHKey) -> None:
        self.allowed = allowed
        self.logins = 0
        self.noise = b""
        self.children: list[asyncio.subprocess.Process] = []
        self.key = asyncssh.generate_private_key("ssh-ed25519")

    async def start(self) -> None:
        outer = self

        class Session(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                outer.logins += 1
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return key.public_data == outer.allowed.public_data

        async def handle(process: asyncssh.SSHServerProcess[bytes]) -> None:
            process.stdout.write(outer.noise)
            child = await asyncio.create_subprocess_shell(
                process.command or "", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            outer.children.append(child)
            out, err = await child.communicate(await process.stdin.read())
            process.stdout.write(out)
            process.stderr.write(err)
            process.exit(child.returncode or 0)

        self.acceptor = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Session, server_host_keys=[self.key], process_factory=handle, encoding=None,
        )  # fmt: skip
        self.port = self.acceptor.get_port()

    @property
    def public(self) -> str:
        return self.key.export_public_key().decode().strip()

    def login(self, key: asyncssh.SSHKey | None = None, host_key: str = "") -> Login:
        own = (key or self.allowed).export_private_key()
        return Login(Endpoint("127.0.0.1", self.port, "alice", host_key or self.public), (own,))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(asyncssh.generate_private_key("ssh-ed25519"))
    await server.start()
    yield server
    server.acceptor.close()
    await server.acceptor.wait_closed()
    for child in [child for child in server.children if child.returncode is None]:
        # A command that nobody waits for any more goes on in a real sshd too; here it must not outlive its test.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


@pytest.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    pool = ConnectionPool(timeout=10)
    yield pool
    await pool.close()


def giving(login: Login) -> Any:
    async def give() -> Login:
        return login

    return give


async def test_forty_commands_share_one_connection(server: Server, pool: ConnectionPool) -> None:
    async def one(number: int) -> str:
        transport = await pool.get(KEY, giving(server.login()))
        return (await transport.run('cat; printf " %s" "$1"', [f"it's ${number}"], stdin=b"in")).text

    assert await asyncio.gather(*(one(n) for n in range(40))) == [f"in it's ${n}" for n in range(40)]
    assert server.logins == 1


async def test_noise_of_start_up_files_is_dropped(server: Server, pool: ConnectionPool) -> None:
    server.noise = b"Welcome!\nno line end"
    transport = await pool.get(KEY, giving(server.login()))
    assert (await transport.run("echo out; echo err >&2; exit 3")).__dict__ == {
        "status": 3, "stdout": b"out\n", "stderr": b"err\n"
    }  # fmt: skip


async def test_a_lost_connection_is_opened_again(server: Server, pool: ConnectionPool) -> None:
    first = await pool.get(KEY, giving(server.login()))
    await first.close()
    with pytest.raises(Unreachable, match="was lost"):
        await first.run("true")
    second = await pool.get(KEY, giving(server.login()))
    assert (await second.run("true")).status == 0
    assert server.logins == 2


async def test_three_refused_logins_suspend_the_account(server: Server) -> None:
    now = 0.0
    pool = ConnectionPool(clock=lambda: now)
    wrong = server.login(asyncssh.generate_private_key("ssh-ed25519"))
    for _ in range(3):
        with pytest.raises(LoginRefused):
            await pool.get(KEY, giving(wrong))
        with pytest.raises((LoginRefused, CircuitOpen), match=r"Next attempt in|suspended"):
            await pool.get(KEY, giving(wrong))
        now += 1000
    with pytest.raises(CircuitOpen, match="suspended"):
        await pool.get(KEY, giving(wrong))
    assert server.logins == 3
    pool.ask_again(KEY)
    assert await pool.get(KEY, giving(server.login()))
    await pool.drop(KEY.cluster_id)


async def test_an_unreachable_machine_is_asked_ever_more_rarely(pool: ConnectionPool) -> None:
    nobody = Login(Endpoint("127.0.0.1", 1, "alice", make_key_pair("x")[0]))
    with pytest.raises(Unreachable, match="cannot be reached"):
        await pool.get(KEY, giving(nobody))
    with pytest.raises(Unreachable, match="Next attempt in"):
        await pool.get(KEY, giving(nobody))


async def test_another_host_key_is_refused(server: Server) -> None:
    other, _ = make_key_pair("other")
    with pytest.raises(HostKeyChanged, match="a different host key"):
        await connect(server.login(host_key=other))
    assert fingerprint(await offered_key("127.0.0.1", server.port)) == server.key.get_fingerprint()
    with pytest.raises(Unreachable):
        await offered_key("127.0.0.1", 1)


async def test_a_key_that_is_none(server: Server) -> None:
    login = Login(server.login().target, (b"not a key",))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await connect(login)


async def test_a_jump_host_is_gone_through_and_verified(server: Server) -> None:
    gate = Server(server.allowed)
    await gate.start()
    login = server.login()
    through = Login(login.target, login.private_keys, None, Endpoint("127.0.0.1", gate.port, "alice", gate.public))
    with pytest.raises(Unreachable):
        # This gate forwards nothing; what counts is that it was asked, and its key verified.
        await connect(through)
    assert gate.logins == 1 and server.logins == 0
    gate.acceptor.close()
    await gate.acceptor.wait_closed()


async def test_a_download_goes_on_where_it_stopped(server: Server, pool: ConnectionPool, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "part").write_bytes(bytes(range(256)) * 1000)
    transport = await pool.get(KEY, giving(server.login()))
    await transport.download(str(tmp_path), "big", tmp_path / "part", 256 * 5000)
    assert (tmp_path / "part").read_bytes() == (tmp_path / "big").read_bytes()
    await transport.upload(tmp_path / "big", str(tmp_path), "copy")
    assert (tmp_path / "copy").stat().st_size == 256 * 5000


async def test_following_lines(server: Server, tmp_path: Path) -> None:
    local = LocalTransport()
    async with asyncio.timeout(10), local.follow('echo one; echo "$1"; sleep 60', ["two"]) as lines:
        assert [await anext(lines), await anext(lines)] == [b"one\n", b"two\n"]
    assert local.commands == 1


async def test_a_hanging_command_is_ended(server: Server, pool: ConnectionPool) -> None:
    with pytest.raises(Unreachable, match="did not finish within"):
        await LocalTransport().run("sleep 60", timeout=0.2)
    transport = await pool.get(KEY, giving(server.login()))
    with pytest.raises(Unreachable, match="did not finish within"):
        await transport.run("sleep 1", timeout=0.2)


def test_only_quoted_values_reach_a_shell() -> None:
    command = sh_command('echo "$1"', ["$(reboot); `x` 'y'"])
    assert "reboot" not in command.line
    assert b"set -- '$(reboot); `x` '\"'\"'y'\"'\"''\\n" in command.opening
    collected = bytearray()
    output = NoiseFilter(command.marker, collected.extend)
    for byte in b"noise" + command.marker + b"data":
        output.feed(bytes([byte]))
    assert collected == b"data" and output.noise == 5
    with pytest.raises(RemoteFailure, match="prints more than 1 MB"):
        NoiseFilter(command.marker, collected.extend).feed(b"x" * (2 << 20))
