"""Asking a machine for its host key leaves nothing open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.errors import Unreachable
from app.transport.host_keys import offered_key
from app.transport.hosts import Hosts
from app.transport.ssh import Connection, Login, connect
from tests.transport.machines import Machine, Member, Silent


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
