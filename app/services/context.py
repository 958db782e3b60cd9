"""What every use case needs, made once by the composition root."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.db.engine import Database
from app.domain.people.credentials import CredentialKey
from app.domain.queueing import Budget
from app.events.broker import Broker
from app.library.readings import Readings
from app.library.renderer import Renderer
from app.library.structures import StructureReader
from app.library.templates import TemplateLibrary
from app.settings import Settings
from app.transport.pool import ConnectionPool
from app.transport.vault import Vault
from app.workers.pool import Processes, Workers


class Clock:
    """The time, where a test must be able to let hours pass."""

    def now(self) -> datetime:
        """The current time, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """What all services share: settings, database, connections, workers, and what wakes others."""

    settings: Settings
    database: Database
    templates: TemplateLibrary
    pool: ConnectionPool
    vault: Vault
    broker: Broker
    workers: Workers
    renderer: Renderer
    structures: StructureReader
    readings: Readings = field(default_factory=Readings)
    clock: Clock = field(default_factory=Clock)
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """argon2 takes 64 MiB and a core: a crowd of logins queues here."""

    streams: Counter[int] = field(default_factory=Counter)
    """Live streams that this process holds open, by user."""

    disk_use: dict[int, tuple[datetime, int]] = field(default_factory=dict)
    """Bytes that users keep here, and when they were added up."""
    budgets: dict[CredentialKey, Budget] = field(default_factory=dict)
    """Requests to the scheduler, by credential; learnt anew after a restart."""

    refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while what the group saved is read anew."""

    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something to do that should not wait for the next tick; after a commit, by what the commit says."""

    def budget(self, key: CredentialKey) -> Budget:
        """The budget of requests to the scheduler of one credential."""
        return self.budgets.setdefault(key, Budget())

    def job_folder(self, job_id: str) -> Path:
        """Where the files of a job are kept here."""
        return self.settings.data / "jobs" / job_id


def make_context(settings: Settings, processes: Processes | None = None) -> Context:
    """What the services need.

    Args:
        processes: worker processes that are there already; they are then not ended with this context.
    """
    database = Database(settings.database)
    templates = TemplateLibrary(settings.template_dirs)
    workers = Workers(
        processes or Processes(settings.workers, settings.worker_memory_mb << 20), settings.worker_seconds,
        settings.worker_waiting, owned=processes is None,
    )  # fmt: skip
    context = Context(
        settings=settings,
        database=database,
        templates=templates,
        pool=ConnectionPool(settings.command_timeout, pass_environment=settings.pass_environment),
        vault=Vault(settings.key_file, settings.data, settings.master_key.get_secret_value()),
        broker=Broker(database),
        workers=workers,
        renderer=Renderer(templates, workers),
        structures=StructureReader(workers),
    )
    database.on_work(context.nudge.set)
    return context
