"""Whose connection it is: one for each credential, with keys from the user, the service or an agent."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from app.errors import CircuitOpen, ConfigurationError, LoginRefused
from app.transport.hosts import WINDOW
from app.transport.pool import ConnectionPool
from app.transport.ssh import Login, connect
from tests.support.waiting import wait_until
from tests.transport.machines import Clock, Machine, Member


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
