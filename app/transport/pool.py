"""The connection manager: one connection per credential, kept open, opened politely.

Machines are opened one login after the other (`hosts`), never one cluster after the other. After a failure the next attempt
waits, exponentially longer and with jitter. After three refused logins a credential is suspended until its owner asks again.

An opening belongs to the pool, not to whoever asked first: all who ask meanwhile wait for the same one, and whoever gives
up waiting ends nothing. `drop` and `close` end openings too, so no connection comes back that nobody knows of.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from app.domain.people.credentials import CredentialKey
from app.errors import CircuitOpen, CrystalDeckError, HostKeyChanged, LoginRefused, Unreachable
from app.transport.base import Transport
from app.transport.hosts import Hosts, Visitor, delay_after
from app.transport.local import LocalTransport
from app.transport.ssh import LOGIN_LIMIT, Login, SSHTransport, connect

LOGIN_FAILURES = 3
UNCHANGED = 5.0
"""Seconds until it is looked again whether a person has confirmed a host key, or corrected a setting."""
log = logging.getLogger(__name__)


@dataclass
class Link:
    """The state of one credential: its transport, and what went wrong how often."""

    transport: SSHTransport | None = None
    opening: asyncio.Task[Transport] | None = None
    failures: int = 0
    refusals: int = 0
    not_before: float = 0.0
    error: CrystalDeckError | None = None
    accepted: bool = False
    stamp: str = ""
    asked: bool = False
    """A person asks for it now."""

    def opened(self, opening: asyncio.Task[Transport]) -> None:
        """The opening has ended, one way or another."""
        self.opening = None
        if not opening.cancelled():
            # Whoever waited has it; if nobody did, it is not an error that nobody noticed.
            opening.exception()

    async def end(self) -> None:
        """End an opening that is under way, and close the connection."""
        if self.opening is not None:
            self.opening.cancel()
            await asyncio.wait({self.opening})
        if self.transport is not None:
            await self.transport.close()


class ConnectionPool:
    """Hands out transports. `login` is asked for only when a connection must be opened."""

    def __init__(
        self,
        timeout: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        limit: float = LOGIN_LIMIT,
        pass_environment: Sequence[str] = (),
    ) -> None:
        self.hosts = Hosts(clock)
        self._links: dict[CredentialKey, Link] = {}
        self._local: dict[str, LocalTransport] = {}
        self._pass = tuple(pass_environment)
        self._timeout = timeout
        self._limit = limit
        self._clock = clock
        self._closed = False

    def local(self, run_as: str = "") -> Transport:
        """This machine, as the service's account or as another one."""
        if run_as not in self._local:
            self._local[run_as] = LocalTransport(self._timeout, run_as, self._pass)
        return self._local[run_as]

    @property
    def keys(self) -> list[CredentialKey]:
        """Credentials that something is known of."""
        return list(self._links)

    @property
    def stamps(self) -> dict[CredentialKey, str]:
        """The settings that open connections were made from."""
        return {key: link.stamp for key, link in self._links.items() if link.transport is not None}

    def is_open(self, key: CredentialKey) -> bool:
        """Whether a connection of this credential is open."""
        link = self._links.get(key)
        return link is not None and link.transport is not None and link.transport.is_open

    async def get(self, key: CredentialKey, login: Callable[[], Awaitable[Login]]) -> Transport:
        """The open connection of this credential, opened now if need be.

        Raises:
            CircuitOpen: logins are suspended. Unreachable: the last attempt failed and the next is not due, or the
                connection was abandoned meanwhile.
            HostKeyUnknown, HostKeyChanged, LoginRefused, ConfigurationError: see the message.
        """
        if self._closed:
            raise _abandoned()
        link = self._links.setdefault(key, Link())
        if link.transport is not None and link.transport.is_open:
            return link.transport
        if link.opening is None:
            self._check_due(key, link)
            link.opening = asyncio.create_task(self._open(key, link, login), name=f"login as {key.username}")
            link.opening.add_done_callback(link.opened)
        opening = link.opening
        await asyncio.wait({opening})
        if opening.cancelled():
            raise _abandoned()
        return opening.result()

    def _check_due(self, key: CredentialKey, link: Link) -> None:
        error = link.error
        if error is None:
            return
        if link.refusals >= LOGIN_FAILURES:
            raise CircuitOpen(
                f"Logins as {key.username} are suspended after {link.refusals} refusals: {error.message}",
                hint="Correct the key or the account, then press 'Test' on the cluster's page.",
            )
        wait = link.not_before - self._clock()
        if wait > 0 and not link.asked:
            raise type(error)(f"{error.message} Next attempt in {wait:.0f} s.", hint=error.hint) from error

    async def _open(self, key: CredentialKey, link: Link, login: Callable[[], Awaitable[Login]]) -> Transport:
        if link.transport is not None:
            log.info("the connection to %s was lost; connecting again", link.transport.where)
            lost, link.transport = link.transport, None
            await lost.close()
        try:
            request = await login()
            visitor = Visitor(key.user_id, link.accepted or request.known, link.asked)
            connection = await connect(request, self.hosts, visitor, self._limit)
        except CrystalDeckError as error:
            self._note(link, error)
            raise
        finally:
            link.asked = False
        transport = SSHTransport(connection, request.where, self._timeout)
        try:
            if request.accepted is not None:
                await request.accepted()
        except BaseException:
            await transport.close()
            raise
        link.failures = link.refusals = 0
        link.error, link.accepted, link.stamp = None, True, request.stamp
        link.transport = transport
        log.info("connected to %s", request.where)
        return transport

    def _note(self, link: Link, error: CrystalDeckError) -> None:
        if not isinstance(error, CircuitOpen):
            link.error = error
        if isinstance(error, (LoginRefused, HostKeyChanged)):
            link.refusals += 1
        if isinstance(error, (LoginRefused, HostKeyChanged, Unreachable)):
            link.failures += 1
            link.not_before = self._clock() + delay_after(link.failures)
        else:
            link.not_before = self._clock() + UNCHANGED
        log.warning("%s", error.sentence)

    def ask_again(self, key: CredentialKey) -> None:
        """The owner of a credential, or whoever tests a cluster's own, asks for one attempt now."""
        if link := self._links.get(key):
            link.asked = True
            link.refusals = min(link.refusals, LOGIN_FAILURES - 1)

    def look_again(self, cluster_id: int) -> None:
        """Something about a cluster was put right: nobody waits for its next attempt. Suspended credentials stay so."""
        for key, link in self._links.items():
            if key.cluster_id == cluster_id:
                link.failures, link.not_before = 0, 0.0

    async def drop(self, cluster_id: int) -> None:
        """Close a cluster's connections, and end those that are being opened: its settings or trusted key changed."""
        await self._end(key for key in self.keys if key.cluster_id == cluster_id)

    async def drop_credentials(self, keys: Iterable[CredentialKey]) -> None:
        """The same for single credentials."""
        await self._end(keys)

    async def close(self) -> None:
        """Close everything for good: nothing is opened any more."""
        self._closed = True
        await self._end(self.keys)

    async def _end(self, keys: Iterable[CredentialKey]) -> None:
        links = [link for key in list(keys) if (link := self._links.pop(key, None))]
        await asyncio.gather(*(link.end() for link in links))


def _abandoned() -> Unreachable:
    return Unreachable(
        "The connection was abandoned while it was being opened: its settings or its key changed, or the service is stopping.",
        hint="CrystalDeck reconnects by itself.",
    )
