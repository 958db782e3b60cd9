"""One SSH connection to one account, shared by everything that goes there.

At most six channels at a time: sshd's `MaxSessions 10` counts a closed channel a little longer than we do, and a
refused channel is tried again. Only explicit keys and explicitly trusted host keys are used; the service account's own
~/.ssh is never read.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from app.errors import ConfigurationError, HostKeyChanged, LoginRefused, RemoteFailure, Unreachable
from app.transport.base import MAX_ANSWER, Completed, Kept, NoiseFilter, Sink, bounded_lines
from app.transport.command_lines import Command, sh_command
from app.transport.host_keys import fingerprint, trust
from app.transport.hosts import Hosts, Visitor

MAX_CHANNELS = 6
CHANNEL_RETRIES = 9
KEEPALIVE = 15
LOGIN_LIMIT = 20.0
"""Seconds that a login at one machine may take, from the first packet to the accepted key."""
CLOSE_LIMIT = 5.0
"""Seconds that the other side has to say goodbye."""
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr")
_CHUNK = 1 << 16
TRANSFER_SECONDS = 6 * 3600
"""Longest time that one large file may take."""
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
    known: bool = False
    """The machine has accepted this key before."""
    accepted: Callable[[], Awaitable[None]] | None = None
    """Told once the machine accepted the key."""
    stamp: str = ""
    """The settings that it was made from: a connection made from others is another one."""

    @property
    def where(self) -> str:
        """`account@host`, for messages."""
        return f"{self.target.username}@{self.target.hostname}"


class _Client(asyncssh.SSHClient):
    """Notes how far a login came, and closes the way to a machine when the connection to it ends, however it ends."""

    def __init__(self, tunnel: asyncssh.SSHClientConnection | None) -> None:
        self._tunnel = tunnel
        self.was_asked = False
        """The machine answered, showed the trusted key, and asks who we are."""

    def begin_auth(self, username: str) -> None:
        """asyncssh: the machine wants to know who we are."""
        self.was_asked = True

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncssh: the connection ended."""
        if self._tunnel is not None:
            self._tunnel.close()


@dataclass(frozen=True)
class Connection:
    """An open connection and the one to the jump host that it goes through."""

    ssh: asyncssh.SSHClientConnection
    tunnel: asyncssh.SSHClientConnection | None = None

    async def close(self) -> None:
        """Close it, and the way to it."""
        await _close(self.ssh)
        if self.tunnel is not None:
            await _close(self.tunnel)


