"""One SSH connection to one account, shared by everything that goes there.

Commands, and files as the input or output of commands, go over its channels (`channels`). Only explicit keys and explicitly
trusted host keys are used; the service account's own ~/.ssh is never read.
"""

from __future__ import annotations

import asyncio
import copy
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import asyncssh

from app.errors import ConfigurationError, HostKeyChanged, LoginRefused, RemoteFailure, Unreachable
from app.transport.base import MAX_ANSWER, Completed, Kept, NoiseFilter, Sink, bounded_lines
from app.transport.channels import Channels, Process
from app.transport.command_lines import Command, sh_command
from app.transport.files import GIVE, TAKE, TRANSFER_SECONDS, check_copied
from app.transport.host_keys import fingerprint, trust
from app.transport.hosts import Hosts, Visitor

KEEPALIVE = 15
LOGIN_LIMIT = 20.0
"""Seconds that a login at one machine may take, from the first packet to the accepted key."""
CLOSE_LIMIT = 5.0
"""Seconds that the other side has to say goodbye."""
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr")
_CHUNK = 1 << 16
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
        self._channels = Channels(connection.ssh)

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
            Unreachable: the connection was lost, the command did not finish in time, or the login shell did not run it.
        """
        return await self._execute(script, args, io.BytesIO(stdin), sink, timeout or self._timeout)

    async def _execute(
        self, script: str, args: Sequence[str], source: BinaryIO, sink: Sink | None, limit: float
    ) -> Completed:
        command = self._command(script, args)
        kept = Kept(self.where, MAX_ANSWER)
        output = NoiseFilter(command.marker, sink or kept.add)
        try:
            # Time runs once there is room: what waits in the queue of a machine that allows few sessions has not failed.
            async with self._channels.open(command) as process, asyncio.timeout(limit):
                stderr = await _exchange(process, command.opening, source, output)
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

    async def allows_two(self) -> bool:
        """Whether the machine allows two sessions at a time on this connection; asked once.

        Raises:
            Unreachable: the connection was lost.
        """
        try:
            return await self._channels.allow_two(sh_command("exec cat"))
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    @asynccontextmanager
    async def follow(self, script: str, args: Sequence[str] = ()) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `Transport.follow`; it holds one of the channels.

        Raises:
            RemoteFailure: the machine allows one session at a time, and that is needed for commands.
        """
        if not await self.allows_two():
            raise RemoteFailure(
                f"{self.where} allows one session per connection (MaxSessions 1).",
                hint="Jobs cannot push their changes there; they are polled. Ask the centre for MaxSessions 2 or more.",
            )
        command = self._command(script, args)
        try:
            async with self._channels.open(command, stays=True) as process:
                await _feed(process, command.opening, io.BytesIO())
                yield bounded_lines(await _past(process, command.marker))
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error) from error

    async def download(self, root: str, path: str, local: Path, size: int) -> None:
        """See `Transport.download`; from the byte on that `local` ends with."""
        offset = local.stat().st_size if local.exists() else 0
        with local.open("ab") as target:
            room = Kept(self.where, size - offset, target.write)
            done = await self._execute(GIVE, [root, path, str(offset)], io.BytesIO(), room.add, TRANSFER_SECONDS)
        check_copied(done, path, self.where)

    async def upload(self, local: Path, root: str, path: str) -> None:
        """See `Transport.upload`."""
        with local.open("rb") as source:
            done = await self._execute(TAKE, [root, path], source, None, TRANSFER_SECONDS)
        check_copied(done, path, self.where)

    async def close(self) -> None:
        """Close the connection, and the one to the jump host."""
        await self._way.close()

    def _lost(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"The connection to {self.where} was lost: {str(error) or type(error).__name__}.",
            hint="CrystalDeck reconnects by itself; nothing is submitted twice.",
        )


async def _exchange(process: Process, opening: bytes, source: BinaryIO, output: NoiseFilter) -> bytes:
    """Give a command its input and take its output, both as they come; what it complained about."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_feed(process, opening, source))
            group.create_task(_drain(process, output))
            stderr = group.create_task(_first(process))
    except BaseExceptionGroup as errors:
        # The sink has had enough, or the connection broke: the others were stopped.
        raise errors.exceptions[0] from errors
    await process.wait_closed()
    return stderr.result()


async def _feed(process: Process, opening: bytes, source: BinaryIO) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(opening)
        while data := source.read(_CHUNK):
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.write_eof()


async def _drain(process: Process, output: NoiseFilter) -> None:
    while data := await process.stdout.read(_CHUNK):
        output.feed(data)


async def _past(process: Process, marker: bytes) -> Callable[[int], Awaitable[bytes]]:
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


async def _first(process: Process) -> bytes:
    """What it complains about; of endless complaints the first part."""
    kept = b""
    while data := await process.stderr.read(_CHUNK):
        kept += data[: _CHUNK - len(kept)]
    return kept
