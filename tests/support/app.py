"""The application in this process, with a database of its own, for tests of services and routes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import httpx
from fastapi import FastAPI
from starlette.routing import BaseRoute

from app.domain.people.permissions import Actor, Role, Scope
from app.main import create_app
from app.services.context import Context
from app.services.people import accounts
from app.settings import ClusterSettings, Settings
from app.workers.pool import Processes
from tests.support import databases
from tests.support.corpus import CORPUS

PASSWORD = "a long enough password"
EXECUTABLE = Path(__file__).resolve().parents[1] / "lab" / "bin" / "replay"


def place_replay(folder: Path) -> None:
    """The program that plays stored outputs, and the outputs beside it."""
    (folder / "bin").mkdir(parents=True)
    shutil.copy(EXECUTABLE, folder / "bin")
    (folder / "data").symlink_to(CORPUS)


def settings_for(folder: Path, **changes: object) -> Settings:
    values: dict[str, object] = {
        "data": folder / "data",
        "master_key_file": folder / "master.key",
        "allowed_hosts": ["testserver"],
        "dispatch_interval": 0.05,
        "poll_interval": 0.2,
        "poll_interval_busy": 0.1,
        "clusters": {
            "here": ClusterSettings(
                runner_type="local",
                crystal=str(folder / "bin" / "replay"),
                workdir=str(folder / "work"),
                cores=4,
                max_jobs=4,
            )
        },
    }
    return Settings(**(values | changes))  # type: ignore[arg-type]


@cache
def processes() -> Processes:
    """Worker processes for all applications of this test process: each start of one costs a second."""
    made = Processes(2, 2 << 30)
    atexit.register(made.close)
    return made


@cache
def _routes() -> list[BaseRoute]:
    with tempfile.TemporaryDirectory(prefix="crystaldeck-routes-") as folder:
        return create_app(settings_for(Path(folder)), processes()).router.routes


def make_app(settings: Settings) -> FastAPI:
    """The application, with the worker processes and the routes of the first one that this process made.

    Routes know nothing of settings, yet FastAPI works out their parameters anew for each application, at its first requests: a
    sixth of a second, a hundred times over.
    """
    app = create_app(settings, processes())
    app.router.routes[:] = _routes()
    return app


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application with its background work, on a database that is up to date already."""
    databases.prepare(settings)
    app = make_app(settings)
    async with app.router.lifespan_context(app):
        yield app


async def make_actor(context: Context, name: str = "ada", role: Role = Role.ADMIN) -> Actor:
    user = await accounts.add_user(context, name, PASSWORD, role)
    return Actor(user.id or 0, name, role)


async def make_client(app: FastAPI, name: str = "ada", role: Role = Role.ADMIN, *scopes: Scope) -> httpx.AsyncClient:
    """A client with a bearer token of a new user."""
    context: Context = app.state.context
    await accounts.add_user(context, name, PASSWORD, role)
    token = await accounts.make_token(context, name, [str(scope) for scope in scopes or tuple(Scope)])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://testserver", headers={"Authorization": f"Bearer {token}"}
    )
