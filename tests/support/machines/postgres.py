"""A PostgreSQL server of our own, from Debian's package, on loopback; a fresh database per test."""

from __future__ import annotations

import itertools
import os
import pwd
import subprocess
import tempfile
from pathlib import Path

from tests.support.databases import migrate
from tests.support.machines.ports import free_port
from tests.support.waiting import wait_until

ROOT = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """The newest server's folder of programs."""
    found = sorted(ROOT.glob("*/bin/postgres"))
    return found[-1].parent if found else None


class Postgres:
    """Runs as the user postgres where we are root: the server refuses root."""

    def __init__(self) -> None:
        folder = binaries()
        assert folder is not None
        self._bin = folder
        self.root = Path(tempfile.mkdtemp(prefix="crystaldeck-pg-", dir="/tmp"))
        self.port = free_port()
        self._numbers = itertools.count(1)
        self._template: str | None = None
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self.root, account.pw_uid, account.pw_gid)

    def _run(self, *command: str | Path) -> None:
        subprocess.run(command, user=self._user, check=True, capture_output=True, cwd=self.root)

    def start(self) -> Postgres:
        self._run(self._bin / "initdb", "-D", self.root / "db", "-U", "deck", "--auth=trust", "-N")
        self._server = subprocess.Popen(
            [self._bin / "postgres", "-D", self.root / "db", "-p", str(self.port), "-k", self.root, "-F",
             "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"],
            user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.root,
        )  # fmt: skip
        ready = [self._bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until(lambda: subprocess.run(ready, capture_output=True).returncode == 0, "PostgreSQL's start")
        return self

    def new_database(self, *, migrated: bool = True) -> str:
        """The URL of a new database: up to date, or empty."""
        if not migrated:
            return self._create()
        if self._template is None:
            self._template = self._create()
            migrate(self._template)
        copied = [f"--template={self._template.rpartition('/')[2]}"]
        if int(self._bin.parent.name) >= 15:
            # Through its log, as it would by itself, a copy costs the server a seventh of a second instead of a fiftieth.
            copied.append("--strategy=file_copy")
        return self._create(*copied)

    def _create(self, *options: str) -> str:
        name = f"deck{next(self._numbers)}"
        self._run(self._bin / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "deck", *options, name)
        return f"postgresql://deck@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait()
        subprocess.run(["rm", "-rf", str(self.root)], check=True)
