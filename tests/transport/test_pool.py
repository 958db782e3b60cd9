"""The connection manager: one opening per credential, machines that do not hold each other up, nothing left open.

Servers are real asyncssh servers and a silent TCP listener on loopback; the clock is turned by hand.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from app.domain.people.credentials import CredentialKey
from app.errors import CircuitOpen, ConfigurationError, CrystalDeckError, LoginRefused, Unreachable
from app.transport.host_keys import offered_key
from app.transport.hosts import REFUSALS_OF_ALL, REFUSALS_OF_ONE, WINDOW, Hosts, Visitor
from app.transport.pool import ConnectionPool
from app.transport.ssh import Connection, Endpoint, Login, SSHTransport, connect
from tests.support.waiting import wait_until


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


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    machine = await Machine().start()
    yield machine
    await machine.stop()


@pytest.fixture
async def gate() -> AsyncIterator[Machine]:
    """A jump host."""
    machine = await Machine().start()
    yield machine
    await machine.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pool(clock: Clock) -> AsyncIterator[ConnectionPool]:
    pool = ConnectionPool(clock=clock)
    yield pool
    await pool.close()


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


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    listener = await Silent().start()
    yield listener
    listener.server.close()
    await listener.server.wait_closed()


# -- whose connection ------------------------------------------------------------------------------------------------


async def test_one_name_and_two_keys_are_two_connections(machine: Machine, pool: ConnectionPool) -> None:
    ada, mallory = Member(1).let_into(machine), Member(2)
    hers = await pool.get(ada.key, ada.to(machine))
    for _ in range(2):
        with pytest.raises(LoginRefused):
            await pool.get(mallory.key, mallory.to(machine))
    assert await pool.get(ada.key, ada.to(machine)) is hers
    assert machine.logins == 1 and pool.is_open(ada.key) and not pool.is_open(mallory.key)


async def test_a_suspended_key_suspends_no_other_one(machine: Machine, pool: ConnectionPool, clock: Clock) -> None:
    ada, mallory = Member(1).let_into(machine), Member(2)
    for _ in range(3):
        clock.now += 1000
        with pytest.raises(LoginRefused):
            await pool.get(mallory.key, mallory.to(machine))
    with pytest.raises(CircuitOpen, match="suspended after 3 refusals"):
        await pool.get(mallory.key, mallory.to(machine))
    assert await pool.get(ada.key, ada.to(machine))


async def test_a_suspended_key_gets_one_attempt_when_its_owner_asks(
    machine: Machine, pool: ConnectionPool, clock: Clock
) -> None:
    ada = Member(1)
    for _ in range(3):
        clock.now += 1000
        with pytest.raises(LoginRefused):
            await pool.get(ada.key, ada.to(machine))
    pool.look_again(ada.key.cluster_id)
    with pytest.raises(CircuitOpen):
        await pool.get(ada.key, ada.to(machine))
    pool.ask_again(ada.key)
    with pytest.raises(LoginRefused):
        await pool.get(ada.key, ada.to(machine))
    with pytest.raises(CircuitOpen):
        await pool.get(ada.key, ada.to(machine))
    ada.let_into(machine)
    clock.now += WINDOW
    pool.ask_again(ada.key)
    assert await pool.get(ada.key, ada.to(machine))


# -- one opening -----------------------------------------------------------------------------------------------------


async def test_all_who_ask_at_once_wait_for_one_opening(machine: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(machine)
    found = await asyncio.gather(*(pool.get(ada.key, ada.to(machine)) for _ in range(20)))
    assert len(set(map(id, found))) == 1 and machine.logins == 1 and ada.asked == 1


async def test_whoever_gives_up_waiting_ends_nothing(machine: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(machine)
    machine.gate.clear()
    first, second = (asyncio.create_task(pool.get(ada.key, ada.to(machine))) for _ in range(2))
    await machine.judging.wait()
    first.cancel()
    await asyncio.wait({first})
    machine.gate.set()
    assert (await second) is await pool.get(ada.key, ada.to(machine))
    assert first.cancelled() and machine.logins == 1


async def test_an_opening_that_nobody_waits_for_is_kept(machine: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(machine)
    machine.gate.clear()
    only = asyncio.create_task(pool.get(ada.key, ada.to(machine)))
    await machine.judging.wait()
    only.cancel()
    await asyncio.wait({only})
    machine.gate.set()
    await pool.get(ada.key, ada.to(machine))
    assert machine.logins == 1


async def test_dropping_ends_an_opening_and_leaves_nothing(machine: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(machine)
    machine.gate.clear()
    waiting = asyncio.create_task(pool.get(ada.key, ada.to(machine)))
    await machine.judging.wait()
    await pool.drop(ada.key.cluster_id)
    machine.gate.set()
    with pytest.raises(Unreachable, match="abandoned"):
        await waiting
    await machine.deserted()
    assert not pool.keys
    assert await pool.get(ada.key, ada.to(machine))
    assert len(machine.connections) == 1


async def test_dropping_at_any_moment_leaves_no_connection(machine: Machine, pool: ConnectionPool) -> None:
    """After one step of the event loop, after three, and so on until the login is done before it is dropped."""
    ada = Member(1).let_into(machine)
    ready = False
    steps = 1
    while not ready:
        waiting = asyncio.create_task(pool.get(ada.key, ada.to(machine)))
        for _ in range(steps):
            await asyncio.sleep(0)
        ready = waiting.done()
        await pool.drop(ada.key.cluster_id)
        await asyncio.wait({waiting})
        if waiting.exception() is None:
            transport = waiting.result()
            assert isinstance(transport, SSHTransport) and not transport.is_open
        steps += 2
    await machine.deserted()


async def test_only_the_dropped_cluster_is_closed(machine: Machine, pool: ConnectionPool) -> None:
    ada, other = Member(1, cluster=1).let_into(machine), Member(2, cluster=2).let_into(machine)
    await pool.get(ada.key, ada.to(machine))
    kept = await pool.get(other.key, other.to(machine))
    await pool.drop(1)
    assert await pool.get(other.key, other.to(machine)) is kept
    assert not pool.is_open(ada.key)


async def test_closing_ends_what_is_being_opened(machine: Machine, clock: Clock) -> None:
    pool = ConnectionPool(clock=clock)
    ada, bob = Member(1).let_into(machine), Member(2).let_into(machine)
    machine.gate.clear()
    waiting = [asyncio.create_task(pool.get(one.key, one.to(machine))) for one in (ada, bob)]
    await machine.judging.wait()
    await pool.close()
    machine.gate.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [Unreachable, Unreachable]
    await machine.deserted()
    with pytest.raises(Unreachable, match="service is stopping"):
        await pool.get(ada.key, ada.to(machine))


async def test_a_login_that_cannot_be_noted_is_closed(machine: Machine, pool: ConnectionPool) -> None:
    """Whoever is told of an accepted key may fail; the connection must not stay open unknown."""
    ada = Member(1).let_into(machine)

    async def fails() -> None:
        raise RuntimeError("no database")

    async def give() -> Login:
        return Login(machine.endpoint(), (ada.pair.export_private_key(),), accepted=fails)

    with pytest.raises(RuntimeError, match="no database"):
        await pool.get(ada.key, give)
    await machine.deserted()


# -- machines --------------------------------------------------------------------------------------------------------


async def test_a_silent_machine_holds_up_no_other_one(machine: Machine, silent: Silent, pool: ConnectionPool) -> None:
    stuck, ada = Member(1, cluster=1), Member(2, cluster=2).let_into(machine)
    waiting = asyncio.create_task(pool.get(stuck.key, stuck.giving(silent.endpoint(machine))))
    await silent.came.wait()
    assert await pool.get(ada.key, ada.to(machine))
    assert not waiting.done()
    await pool.drop(1)
    with pytest.raises(Unreachable):
        await waiting
    await silent.deserted()


async def test_a_login_has_a_time_limit(machine: Machine, silent: Silent, clock: Clock) -> None:
    pool = ConnectionPool(clock=clock, limit=0.2)
    ada, bob = Member(1), Member(2).let_into(machine)
    with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
        await pool.get(ada.key, ada.giving(silent.endpoint(machine)))
    await silent.deserted()
    machine.gate.clear()
    with pytest.raises(Unreachable, match="no answer within"):
        await pool.get(bob.key, bob.to(machine))
    await machine.deserted()
    await pool.close()


async def test_who_waits_at_a_silent_machine_is_told_at_once(machine: Machine, silent: Silent, clock: Clock) -> None:
    """The second credential waits for the first one's attempt, and does not try the same machine once more."""
    pool = ConnectionPool(clock=clock, limit=0.5)
    members = [Member(number) for number in range(5)]
    waiting = [asyncio.create_task(pool.get(one.key, one.giving(silent.endpoint(machine)))) for one in members]
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [Unreachable] * 5
    assert silent.count == 1
    await pool.close()


