"""One opening for all who wait for it, and nothing that it leaves open."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import Unreachable
from app.transport.pool import ConnectionPool
from app.transport.ssh import Login, SSHTransport
from tests.transport.machines import Clock, Machine, Member


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
