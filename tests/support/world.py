"""A small service for tests of permissions: one person of each role and a stranger, each with one object of every kind.

Nothing works in the background, so that only requests change anything. What a request changed is told by comparing the rows
of all tables and the files of the data folder; `restore` brings both back.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlmodel import select

from app.db.tables import Batch, JobFile, OneTimeLink, Session, User, WorkflowRun, WorkflowStep, WorkflowTask, now
from app.domain.people.permissions import Actor, Role, Scope
from app.domain.workflows.definition import read_workflow
from app.services.batches import drafts as batches
from app.services.batches import rows as batch_rows
from app.services.catalogue import basis_sets
from app.services.catalogue import templates as library
from app.services.catalogue.shelves import STARTER
from app.services.clusters import changes as cluster_changes
from app.services.clusters import checks
from app.services.context import Context
from app.services.jobs import actions
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.selections import Selection
from app.services.people import accounts
from app.services.workflows import library as workflow_library
from app.services.workflows import starts as workflow_starts
from app.settings import ClusterSettings
from tests.support import databases
from tests.support.app import make_app, settings_for
from tests.support.service import lih, mgo

PEOPLE: dict[str, Role] = {
    "vera": Role.VIEWER, "mia": Role.MEMBER, "max": Role.MAINTAINER, "ada": Role.ADMIN, "otto": Role.MEMBER,
}  # fmt: skip
STRANGER = "otto"
LINK = "a-one-time-link-for-a-test"
VOLATILE = {"api_tokens": {"last_used_at"}, "sessions": {"last_seen_at", "last_used_at"}}
"""Columns that say when somebody came, which is no change of anything."""
T = TypeVar("T")
Rows = dict[str, list[tuple[Any, ...]]]


def starter(template_id: str) -> dict[str, str]:
    """The texts of a small template that works, under an id."""
    return {name.replace("my_scf", template_id): text.replace("my_scf", template_id) for name, text in STARTER.items()}


def workflow(name: str) -> dict[str, Any]:
    return {"name": name, "steps": [{"name": "scf", "template": "scf", "parameters": lih(), "on_failure": "ask"}]}


@dataclass
class World:
    folder: Path
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    """Ids of each person's objects, by kind."""
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    """Bearer tokens by person and scope."""
    cookies: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._runner = asyncio.Runner()
        far = ClusterSettings(hostname="hpc.example.org", username="", workdir="crystaldeck")
        settings = settings_for(self.folder, data=self.folder / "deck")
        presets: dict[str, dict[str, str | int]] = {"small": {"ntasks": 2, "walltime": "01:00:00"}}
        settings.clusters = {"far": far, "here": settings.clusters["here"].model_copy(update={"presets": presets})}
        databases.prepare(settings)
        self.app = make_app(settings)
        self.context: Context = self.app.state.context
        self.run(self._people())
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://testserver")
        self._file = self.context.settings.data / "crystaldeck.sqlite3"
        self._watch = sqlite3.connect(self._file)
        self._kept = sqlite3.connect(":memory:")
        self._watch.backup(self._kept)
        shutil.copytree(self.context.settings.data / "jobs", self.folder / "kept" / "jobs")
        self.before = self.rows()
        self._version = self._data_version()
        self._names = self._files()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def close(self) -> None:
        async def end() -> None:
            await checks.stop_tests()
            await self.client.aclose()
            await self.context.workers.close()
            await self.context.pool.close()
            await self.context.database.close()

        self.run(end())
        self._watch.close()
        self._kept.close()
        self._runner.close()

    # -- what is there -----------------------------------------------------------------------------------------------

    async def _people(self) -> None:
        context = self.context
        await cluster_changes.sync_configuration(context)
        operator = Actor(0, "operator", Role.ADMIN)
        await cluster_changes.add(context, operator, "spare", {"hostname": "spare.example.org"})
        # A stream ends at once: the service is about to stop, as far as it knows.
        context.broker.stopping.set()
        for name, role in PEOPLE.items():
            user = User(name=name, password_hash="!", role=str(role))
            cookie = f"session-of-{name}"
            async with context.database.write() as session:
                session.add(user)
                await session.flush()
                session.add(
                    Session(
                        token_hash=accounts.digest(cookie), user_id=user.id or 0, expires_at=now() + timedelta(days=1)
                    )
                )
            self.cookies[name] = cookie
            for scope in Scope:
                self.tokens[name, str(scope)] = await accounts.make_token(context, name, [str(scope)])
            self.ids[name] = await self._things(Actor(user.id or 0, name, Role.ADMIN))
        async with context.database.write() as session:
            session.add(
                OneTimeLink(token_hash=accounts.digest(LINK), role="member", expires_at=now() + timedelta(days=1))
            )

    async def _things(self, owner: Actor) -> dict[str, str]:
        """One object of each kind. Made with all rights: whoever owns it now may have had another role then."""
        context, name = self.context, owner.name
        asked = [JobRequest("scf", mgo(name, a=a), "here", {}, f"job-{name}") for a in (4.21, 4.22)]
        job, second = await create_jobs(context, owner, asked)
        folder = context.job_folder(job.id) / "files"
        folder.mkdir(parents=True)
        (folder / "scf.out").write_text("an output\n")
        form = batches.common_form(context.templates.get("scf"), mgo(), {}) | {"cluster": "here"}
        batch = await batches.begin(context, owner, "scf", form, f"batch-{name}")
        await batch_rows.add_rows(context, owner, batch.id, [{"a": 4.2}, {"a": 4.3}])
        aside = await batches.begin(context, owner, "scf", form, f"aside-{name}")
        action = await actions.begin(context, owner, "tag", Selection((job.id,)), "seen")
        await library.save_template(context, owner, starter(f"t_{name}"), "")
        await basis_sets.save(context, owner, f"basis-{name}", BASIS, "a test")
        await workflow_library.save(context, owner, read_workflow(workflow(f"w_{name}")), "")
        runs = []
        for state in ("running", "paused", "cancelled"):
            request = workflow_starts.RunRequest(read_workflow(workflow(f"w_{name}")), name=state, cluster="here")
            run = await workflow_starts.start(context, owner, request)
            runs.append(run.id)
            await self._stop(run.id, state)
        async with context.database.write() as session:
            row = await session.get(Batch, aside.id)
            assert row is not None
            row.state = "making"
            session.add(row)
            session.add(JobFile(job_id=job.id, name="scf.out", size=10, sha256="0" * 64, role="output"))
        named = {"template": f"t_{name}", "workflow": f"w_{name}", "basis": f"basis-{name}"}
        made = {"job": job.id, "second": second.id, "batch": batch.id, "aside": aside.id, "action": action.id}
        return named | made | dict(zip(("run", "paused", "ended"), runs, strict=True))

    async def _stop(self, run_id: str, state: str) -> None:
        """A run whose only step asks a person, or one that is over."""
        async with self.context.database.write() as session:
            run = await session.get(WorkflowRun, run_id)
            assert run is not None
            run.state, run.busy, run.ended_at = state, False, now() if state == "cancelled" else None
            [step] = (await session.exec(_steps_of(run_id))).all()
            step.state = "asking" if state == "running" else "waiting" if state == "paused" else "cancelled"
            session.add(WorkflowTask(run_id=run_id, step_id=step.id or 0, state=step.state, message="It failed."))
            session.add_all([run, step])

    # -- requests ----------------------------------------------------------------------------------------------------

    def ask(self, who: str, credential: str, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        """One request, as nobody (`who` empty), by a browser's session, or by a token of one scope."""
        headers = dict(options.get("headers", {}))
        if who and credential == "session":
            headers["Cookie"] = f"crystaldeck={self.cookies[who]}"
        elif who:
            headers["Authorization"] = f"Bearer {self.tokens[who, credential]}"
        return self.run(self.client.request(method, path, **{**options, "headers": headers}))

    # -- what was changed ---------------------------------------------------------------------------------------------

    def changes(self) -> list[str]:
        """Tables and files that differ from the beginning."""
        found = []
        if self._data_version() != self._version:
            rows = self.rows()
            found += [table for table in rows if rows[table] != self.before[table]]
        names = self._files()
        found += sorted(str(path) for path in names.keys() ^ self._names.keys())
        return found + sorted(
            str(path) for path in names.keys() & self._names.keys() if names[path] != self._names[path]
        )

    def rows(self) -> Rows:
        """All rows of all tables."""
        found: Rows = {}
        for (table,) in self._watch.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table.startswith("sqlite_"):
                continue
            columns = [row[1] for row in self._watch.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(f'"{column}"' for column in columns if column not in VOLATILE.get(table, ()))
            found[table] = self._watch.execute(f"SELECT {kept} FROM {table} ORDER BY 1").fetchall()
        return found

    def restore(self) -> None:
        """Make everything as it was in the beginning."""
        if self._data_version() != self._version:
            self._kept.backup(self._watch)
            self._version = self._data_version()
        if self._files() != self._names:
            data = self.context.settings.data
            for path in self._files().keys() - self._names.keys():
                (data / path).unlink()
            shutil.copytree(self.folder / "kept" / "jobs", data / "jobs", dirs_exist_ok=True)
            self._names = self._files()

    def _data_version(self) -> int:
        found: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
        return found

    def _files(self) -> dict[str, tuple[int, int]]:
        data = self.context.settings.data
        listed = [path for path in data.rglob("*") if path.is_file() and "sqlite3" not in path.name]
        return {str(path.relative_to(data)): (path.stat().st_size, path.stat().st_mtime_ns) for path in listed}


def _steps_of(run_id: str) -> Any:
    return select(WorkflowStep).where(WorkflowStep.run_id == run_id)


def job_states(rows: Rows) -> list[tuple[Any, ...]]:
    """What an action on jobs may change."""
    return [*rows["jobs"], *rows["job_events"], *rows["job_tags"]]


BASIS = (
    "1 2\n0 0 3 1.0 1.0\n3.42525091 0.15432897\n0.62391373 0.53532814\n0.16885540 0.44463454\n0 0 1 0.0 1.0\n0.1 1.0\n"
)
