"""Clients that send or read by drops, on real sockets: they are cut, and others never notice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.connections import Connection, connection_class
from app.settings import LimitSettings
from tests.support.waiting import until

SHORT = 0.3
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Site:
    """A small application behind the service's own protocol class; remembers who hung up."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.waiting = asyncio.Event()
        self.release = asyncio.Event()
        self.connections: list[Connection] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["path"] == "/endless":
            await self._endless(receive, send)
            return
        if scope["path"] == "/slow":
            self.waiting.set()
            await self.release.wait()
        elif scope["path"] != "/deaf":
            message = {"more_body": True}
            while message.get("more_body"):
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.gone.set()
                    return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _endless(self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            self.gone.set()

        listening = asyncio.create_task(listen())
        while not self.gone.is_set():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        await listening

    async def connect(self, receive_buffer: int = 0) -> Streams:
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=plain)
        self.writers.append(writer)
        return reader, writer


@asynccontextmanager
async def site(trusted: list[str] | None = None, **limits: float) -> AsyncIterator[Site]:
    made = Site()
    kind = connection_class(LimitSettings.model_validate(limits), trusted or [])
    config = uvicorn.Config(made, http=kind, lifespan="off", proxy_headers=False, log_config=None)
    config.load()
    state = ServerState()

    def protocol() -> Connection:
        made.connections.append(kind(config=config, server_state=state, app_state={}))
        return made.connections[-1]

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(30):
            yield made
    finally:
        server.close()
        for end in (*made.writers, *made.connections):
            end.transport.abort()
        for writer in made.writers:
            with suppress(ConnectionError):
                await writer.wait_closed()
        await server.wait_closed()


async def drip(streams: Streams, text: bytes, drops: bytes) -> bytes:
    """Send `text`, then one drop after another for as long as the other side listens; what it said in the end."""
    reader, writer = streams
    writer.write(text)
    answer = asyncio.create_task(reader.read())
    for number in range(10_000):
        writer.write(drops[number % len(drops) :][:1])
        await asyncio.wait({answer}, timeout=SHORT / 20)
        if answer.done():
            break
    writer.close()
    return await answer


async def test_a_head_by_drops_is_cut() -> None:
    async with site(header_seconds=SHORT) as made:
        # A drop that arrives behind the answer makes the kernel reset the connection: cut all the same.
        with suppress(ConnectionResetError):
            said = await drip(await made.connect(), b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"a")
            assert said.startswith(b"HTTP/1.1 408 ") and b"limits.header_seconds" in said
        await until(lambda: made.connections[0].transport.is_closing())


async def test_a_connection_that_says_nothing_is_cut() -> None:
    async with site(header_seconds=SHORT) as made:
        reader, _ = await made.connect()
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("path", [b"/", b"/deaf"])
@pytest.mark.parametrize("length", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
async def test_a_body_by_drops_is_cut(path: bytes, length: bytes) -> None:
    """Also where the answer has left before the body came."""
    async with site(body_seconds=SHORT) as made:
        drops = b"1\r\na\r\n" if b"chunked" in length else b"a"
        with suppress(ConnectionResetError):
            said = await drip(
                await made.connect(), b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\n", drops
            )
            assert said.startswith(b"HTTP/1.1 200 " if path == b"/deaf" else b"HTTP/1.1 408 ")
            assert b"limits.body_seconds" in said or path == b"/deaf"
        if path == b"/":
            await made.gone.wait()


async def test_who_reads_nothing_is_cut() -> None:
    async with site(write_seconds=SHORT) as made:
        _, writer = await made.connect(receive_buffer=4096)
        writer.transport.pause_reading()
        writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await made.gone.wait()


async def test_a_second_request_by_drops_is_cut_too() -> None:
    async with site(header_seconds=SHORT, keep_alive_seconds=60) as made:
        reader, writer = await made.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"ok")
        with suppress(ConnectionResetError):
            said = await drip((reader, writer), b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"a")
            assert said.startswith(b"HTTP/1.1 408 ")
        await until(lambda: made.connections[0].transport.is_closing())


async def test_a_slow_answer_and_an_idle_connection_are_not_cut() -> None:
    """Time runs only while the client owes something."""
    async with site(header_seconds=SHORT, body_seconds=SHORT, write_seconds=SHORT) as made:
        reader, writer = await made.connect()
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await made.waiting.wait()
        assert made.connections[0].timers == {}
        made.release.set()
        assert b"200 OK" in await reader.readuntil(b"ok")
        assert made.connections[0].timers == {}
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab")
        await asyncio.wait_for(until(lambda: "body" in made.connections[0].timers), 10)
        writer.write(b"c")
        await reader.readuntil(b"ok")
        assert made.connections[0].timers == {}


async def test_one_address_gets_so_many_connections() -> None:
    async with site(connections_per_address=2) as made:
        first, second = await made.connect(), await made.connect()
        for reader, writer in (first, second):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"ok")
        reader, _ = await made.connect()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        first[1].close()
        await asyncio.wait_for(until(lambda: sum(made.connections[0].held.values()) == 1), 10)
        reader, fourth = await made.connect()
        fourth.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"ok")


async def test_a_trusted_proxy_gets_all_that_it_needs() -> None:
    async with site(trusted=["127.0.0.0/8"], connections_per_address=1) as made:
        for _ in range(3):
            reader, writer = await made.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"ok")