async def test_one_login_at_a_time_at_one_machine(machine: Machine, pool: ConnectionPool) -> None:
    members = [Member(number).let_into(machine) for number in range(4)]
    pending = 0
    most = 0

    async def watched(one: Member) -> None:
        nonlocal pending, most
        async with pool.hosts.door(f"127.0.0.1:{machine.port}", Visitor()):
            pending += 1
            most = max(most, pending)
            await asyncio.sleep(0)
            pending -= 1
        await pool.get(one.key, one.to(machine))

    await asyncio.gather(*map(watched, members))
    assert most == 1 and machine.logins == 4


async def test_a_key_that_hangs_at_the_door_is_no_fault_of_the_machine(machine: Machine, clock: Clock) -> None:
    """Its home's disk hangs: the next one's login is tried all the same."""
    pool = ConnectionPool(clock=clock, limit=0.3)
    slow, ada = Member(1).let_into(machine), Member(2).let_into(machine)
    machine.gate.clear()
    with pytest.raises(Unreachable):
        await pool.get(slow.key, slow.to(machine))
    machine.gate.set()
    assert await pool.get(ada.key, ada.to(machine))
    await pool.close()


async def test_keys_that_were_tried_lock_nobody_out(machine: Machine, clock: Clock) -> None:
    """A member who makes key after key is slowed down before a centre bans the address; who was let in before is not."""
    pool = ConnectionPool(clock=clock)
    ada = Member(1).let_into(machine)
    tried: list[CrystalDeckError] = []

    async def attempt(one: Member) -> None:
        clock.now += 5
        with pytest.raises((LoginRefused, CircuitOpen)) as caught:
            await pool.get(one.key, one.to(machine))
        tried.append(caught.value)

    for number in range(8):
        mallory = Member(2, f"name{number}")
        mallory.key = CredentialKey(1, f"name{number}", 2, 100 + number, mallory.pair.get_fingerprint())
        await attempt(mallory)
    assert [type(one) for one in tried] == [LoginRefused] * REFUSALS_OF_ONE + [CircuitOpen] * (8 - REFUSALS_OF_ONE)
    for number in range(3, 8):
        await attempt(Member(number))
    assert sum(isinstance(one, LoginRefused) for one in tried) == REFUSALS_OF_ALL
    assert await pool.get(ada.key, ada.to(machine, known=True))
    clock.now += WINDOW
    late = Member(9).let_into(machine)
    assert await pool.get(late.key, late.to(machine))
    await pool.close()


