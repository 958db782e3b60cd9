"""uvicorn, taught to close the endless streams of open pages before it waits for connections to end, and to begin rested."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.connections import connection_class
from app.main import create_app
from app.routes.rendering import load_pages
from app.settings import Settings

GRACE = 5
"""Seconds that running requests get when the service stops."""
HEAD_BYTES = 16 * 1024
"""What the head of a request may hold."""
TALKATIVE = ("apscheduler", "asyncssh", "aiosqlite", "sqlalchemy", "python_multipart", "multipart", "httpcore", "httpx")
"""Libraries that would write the values of statements and forms into the log, password hashes among them."""


class Server(uvicorn.Server):
    """Sets the broker's `stopping` on the first signal, so that streams end at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Load what the first visitor would wait for, then set aside what is there for good.

        The garbage collector looks through everything that lives, a quarter of a million objects once the service stands: a
        tenth of a second in which nobody is answered, again and again. What is frozen is not looked at any more.
        """
        await super().startup(sockets)
        await asyncio.to_thread(load_pages)
        gc.collect()
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Uvicorn's hook: end open streams first, so that the stop is not held up."""
        self._app.state.context.broker.stopping.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """Run the service until it is told to stop."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    app = create_app(settings)
    limits = settings.limits
    # Forwarded addresses are read by the application itself, from trusted proxies only; uvicorn would trust all of loopback.
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level=settings.log_level, access_log=False,
        timeout_graceful_shutdown=GRACE, server_header=False, proxy_headers=False, ws="none",
        http=connection_class(limits, settings.trusted_proxies), h11_max_incomplete_event_size=HEAD_BYTES,
        limit_concurrency=limits.connections, timeout_keep_alive=limits.keep_alive_seconds,
    )  # fmt: skip
    Server(config, app).run()
