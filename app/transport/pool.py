"""The connection manager: one connection per cluster and account, kept open, opened politely.

Connections are opened one after the other. After a failure the next attempt waits, exponentially longer and with jitter.
After three refused logins it stops until a person asks again: centres ban whoever keeps knocking.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from app.errors import CircuitOpen, CrystalDeckError, HostKeyChanged, LoginRefused, Unreachable
from app.transport.base import Transport
from app.transport.local import LocalTransport
from app.transport.ssh import Login, SSHTransport, connect

FIRST_DELAY, LAST_DELAY = 1.0, 300.0
LOGIN_FAILURES = 3
log = logging.getLogger(__name__)


@dataclass
class Link:
    """The state of one (cluster, account): its transport, and what went wrong how often."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    transport: SSHTransport | None = None
    failures: int = 0
    refusals: int = 0
    not_before: float = 0.0
    error: CrystalDeckError | None = None


class ConnectionPool:
    """Hands out transports. `key` names the account; `login` is asked for only when a connection must be opened."""

    def __init__(self, timeout: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._links: dict[tuple[str, str], Link] = {}
        self._local = LocalTransport(timeout)
        self._timeout = timeout
        self._clock = clock
        self._opening = asyncio.Lock()

    @property
    def local(self) -> Transport:
        return self._local

    async def get(self, key: tuple[str, str], login: Callable[[], Awaitable[Login]]) -> Transport:
        """The open connection of this account, opened now if need be.

        Raises:
            CircuitOpen: logins are suspended. Unreachable: the last attempt failed and the next is not due.
            HostKeyUnknown, HostKeyChanged, LoginRefused: see the message.
        """
        link = self._links.setdefault(key, Link())
        async with link.lock:
            if link.transport is not None and link.transport.is_open:
                return link.transport
            self._check_due(key, link)
            async with self._opening:
                return await self._open(link, await login())

    def _check_due(self, key: tuple[str, str], link: Link) -> None:
        if link.refusals >= LOGIN_FAILURES:
            raise CircuitOpen(
                f"Logins to {key[0]} as {key[1]} are suspended after {link.refusals} refusals: "
                f"{link.error.message if link.error else ''}",
                hint="Correct the key or the account, then press 'Test' on the cluster's page.",
            )
        wait = link.not_before - self._clock()
        if wait > 0 and link.error is not None:
            raise Unreachable(
                f"{link.error.message} Next attempt in {wait:.0f} s.", hint=link.error.hint
            ) from link.error

    async def _open(self, link: Link, login: Login) -> Transport:
        if link.transport is not None:
            log.info("connection to %s was lost; connecting again", login.where)
        link.transport = None
        try:
            connection = await connect(login)
        except CrystalDeckError as error:
            link.error = error
            link.failures += 1
            if isinstance(error, (LoginRefused, HostKeyChanged)):
                link.refusals += 1
            delay = min(LAST_DELAY, FIRST_DELAY * 2 ** (link.failures - 1))
            link.not_before = self._clock() + delay * random.uniform(0.75, 1.25)
            log.warning("%s", error.sentence)
            raise
        link.failures = link.refusals = 0
        link.error = None
        link.transport = SSHTransport(connection, login.where, self._timeout)
        log.info("connected to %s", login.where)
        return link.transport

    def reset(self, cluster: str) -> None:
        """A person asks again: forget failures and suspensions of a cluster."""
        for (name, _), link in self._links.items():
            if name == cluster:
                link.failures = link.refusals = 0
                link.not_before = 0.0

    async def drop(self, cluster: str) -> None:
        """Close a cluster's connections, because its settings or its trusted key changed."""
        for key in [key for key in self._links if key[0] == cluster]:
            if transport := self._links.pop(key).transport:
                await transport.close()

    async def close(self) -> None:
        for link in self._links.values():
            if link.transport is not None:
                await link.transport.close()
        self._links.clear()
