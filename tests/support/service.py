"""The service as a process of its own, as a user starts it, with an HTTP client."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from app.db import migrations
from app.domain.people.permissions import Role
from app.services.context import Context, make_context
from app.services.people import accounts
from app.settings import Settings, load_settings
from tests.support import databases
from tests.support.machines.ports import free_port
from tests.support.waiting import wait_until

PASSWORD = "a long enough password"
TERMINAL = ("completed", "failed", "cancelled", "skipped")


class Service:
    """`crystaldeck serve` with a data folder of its own."""

    programs = Path(sys.executable).parent
    """Where `crystaldeck` is installed."""
    workdir: Path | None = None
    """Where its commands start; None: wherever the tests run."""

    def __init__(self, folder: Path, config: str, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        assert not (folder / "data").is_symlink(), "the service would write into somebody else's folder"
        (folder / "config.toml").write_text(config)
        self.environment = {
            **os.environ,
            "CRYSTALDECK_DATA": str(folder / "data"),
            "CRYSTALDECK_CONFIG": str(folder / "config.toml"),
            "CRYSTALDECK_PORT": str(self.port),
            **environment,
        }
        self.log = folder / "service.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.early: list[str] = []
        """Jobs that were submitted at the start, since they take long."""
        self._client: httpx.Client | None = None

    @property
    def client(self) -> httpx.Client:
        """Speaks to `/api/v1`."""
        if self._client is None:
            self._client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=30)
        return self._client

    def command(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `crystaldeck …` beside the service."""
        return subprocess.run(
            [self.programs / "crystaldeck", *arguments], input=stdin, env=self.environment,
            cwd=self.workdir, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def add_user(self, name: str = "ada", role: str = "admin") -> str:
        """An account and a token of it; the client uses the token from now on."""
        token = self.token_of(name, "jobs:read,jobs:write,clusters:write,admin", role)
        self.client.headers["Authorization"] = f"Bearer {token}"
        return token

    def token_of(self, name: str, scopes: str = "jobs:read", role: str = "member") -> str:
        """A new account's token.

        Both are made by this very process, as `crystaldeck user add` and `token create` would: starting these takes three
        seconds. What is installed elsewhere is only spoken to by its own commands.
        """
        if self.programs != Service.programs:
            return self._token_by_commands(name, scopes, role)

        async def make(context: Context) -> str:
            await accounts.add_user(context, name, PASSWORD, Role(role))
            return await accounts.make_token(context, name, scopes.split(","))

        with mock.patch.dict(os.environ, self.environment, clear=True):
            settings = load_settings()
        databases.prepare(settings)
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(_work_on, settings, make).result()

    def _token_by_commands(self, name: str, scopes: str, role: str) -> str:
        made = self.command("user", "add", name, "--role", role, "--password-stdin", stdin=PASSWORD + "\n")
        assert made.returncode == 0, made.stderr
        token = self.command("token", "create", "--user", name, "--scope", scopes)
        assert token.returncode == 0, token.stderr
        return token.stdout.strip()

    def start(self) -> Service:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "crystaldeck", "serve"], env=self.environment, stdout=log,
                cwd=self.workdir, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_until(self._ready, "the service's start", 60)
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        # A client of httpx reads the certificates of all authorities first: fifty milliseconds for each question.
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def setup_link(self) -> str:
        found = re.search(r"http://\S+/setup/\S+", self.log.read_text())
        assert found, self.log.read_text()
        return found.group(0)

    def kill(self) -> None:
        """As a power cut does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)

    # -- jobs ----------------------------------------------------------------------------------------------------

    def submit(self, *jobs: dict[str, Any]) -> list[str]:
        answer = self.client.post("/jobs", json=list(jobs))
        assert answer.status_code == 201, answer.text
        return [job["id"] for job in answer.json()]

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/jobs", params={"limit": 500}).json()["jobs"]
        return found

    def any_in(self, *states: str) -> bool:
        """Is any job in one of these states?"""
        answer = self.client.get("/jobs", params={"state": list(states), "limit": 1})
        return bool(answer.json()["jobs"])

    def wait(self, ids: Sequence[str], seconds: float = 120, states: Sequence[str] = TERMINAL) -> list[dict[str, Any]]:
        """Jobs when all of them are in one of the states."""
        wanted = set(ids)
        found: list[dict[str, Any]] = []

        def all_there() -> bool:
            found[:] = [job for job in self.jobs() if job["id"] in wanted]
            return all(job["state"] in states for job in found)

        def told() -> str:
            return "\n".join(f"{job['id']} {job['state']} {job['reason']} {job['attention']}" for job in found)

        wait_until(all_there, told, seconds, every=0.2)
        return found

    def run(self, run_id: str) -> dict[str, Any]:
        """A run of a workflow."""
        answer = self.client.get(f"/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def start_run(self, **body: Any) -> dict[str, Any]:
        """Start a workflow: the answer to POST /runs."""
        answer = self.client.post("/runs", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def wait_run(
        self, run_id: str, seconds: float = 120, states: Sequence[str] = ("completed", "failed", "cancelled")
    ) -> dict[str, Any]:
        """A run when it is in one of the states."""
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(self.run(run_id))
            return found["state"] in states

        def told() -> str:
            return "\n".join(f"{step['name']} {step['state']} {step['message']}" for step in found["steps"])

        wait_until(there, told, seconds, every=0.2)
        return found


def _work_on(settings: Settings, work: Callable[[Context], Awaitable[str]]) -> str:
    """Run a use case on a service's database, from a thread without an event loop."""
    migrations.upgrade(settings.database)

    async def main() -> str:
        context = make_context(settings)
        try:
            return await work(context)
        finally:
            await context.pool.close()
            await context.database.close()

    return asyncio.run(main())


def mgo(title: str = "MgO", **parameters: Any) -> dict[str, Any]:
    """Parameters of template scf: MgO, Hartree–Fock, STO-3G."""
    return {
        "title": title, "space_group": 225, "a": 4.21, "atoms": [["Mg", 0, 0, 0], ["O", 0.5, 0.5, 0.5]],
        "basis_set": "STO-3G", "method": "HF", "shrink": 2, "gilat": 2, **parameters,
    }  # fmt: skip


def lih(title: str = "LiH", **parameters: Any) -> dict[str, Any]:
    """LiH, which the preview engine computes in a quarter of a minute of one core."""
    return mgo(title, a=4.084, atoms=[["Li", 0, 0, 0], ["H", 0.5, 0.5, 0.5]], toldee=6, **parameters)


def quick(**parameters: Any) -> dict[str, Any]:
    """LiH at Γ alone, in three seconds: for tests that are about the way and not about the number, which is -8.3352 hartree."""
    return lih(**{"shrink": 1, "gilat": 1, **parameters})


def replayed(case: str, cluster: str = "lab", **options: Any) -> dict[str, Any]:
    """A job whose program replays a stored output."""
    title = " ".join(["replay", case, *(f"{key}={value}" for key, value in options.items())])
    return {
        "template": "scf",
        "parameters": mgo(title),
        "cluster": cluster,
        "name": "replayed",
        "resources": {"walltime": "00:05:00"},
    }