async def test_the_next_attempt_waits_and_longer_each_time(
    pool: ConnectionPool, machine: Machine, clock: Clock
) -> None:
    ada = Member(1)
    nowhere = ada.giving(Endpoint("127.0.0.1", 1, "alice", machine.endpoint().host_key))
    waits = []
    for _ in range(5):
        with pytest.raises(Unreachable, match="cannot be reached"):
            await pool.get(ada.key, nowhere)
        began = clock.now
        while True:
            clock.now += 0.25
            asked = ada.asked
            with pytest.raises(Unreachable) as caught:
                await pool.get(ada.key, nowhere)
            if ada.asked > asked and "Next attempt" not in caught.value.message:
                waits.append(clock.now - began)
                break
        clock.now += 1000
    assert all(first >= 0.5 for first in waits)
    assert waits[-1] > 4 * waits[0]


# -- jump hosts ------------------------------------------------------------------------------------------------------


async def through(pool: ConnectionPool, one: Member, machine: Machine, gate: Machine) -> SSHTransport:
    transport = await pool.get(one.key, one.to(machine, gate))
    assert isinstance(transport, SSHTransport) and len(gate.connections) == 1
    return transport


async def test_closing_a_connection_closes_its_tunnel(machine: Machine, gate: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(machine, gate)
    for _ in range(3):
        await through(pool, ada, machine, gate)
        await pool.drop(ada.key.cluster_id)
        await machine.deserted()
        await gate.deserted()
    assert gate.logins == 3


async def test_a_lost_connection_closes_its_tunnel(machine: Machine, gate: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(machine, gate)
    await through(pool, ada, machine, gate)
    for connection in list(machine.connections):
        connection.abort()
    await gate.deserted()
    await through(pool, ada, machine, gate)


async def test_a_lost_tunnel_is_opened_again(machine: Machine, gate: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(machine, gate)
    first = await through(pool, ada, machine, gate)
    for connection in list(gate.connections):
        connection.abort()
    await machine.deserted()
    assert not first.is_open
    await through(pool, ada, machine, gate)


async def test_a_refused_target_closes_the_tunnel(machine: Machine, gate: Machine, pool: ConnectionPool) -> None:
    ada = Member(1).let_into(gate)
    with pytest.raises(LoginRefused):
        await pool.get(ada.key, ada.to(machine, gate))
    assert gate.logins == 1
    await gate.deserted()
    await machine.deserted()


async def test_a_silent_target_closes_the_tunnel(machine: Machine, gate: Machine, silent: Silent, clock: Clock) -> None:
    pool = ConnectionPool(clock=clock, limit=0.3)
    ada = Member(1).let_into(gate)
    with pytest.raises(Unreachable, match="no answer within"):
        await pool.get(ada.key, ada.giving(silent.endpoint(machine), gate.endpoint()))
    await gate.deserted()
    await silent.deserted()
    await pool.close()


async def test_dropping_while_the_target_is_opened_closes_the_tunnel(
    machine: Machine, gate: Machine, pool: ConnectionPool
) -> None:
    ada = Member(1).let_into(machine, gate)
    machine.gate.clear()
    waiting = asyncio.create_task(pool.get(ada.key, ada.to(machine, gate)))
    await machine.judging.wait()
    await pool.drop(ada.key.cluster_id)
    machine.gate.set()
    with pytest.raises(Unreachable):
        await waiting
    await gate.deserted()
    await machine.deserted()


async def test_a_way_that_is_forbidden_to_one_is_not_closed_to_all(machine: Machine, clock: Clock) -> None:
    """A jump host that lets one account go no further says nothing of the machine behind it."""
    pool = ConnectionPool(clock=clock)
    gate = await Machine(forwards=False).start()
    one, other = Member(1).let_into(machine, gate), Member(2).let_into(machine, gate)
    with pytest.raises(Unreachable):
        await pool.get(one.key, one.to(machine, gate))
    await gate.deserted()
    gate.forwards = True
    await through(pool, other, machine, gate)
    await pool.close()
    await gate.stop()


async def test_a_slow_target_does_not_hold_the_door_of_its_jump_host(
    machine: Machine, gate: Machine, pool: ConnectionPool
) -> None:
    other = await Machine().start()
    slow, ada = Member(1, cluster=1).let_into(machine, gate), Member(2, cluster=2).let_into(other, gate)
    machine.gate.clear()
    waiting = asyncio.create_task(pool.get(slow.key, slow.to(machine, gate)))
    await machine.judging.wait()
    assert await pool.get(ada.key, ada.to(other, gate))
    assert not waiting.done()
    machine.gate.set()
    await waiting
    await pool.close()
    await other.stop()


# -- keys ------------------------------------------------------------------------------------------------------------


async def test_broken_keys_are_no_refusals(machine: Machine, pool: ConnectionPool, clock: Clock) -> None:
    ada = Member(1)
    for broken in (b"", b"not a key", ada.pair.export_private_key()[:80],
                   ada.pair.export_private_key(passphrase="secret")):  # fmt: skip

        async def give(broken: bytes = broken) -> Login:
            return Login(machine.endpoint(), (broken,))

        clock.now += 1000
        with pytest.raises(ConfigurationError, match="cannot be read"):
            await pool.get(ada.key, give)
    assert not machine.connections and not machine.judging.is_set()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        wait_until(Path(path).exists, "the agent's socket")
        yield path
    finally:
        process.terminate()
        process.wait()


async def test_the_keys_of_an_agent(machine: Machine, agent: str, tmp_path: Path) -> None:
    ada = Member(1).let_into(machine)
    login = Login(machine.endpoint(), (), agent)
    with pytest.raises(ConfigurationError, match="holds no keys"):
        await connect(login)
    file = tmp_path / "key"
    ada.pair.write_private_key(file)
    file.chmod(0o600)
    subprocess.run(["ssh-add", "-q", file], env={**os.environ, "SSH_AUTH_SOCK": agent}, check=True)
    connection = await connect(login)
    await connection.close()
    assert machine.logins == 1


async def test_an_agent_that_cannot_be_read(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ConfigurationError, match="gives no key"):
            await connect(Login(machine.endpoint(), (), str(path)))
    assert not machine.judging.is_set()


async def test_no_key_of_the_services_own_account_is_tried(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / ".ssh").mkdir()
    own.write_private_key(tmp_path / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(tmp_path))
    machine.allowed.add(own.public_data)
    with pytest.raises(LoginRefused):
        await connect(Login(machine.endpoint(), ()))
    assert machine.logins == 0


# -- asking for a host key -------------------------------------------------------------------------------------------


async def test_asking_for_a_host_key_leaves_nothing(machine: Machine, gate: Machine) -> None:
    assert await offered_key("127.0.0.1", machine.port) == machine.endpoint().host_key
    await machine.deserted()
    ada = Member(1).let_into(gate)
    way = await connect(Login(gate.endpoint(), (ada.pair.export_private_key(),)))
    assert await offered_key("127.0.0.1", machine.port, way.ssh, via="gate") == machine.endpoint().host_key
    await machine.deserted()
    await way.close()
    await gate.deserted()


async def test_asking_a_silent_machine_for_its_key_ends(silent: Silent) -> None:
    hosts = Hosts()
    with pytest.raises(Unreachable, match="no answer within"):
        await offered_key("127.0.0.1", silent.port, hosts=hosts, limit=0.2)
    await silent.deserted()
    with pytest.raises(Unreachable, match="Next attempt in"):
        await offered_key("127.0.0.1", silent.port, hosts=hosts, limit=0.2)
    assert silent.count == 1


@asynccontextmanager
async def opened(login: Login) -> AsyncIterator[Connection]:
    connection = await connect(login)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_connection_that_is_closed_twice(machine: Machine, gate: Machine) -> None:
    ada = Member(1).let_into(machine, gate)
    login = Login(machine.endpoint(), (ada.pair.export_private_key(),), None, gate.endpoint())
    async with opened(login) as connection:
        await connection.close()
    await gate.deserted()
