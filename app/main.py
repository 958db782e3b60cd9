"""The composition root: makes the application from settings. The only module that knows everyone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app import __version__, places
from app.background.scheduler import Background
from app.db import migrations
from app.routes import health, live, problems
from app.routes.api.routers import ROUTERS as API
from app.routes.bodies import Bodies
from app.routes.pages.routers import ROUTERS as PAGES
from app.routes.security import Security
from app.routes.strict import refuse_unknown
from app.services.clusters import changes as cluster_changes
from app.services.clusters import checks as cluster_checks
from app.services.context import make_context
from app.settings import Settings
from app.workers.pool import Processes

log = logging.getLogger(__name__)


def create_app(settings: Settings, processes: Processes | None = None) -> FastAPI:
    """The ASGI application. Its lifespan upgrades the database and runs the background work.

    Args:
        processes: worker processes to use instead of own ones.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(migrations.upgrade, settings.database)
        await cluster_changes.sync_configuration(context)
        await context.broker.start()
        # They load what they need beside the start.
        context.workers.processes.start()
        background = Background(context)
        await background.start()
        try:
            yield
        finally:
            await background.stop()
            await cluster_checks.stop_tests()
            await context.broker.stop()
            await context.workers.close()
            await context.pool.close()
            await context.database.close()

    context = make_context(settings, processes)
    app = FastAPI(
        title="CrystalDeck", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json", dependencies=[Depends(refuse_unknown)],
    )  # fmt: skip
    app.state.context = context
    for router in (health.router, *API, live.api_router, live.router, *PAGES):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=places.STATIC), name="static")
    problems.install(app)
    app.add_middleware(Bodies)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    app.add_middleware(Security, hosts=settings.hosts, hsts=settings.secure_cookies)
    if settings.trusted_proxies:
        # Only `X-Forwarded-*`: proxies append to these, while they pass on the `Forwarded` of a client as it is.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    return app
