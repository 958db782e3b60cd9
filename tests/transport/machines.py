"""SSH servers and people of the tests of connections: what they let in, who is connected, and who is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncssh

from app.domain.people.credentials import CredentialKey
from app.transport.ssh import Endpoint, Login


class Machine:
    """An SSH server that runs nothing: it lets keys in, forwards connections, and knows who is connected."""

    def __init__(self, *, forwards: bool = True) -> None:
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.allowed: set[bytes] = set()
        self.forwards = forwards
        self.logins = 0
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.most_at_once = 0
        self.changed = asyncio.Condition()
        self.gate = asyncio.Event()
        """Keys are judged once it is set."""
        self.gate.set()
        self.judging = asyncio.Event()

    async def start(self) -> Machine:
        outer = self

        class Session(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                self._conn = conn
                outer.connections.add(conn)
                outer.most_at_once = max(outer.most_at_once, len(outer.connections))

            def connection_lost(self, exc: Exception | None) -> None:
                outer.connections.discard(self._conn)
                asyncio.get_running_loop().create_task(outer.tell())

            def public_key_auth_supported(self) -> bool:
                return True

            async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                outer.judging.set()
                await outer.gate.wait()
                return key.public_data in outer.allowed

            def auth_completed(self) -> None:
                outer.logins += 1

            def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
                if not outer.forwards:
                    # What sshd says where `permitopen` or `AllowTcpForwarding` forbids it to this account.
                    raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
                return True

        self.acceptor = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Session, server_host_keys=[self.key], allow_pty=False
        )
        self.port = self.acceptor.get_port()
        return self

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def deserted(self) -> None:
        """Return once nobody is connected."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: not self.connections)

    async def stop(self) -> None:
        self.gate.set()
        for connection in list(self.connections):
            connection.abort()
        self.acceptor.close()
        await self.acceptor.wait_closed()
        await self.deserted()

    def endpoint(self, username: str = "alice", host_key: asyncssh.SSHKey | None = None) -> Endpoint:
        public = (host_key or self.key).export_public_key().decode().strip()
        return Endpoint("127.0.0.1", self.port, username, public)


class Member:
    """A key pair and its credential."""

    def __init__(self, user: int, username: str = "alice", cluster: int = 1) -> None:
        self.pair = asyncssh.generate_private_key("ssh-ed25519")
        self.key = CredentialKey(cluster, username, user, user, self.pair.get_fingerprint())
        self.asked = 0

    def let_into(self, *machines: Machine) -> Member:
        for machine in machines:
            machine.allowed.add(self.pair.public_data)
        return self

    def to(
        self, machine: Machine, jump: Machine | None = None, *, known: bool = False
    ) -> Callable[[], Awaitable[Login]]:
        return self.giving(machine.endpoint(self.key.username), jump.endpoint() if jump else None, known=known)

    def giving(
        self, target: Endpoint, jump: Endpoint | None = None, *, known: bool = False
    ) -> Callable[[], Awaitable[Login]]:
        async def give() -> Login:
            self.asked += 1
            return Login(target, (self.pair.export_private_key(),), None, jump, known)

        return give


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Silent:
    """A listener that accepts connections and says nothing."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.count = 0
        self.open = 0
        self.left = asyncio.Condition()

    async def start(self) -> Silent:
        self.server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        self.open += 1
        self.came.set()
        try:
            while await reader.read(1024):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()
            async with self.left:
                self.open -= 1
                self.left.notify_all()

    async def deserted(self) -> None:
        async with asyncio.timeout(10), self.left:
            await self.left.wait_for(lambda: not self.open)

    def endpoint(self, machine: Machine) -> Endpoint:
        return Endpoint("127.0.0.1", self.port, "alice", machine.endpoint().host_key)
