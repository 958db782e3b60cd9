"""What every use case needs, made once by the composition root."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.db.engine import Database
from app.domain.queueing import Budget
from app.events.broker import Broker
from app.services.readings import Readings
from app.services.structures import StructureReader
from app.services.templates import TemplateLibrary
from app.settings import Settings
from app.transport.keys import Vault
from app.transport.pool import ConnectionPool


@dataclass(frozen=True)
class Context:
    settings: Settings
    database: Database
    templates: TemplateLibrary
    pool: ConnectionPool
    vault: Vault
    broker: Broker
    limiter: MovingWindowRateLimiter
    structures: StructureReader
    readings: Readings = field(default_factory=Readings)
    budgets: dict[tuple[str, str], Budget] = field(default_factory=dict)
    """Requests to the scheduler, by cluster and account; learnt anew after a restart."""

    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is something to do that should not wait for the next tick: a job to hand over, a run to go on with."""

    def budget(self, account: tuple[str, str]) -> Budget:
        return self.budgets.setdefault(account, Budget())

    def job_folder(self, job_id: str) -> Path:
        """Where the files of a job are kept here."""
        return self.settings.data / "jobs" / job_id


def make_context(settings: Settings) -> Context:
    database = Database(settings.database)
    return Context(
        settings=settings,
        database=database,
        templates=TemplateLibrary(settings.template_dirs),
        pool=ConnectionPool(settings.command_timeout),
        vault=Vault(settings.data),
        broker=Broker(database),
        limiter=MovingWindowRateLimiter(MemoryStorage()),
        structures=StructureReader(),
    )
