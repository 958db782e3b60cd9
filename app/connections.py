"""Connections with limits on how long a client may take.

uvicorn has one limit of time, for idle connections, and each byte that comes starts it anew: who sends a byte now and then holds a
connection for ever, and so does who never reads an answer (Kludex/uvicorn issue 157). Here the head and the body of a request have
to arrive within a time that drops do not prolong, and a client that takes nothing of an answer is cut. Time runs only while
the client owes something: an answer may take as long as it takes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.domain.people.addresses import is_in, network_of
from app.settings import LimitSettings

log = logging.getLogger(__name__)


class Connection(H11Protocol):
    """One connection; `connection_class` makes the kind with a service's limits."""

    limits: ClassVar[LimitSettings]
    exempt: ClassVar[list[str]]
    held: ClassVar[Counter[str]]
    """Open connections by client, as limits count them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it is counted, and owes the head of a request."""
        super().connection_made(transport)
        self.timers: dict[str, asyncio.TimerHandle] = {}
        address = self.client[0] if self.client else ""
        self._client = "" if is_in(address, self.exempt) else network_of(address)
        if self._client:
            self.held[self._client] += 1
            if self.held[self._client] > self.limits.connections_per_address:
                log.warning("%s has more than %d connections", self._client, self.limits.connections_per_address)
                transport.abort()
                return
        self._begin("head", self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended: nothing is waited for any more."""
        for name in list(self.timers):
            self._end(name)
        if self._client:
            self.held[self._client] -= 1
            if not self.held[self._client]:
                del self.held[self._client]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came: what the client owes may be another thing now."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """An answer is complete: the next request may already be there."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """The client does not take what is sent: its time begins."""
        super().pause_writing()
        self._begin("answer", self.limits.write_seconds)

    def resume_writing(self) -> None:
        """The client takes what is sent again."""
        super().resume_writing()
        self._end("answer")

    def _watch(self) -> None:
        """What does the client owe now: a head that it has begun, a body, or nothing?"""
        state, closing = self.conn.their_state, self.transport.is_closing()
        if state is h11.IDLE and self.conn.trailing_data[0] and not closing:
            self._begin("head", self.limits.header_seconds)
        else:
            self._end("head")
        if state is h11.SEND_BODY and not closing:
            self._begin("body", self.limits.body_seconds)
        else:
            self._end("body")

    def _begin(self, name: str, seconds: float) -> None:
        if name not in self.timers:
            self.timers[name] = self.loop.call_later(seconds, self._cut, name)

    def _end(self, name: str) -> None:
        if timer := self.timers.pop(name, None):
            timer.cancel()

    def _cut(self, name: str) -> None:
        self.timers.pop(name, None)
        if self.transport.is_closing():
            self.transport.abort()
            return
        log.info("%s is too slow with the %s: connection closed", self.client[0] if self.client else "a client", name)
        answered = self.cycle is not None and (self.cycle.response_started or self.cycle.response_complete)
        if name == "answer" or (name == "body" and answered):
            self.transport.abort()
            return
        setting = "header_seconds" if name == "head" else "body_seconds"
        words = f"The {name} of the request did not arrive within the time that limits.{setting} gives it.".encode()
        self.transport.write(
            b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(words), words)
        )
        self.transport.close()


def connection_class(limits: LimitSettings, trusted_proxies: list[str]) -> type[Connection]:
    """A kind of connection with these limits. Proxies bring many people over one address, so theirs are not counted."""
    members: dict[str, Any] = {"limits": limits, "exempt": trusted_proxies, "held": Counter()}
    return type("LimitedConnection", (Connection,), members)