async def _close(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    try:
        async with asyncio.timeout(CLOSE_LIMIT):
            await connection.wait_closed()
    except (TimeoutError, asyncssh.Error, OSError):
        connection.abort()


async def connect(
    login: Login, hosts: Hosts | None = None, visitor: Visitor | None = None, limit: float = LOGIN_LIMIT
) -> Connection:
    """Log in, through the jump host where there is one. Leaves nothing open when that fails.

    Raises:
        HostKeyChanged, LoginRefused, Unreachable, CircuitOpen: each says which machine and what to do.
        ConfigurationError: the key or the agent cannot be read.
    """
    hosts, visitor = hosts or Hosts(), visitor or Visitor()
    async with AsyncExitStack() as stack:
        keys = await _offered(login, stack)
        tunnel = None
        if login.jump is not None:
            async with hosts.door(door_name(login.jump), visitor):
                tunnel = await _open(login.jump, keys, None, limit)
        try:
            async with hosts.door(door_name(login.target, login.jump), visitor):
                return Connection(await _open(login.target, keys, tunnel, limit), tunnel)
        except BaseException:
            if tunnel is not None:
                await _close(tunnel)
            raise


def door_name(endpoint: Endpoint, jump: Endpoint | None = None) -> str:
    """The name under which `hosts` knows a machine."""
    return f"{endpoint.hostname}:{endpoint.port}" + (f" via {jump.hostname}:{jump.port}" if jump else "")


async def _offered(login: Login, stack: AsyncExitStack) -> list[asyncssh.SSHKeyPair]:
    """The keys to log in with. Never the files of the service's own account: asyncssh reads those only if it is given none."""
    if login.agent_path is None:
        try:
            keys = [asyncssh.import_private_key(key) for key in login.private_keys]
            return list(asyncssh.load_keypairs(keys))
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
            raise ConfigurationError(
                f"The private key for {login.where} cannot be read: {error}.",
                hint="Give the path of an OpenSSH private key without passphrase, or use ssh-agent.",
            ) from error
    problem = "it holds no keys"
    try:
        async with asyncio.timeout(CLOSE_LIMIT):
            agent = await stack.enter_async_context(asyncssh.connect_agent(login.agent_path))
            if held := await agent.get_keys():
                return list(held)
    except (OSError, ValueError, asyncssh.Error) as error:
        problem = str(error) or "it does not answer"
    raise ConfigurationError(
        f"The ssh-agent at {login.agent_path} gives no key for {login.where}: {problem}.",
        hint="Is it running, and may the account that runs CrystalDeck use it? Add the key with ssh-add, or give key_path.",
    )


async def _open(
    endpoint: Endpoint,
    keys: Sequence[asyncssh.SSHKeyPair],
    tunnel: asyncssh.SSHClientConnection | None,
    limit: float,
) -> asyncssh.SSHClientConnection:
    name = f"{endpoint.hostname}:{endpoint.port}"
    client = _Client(tunnel)
    try:
        async with asyncio.timeout(limit):
            return await asyncssh.connect(
                endpoint.hostname,
                endpoint.port,
                client_factory=lambda: client,
                username=endpoint.username,
                known_hosts=trust(endpoint.host_key),
                client_keys=list(keys) or None,
                agent_path=None,
                config=None,
                tunnel=tunnel or (),
                preferred_auth="publickey",
                encryption_algs=CIPHERS,
                keepalive_interval=KEEPALIVE,
                keepalive_count_max=4,
            )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyChanged(
            f"{name} shows a different host key from the trusted one ({fingerprint(endpoint.host_key)}). "
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
    except (asyncssh.Error, OSError) as error:
        raise _unreachable(name, error, limit, client, tunnel) from error


def _unreachable(
    name: str, error: Exception, limit: float, client: _Client, tunnel: asyncssh.SSHClientConnection | None
) -> Unreachable:
    why = f"no answer within {limit:g} s" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    unreachable = Unreachable(
        f"{name} cannot be reached: {why}.",
        hint="Check host name, port, jump host and network; CrystalDeck will retry by itself.",
    )
    # What happens before a machine asks who we are concerns everybody. On the way through a jump host only a silent machine
    # does: a lost tunnel or a forbidden one is a matter of that account.
    refused = isinstance(error, asyncssh.ChannelOpenError) and error.code == asyncssh.OPEN_CONNECT_FAILED
    unreachable.whole_machine = not client.was_asked and (tunnel is None or refused or isinstance(error, TimeoutError))
    return unreachable


class SSHTransport:
    """Commands and files over one open connection."""

    def __init__(self, connection: Connection, where: str, timeout: float = 60.0) -> None:
        self.where = where
        self.commands = 0
        self._way = connection
        self._connection = connection.ssh
        self._timeout = timeout
        self._login_shell = False
        self._channels = asyncio.Semaphore(MAX_CHANNELS)

    def in_login_shell(self) -> SSHTransport:
        """The same connection, with commands that see what the account's profiles set."""
        other = copy.copy(self)
        other._login_shell = True
        return other

    @property
    def is_open(self) -> bool:
        """Whether commands can be run."""
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
        """See `Transport.run`.

        Raises:
            Unreachable: the connection was lost, or the command did not finish in time.
        """
        command = self._command(script, args)
        kept = Kept(self.where, MAX_ANSWER)
        output = NoiseFilter(command.marker, sink or kept.add)
        limit = timeout or self._timeout
        try:
            async with asyncio.timeout(limit), self._channels:
                process = await self._open_channel(command)
                try:
                    feeding = _feed(process, command.opening + stdin)
                    _, _, stderr = await asyncio.gather(feeding, _drain(process, output), _first(process))
                    await process.wait_closed()
                finally:
                    process.close()
        except TimeoutError:
            raise Unreachable(
                f"A command on {self.where} did not finish within {limit:g} s.",
                hint="The machine may be overloaded or its file system may hang; CrystalDeck will retry.",
            ) from None
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error
        status = process.exit_status if process.exit_status is not None else 255
        done = Completed(status, kept.data, stderr)
        if not output.is_passing:
            raise self._ran_nothing(done, output)
        return done

    def _command(self, script: str, args: Sequence[str]) -> Command:
        self.commands += 1
        return sh_command(script, args, login_shell=self._login_shell)

    def _ran_nothing(self, done: Completed, output: NoiseFilter) -> Unreachable:
        """No answer is not an empty answer: a list of no jobs would be believed."""
        told = " ".join(f"{output.told} {done.complaint}".split())[:300]
        return Unreachable(
            f"The login shell of {self.where} did not run the command: {told or f'it ended with status {done.status}'}.",
            hint="Log in by hand: 'ssh account@host /bin/sh -c true' must end without a word. A start-up file may end the shell or "
            "start another one; the account may be closed. CrystalDeck will retry.",
        )

    async def _open_channel(self, command: Command) -> asyncssh.SSHClientProcess[bytes]:
        for attempt in range(CHANNEL_RETRIES):
            try:
                return await self._connection.create_process(command.line, encoding=None)
            except asyncssh.ChannelOpenError:
                if attempt == CHANNEL_RETRIES - 1 or not self.is_open:
                    raise
                await asyncio.sleep(0.01 * 2**attempt)
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def follow(self, script: str, args: Sequence[str] = ()) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `Transport.follow`; it holds one of the channels."""
        command = self._command(script, args)
        try:
            async with self._channels:
                process = await self._open_channel(command)
                try:
                    await _feed(process, command.opening)
                    yield bounded_lines(await _past(process, command.marker))
                finally:
                    process.close()
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def download(self, root: str, path: str, local: Path, size: int) -> None:
        """See `Transport.download`; by SFTP, from the byte on that `local` ends with."""
        self.commands += 1
        offset = local.stat().st_size if local.exists() else 0
        try:
            async with (
                asyncio.timeout(TRANSFER_SECONDS),
                self._channels,
                self._connection.start_sftp_client() as sftp,
            ):
                place = await inside(sftp, root, path)
                await check_regular(sftp, place)
                async with sftp.open(place, "rb", encoding=None) as source:
                    # SFTP can neither refuse links while it opens nor tell which file a handle is. So the name is looked at
                    # again, now that the file is open; who swaps it twice in between has to swap in bytes of the checksum
                    # that the list of files gave for a regular file.
                    await check_regular(sftp, place)
                    await source.seek(offset)
                    with local.open("ab") as target:
                        room = Kept(self.where, size - offset, target.write)
                        while data := await source.read(LARGE_READ):
                            room.add(data)  # type: ignore[arg-type]
        except TimeoutError:
            raise Unreachable(
                f"{path} was not copied from {self.where} in time.", hint="CrystalDeck will retry."
            ) from None
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def upload(self, local: Path, root: str, path: str) -> None:
        """See `Transport.upload`; by SFTP."""
        self.commands += 1
        try:
            async with self._channels, self._connection.start_sftp_client() as sftp:
                place = await inside(sftp, root, path)
                with suppress(asyncssh.SFTPNoSuchFile):
                    await sftp.remove(place)
                # "x" makes the file, and fails where anything is: nothing is written through a link.
                async with sftp.open(place, "xb", encoding=None) as target:
                    with local.open("rb") as source:
                        while data := source.read(LARGE_READ):
                            await target.write(data)
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        """Close the connection, and the one to the jump host."""
        await self._way.close()

    def _lost(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"The connection to {self.where} was lost: {str(error) or type(error).__name__}.",
            hint="CrystalDeck reconnects by itself; nothing is submitted twice.",
        )


async def inside(sftp: asyncssh.SFTPClient, root: str, path: str) -> str:
    """The absolute path of `path` below `root`. RemoteFailure where a symbolic link below `root` leads elsewhere."""
    base = str(await sftp.realpath(root))
    folder = f"{base}/{path}".rpartition("/")[0]
    if str(await sftp.realpath(folder)) != folder:
        raise RemoteFailure(
            f"A symbolic link leads to {path}.", hint="Only regular files inside a job's own directory are copied."
        )
    return f"{base}/{path}"


async def check_regular(sftp: asyncssh.SFTPClient, place: str) -> None:
    """Raise RemoteFailure where this is no regular file, or lies behind a symbolic link."""
    attributes = await sftp.lstat(place)
    if not stat.S_ISREG(attributes.permissions or 0) or str(await sftp.realpath(place)) != place:
        raise RemoteFailure(
            f"{place.rpartition('/')[2]} is not a regular file.", hint="Links, pipes and devices are never copied."
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


async def _past(process: asyncssh.SSHClientProcess[bytes], marker: bytes) -> Callable[[int], Awaitable[bytes]]:
    """Wait for the marker; what reads on behind it."""
    held = bytearray()
    output = NoiseFilter(marker, held.extend)
    while not output.is_passing and (data := await process.stdout.read(_CHUNK)):
        output.feed(data)

    async def read(size: int) -> bytes:
        if held:
            data = bytes(held)
            held.clear()
            return data
        return await process.stdout.read(size)

    return read


async def _first(process: asyncssh.SSHClientProcess[bytes]) -> bytes:
    """What it complains about; of endless complaints the first part."""
    kept = b""
    while data := await process.stderr.read(_CHUNK):
        kept += data[: _CHUNK - len(kept)]
    return kept
