"""Jobs that nobody knows any more: not the queue, not the accounting, and they left no exit marker.

A scheduler forgets ended jobs after minutes, and a centre may keep no accounting; who was killed leaves no marker. Such a job
would be looked for for ever. It ends as lost after a time that the settings give, and at once when somebody cancels it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

UNKNOWN_FOR = 30.0
"""Seconds for which this process must have seen that nobody knows a job: one look may come between two witnesses."""
DISPUTED_FOR = 600.0
"""The same where the accounting still calls it running: a queue may be silent for a while."""


class Forgotten:
    """Since when nobody knows which job, as this process saw it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def note(self, asked: Collection[str], unknown: Collection[str]) -> None:
        """Of the jobs that were `asked` for, nobody knows those that are `unknown`."""
        for job_id in asked:
            if job_id in unknown:
                self._since.setdefault(job_id, self._clock())
            else:
                self._since.pop(job_id, None)

    def verdict(
        self,
        job_id: str,
        seen: datetime | None,
        at: datetime,
        patience: timedelta,
        *,
        cancelled: bool,
        disputed: bool = False,
    ) -> str:
        """Why a job that nobody knows is given up; empty: it is still looked for.

        Args:
            seen: when the queue knew it last.
            patience: how long it is looked for; zero: for ever.
            cancelled: somebody wants it to end. disputed: the accounting calls it running.
        """
        since = self._since.get(job_id)
        if since is None or self._clock() - since < (DISPUTED_FOR if disputed else UNKNOWN_FOR):
            return ""
        known = f"since {seen:%Y-%m-%d %H:%M} UTC" if seen else "since it was submitted"
        if cancelled:
            return f"Cancelled; neither queue nor accounting knows this job {known}."
        if patience and (seen is None or at - seen >= patience):
            return f"Lost: neither queue nor accounting knows this job {known}, and it left no exit marker."
        return ""
