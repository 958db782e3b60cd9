"""Tunnels through a jump host are closed with what they carried."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import LoginRefused, Unreachable
from app.transport.pool import ConnectionPool
from app.transport.ssh import SSHTransport
from tests.transport.machines import Clock, Machine, Member, Silent


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
