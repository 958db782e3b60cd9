"""Machines that are silent, slow or refuse hold up no other one."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.people.credentials import CredentialKey
from app.errors import CircuitOpen, CrystalDeckError, LoginRefused, Unreachable
from app.transport.hosts import REFUSALS_OF_ALL, REFUSALS_OF_ONE, WINDOW, Visitor
from app.transport.pool import ConnectionPool
from app.transport.ssh import Endpoint
from tests.transport.machines import Clock, Machine, Member, Silent


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
