"""What is said and logged where an item fails for a reason that nobody foresaw: it fails alone, and says why."""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Mapping

from app.db.repositories import jobs
from app.domain.setbacks import Setbacks
from app.errors import CrystalDeckError
from app.events.outbox import announce_jobs
from app.services.context import Context

_LENGTH = 300


def reason_of(error: BaseException) -> str:
    """Why an item failed, in one line for people."""
    if isinstance(error, CrystalDeckError):
        return error.sentence
    detail = " ".join(str(error).split())[:_LENGTH]
    return f"Internal error ({type(error).__name__}{f': {detail}' if detail else ''}); see the server's log."


def blame(log: logging.Logger, what: str, error: BaseException) -> str:
    """Log once what failed, with a traceback where it was not foreseen; returns the reason for people."""
    if isinstance(error, CrystalDeckError):
        log.warning("%s: %s", what, error.sentence)
    else:
        log.error("%s failed", what, exc_info=error)
    return reason_of(error)


class Faults:
    """Items of a loop that failed: each rests for a while, ever longer, and is logged once for each reason."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._setbacks = Setbacks()

    def waits(self, key: Hashable) -> bool:
        """True while an item rests after a failure."""
        return self._setbacks.waits(key, time.monotonic())

    def blame(self, key: Hashable, what: str, error: BaseException) -> str:
        """An item failed; returns the reason for people."""
        setback = self._setbacks.failed(key, time.monotonic(), reason_of(error))
        return setback.reason if setback.known else blame(self._log, what, error)

    def over(self, key: Hashable) -> bool:
        """An item is right again. True where it had failed."""
        return self._setbacks.over(key)


async def mark_jobs(context: Context, reasons: Mapping[str, str]) -> None:
    """Let jobs that failed alone say so to whoever looks at them."""
    if not reasons:
        return
    async with context.database.write() as session:
        rows = await jobs.get_all(session, reasons, whole=False)
        news = [job for job_id, job in rows.items() if job.attention != reasons[job_id]]
        if news:
            await jobs.set_attention(session, {job.id: reasons[job.id] for job in news})
            await announce_jobs(session, news)
