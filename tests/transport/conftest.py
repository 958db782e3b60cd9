"""Machines on loopback, the connection manager, and a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.transport.pool import ConnectionPool
from tests.transport.machines import Clock, Machine, Silent


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


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    listener = await Silent().start()
    yield listener
    listener.server.close()
    await listener.server.wait_closed()
