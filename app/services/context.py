"""What every use case needs, made once by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.db.engine import Database
from app.events.broker import Broker
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
