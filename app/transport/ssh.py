"""One SSH connection to one account, shared by everything that goes there.

At most six channels at a time: sshd's `MaxSessions 10` counts a closed channel a little longer than we do, and a
refused channel is tried again. Only explicit keys and explicitly trusted host keys are used; the service account's own
~/.ssh is never read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from app.errors import HostKeyChanged, LoginRefused, Unreachable
from app.transport.base import Completed, NoiseFilter, Sink, sh_command
from app.transport.host_keys import fingerprint, trust

MAX_CHANNELS = 6
CHANNEL_RETRIES = 9
KEEPALIVE = 15
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr")
_CHUNK = 1 << 16
LARGE_READ = 1 << 22
"""asyncssh splits a read into parallel requests of at most 255 kB."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Endpoint:
    """A machine to log in to: `host_key` is a trusted public key in OpenSSH form."""

    hostname: str
    port: int
    username: str
    host_key: str


@dataclass(frozen=True)
class Login:
    """All that a connection needs. `private_keys` are OpenSSH private keys; or an agent's socket."""

    target: Endpoint
    private_keys: tuple[bytes, ...] = ()
    agent_path: str | None = None
    jump: Endpoint | None = None

    @property
    def where(self) -> str:
        return f"{self.target.username}@{self.target.hostname}"


async def connect(login: Login, timeout: float = 30.0) -> asyncssh.SSHClientConnection:
    """Log in, through the jump host where there is one.

    Raises:
        HostKeyChanged, LoginRefused, Unreachable: each says which machine and what to do.
    """
    tunnel = await _open(login, login.jump, None, timeout) if login.jump else None
    try:
        return await _open(login, login.target, tunnel, timeout)
    except BaseException:
        if tunnel:
            tunnel.close()
        raise


async def _open(
    login: Login, endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None, timeout: float
) -> asyncssh.SSHClientConnection:
    name = f"{endpoint.hostname}:{endpoint.port}"
    try:
        keys = [asyncssh.import_private_key(key) for key in login.private_keys]
        return await asyncssh.connect(
            endpoint.hostname,
            endpoint.port,
            username=endpoint.username,
            known_hosts=trust(endpoint.host_key),
            client_keys=keys or None,
            agent_path=login.agent_path,
            config=None,
            tunnel=tunnel or (),
            preferred_auth="publickey",
            encryption_algs=CIPHERS,
            keepalive_interval=KEEPALIVE,
            keepalive_count_max=4,
            connect_timeout=timeout,
            login_timeout=timeout,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyChanged(
            f"{name} shows another host key than the trusted one ({fingerprint(endpoint.host_key)}). "
            "Nothing was sent to it.",
            hint="Ask the centre whether its key was changed; if so, forget the old key on the cluster's page and "
            "confirm the new fingerprint. If not, somebody may stand between you and the cluster.",
        ) from error
    except asyncssh.PermissionDenied as error:
        raise LoginRefused(
            f"{name} does not accept the key for the account {endpoint.username}: {error.reason}.",
            hint="Put the public key shown on the cluster's page into ~/.ssh/authorized_keys of that account, "
            "and check the account's name.",
        ) from error
    except asyncssh.KeyImportError as error:
        raise LoginRefused(
            f"The private key for {endpoint.username}@{name} cannot be read: {error}.",
            hint="Give the path of an OpenSSH private key without passphrase, or use ssh-agent.",
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise Unreachable(
            f"{name} cannot be reached: {str(error) or type(error).__name__}.",
            hint="Check host name, port, jump host and network; CrystalDeck tries again by itself.",
        ) from error


class SSHTransport:
    """Commands and files over one open connection."""

    def __init__(self, connection: asyncssh.SSHClientConnection, where: str, timeout: float = 60.0) -> None:
        self.where = where
        self.commands = 0
        self._connection = connection
        self._timeout = timeout
        self._channels = asyncio.Semaphore(MAX_CHANNELS)

    @property
    def is_open(self) -> bool:
        return not self._connection.is_closed()

    async def run(
        self,
        script: str,
        args: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        sink: Sink | None = None,
    ) -> Completed:
        self.commands += 1
        command, marker = sh_command(script, args)
        kept = bytearray()
        output = NoiseFilter(marker, sink or kept.extend)
        limit = timeout or self._timeout
        try:
            async with asyncio.timeout(limit), self._channels:
                process = await self._open_channel(command)
                try:
                    _, _, stderr = await asyncio.gather(
                        _feed(process, stdin), _drain(process, output), process.stderr.read()
                    )
                    await process.wait_closed()
                finally:
                    process.close()
        except TimeoutError:
            raise Unreachable(
                f"A command on {self.where} did not end within {limit:g} s.",
                hint="The machine may be overloaded or its file system may hang; CrystalDeck tries again.",
            ) from None
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        status = process.exit_status if process.exit_status is not None else 255
        return Completed(status, bytes(kept), stderr)

    async def _open_channel(self, command: str) -> asyncssh.SSHClientProcess[bytes]:
        for attempt in range(CHANNEL_RETRIES):
            try:
                return await self._connection.create_process(command, encoding=None)
            except asyncssh.ChannelOpenError:
                if attempt == CHANNEL_RETRIES - 1 or not self.is_open:
                    raise
                await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def follow(self, script: str, args: Sequence[str] = ()) -> AsyncIterator[AsyncIterator[bytes]]:
        self.commands += 1
        command, marker = sh_command(script, args)
        try:
            async with self._channels:
                process = await self._open_channel(command)
                try:
                    while (line := await process.stdout.readline()) and not line.endswith(marker):
                        pass
                    yield _lines(process)
                finally:
                    process.close()
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def download(self, remote: str, local: Path, size: int) -> None:
        self.commands += 1
        offset = local.stat().st_size if local.exists() else 0
        try:
            async with (
                self._channels,
                self._connection.start_sftp_client() as sftp,
                sftp.open(remote, "rb", encoding=None) as source,
            ):
                await source.seek(offset)
                with local.open("ab") as target:
                    while data := await source.read(LARGE_READ):
                        target.write(data)  # type: ignore[arg-type]
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def upload(self, local: Path, remote: str) -> None:
        self.commands += 1
        try:
            async with self._channels, self._connection.start_sftp_client() as sftp:
                await sftp.put(str(local), remote)
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        self._connection.close()
        with suppress(asyncssh.Error, OSError):
            await self._connection.wait_closed()

    def _lost(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"The connection to {self.where} broke: {str(error) or type(error).__name__}.",
            hint="CrystalDeck connects again by itself; nothing is submitted twice.",
        )


async def _feed(process: asyncssh.SSHClientProcess[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        for start in range(0, len(data), _CHUNK):
            process.stdin.write(data[start : start + _CHUNK])
            await process.stdin.drain()
        process.stdin.write_eof()


async def _drain(process: asyncssh.SSHClientProcess[bytes], output: NoiseFilter) -> None:
    while data := await process.stdout.read(_CHUNK):
        output.feed(data)


async def _lines(process: asyncssh.SSHClientProcess[bytes]) -> AsyncIterator[bytes]:
    while line := await process.stdout.readline():
        yield line
