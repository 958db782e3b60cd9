"""Files that come after their job's end: a file system that compute nodes share may show them elsewhere much later.

The marker is the last file that a job writes. Where the scheduler tells of a normal end and the marker or an output is not to be
seen, the files are on their way, and nothing is concluded yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from app.domain.verdict import Ending, Marker, SchedulerWord

PAUSE = 5.0
"""Seconds between looks for what is missing."""
GRACE = 60.0
"""Seconds for which it is looked for closely."""
LAST_LOOK = 600.0
"""Seconds after which it is looked for once more, before the end is judged without it."""


class Latecomers:
    """When to look again for the files of which job."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}
        self._next: dict[str, float] = {}

    def rests(self, job_id: str) -> bool:
        """Its files are missing, and it is too early to look again."""
        return self._clock() < self._next.get(job_id, 0.0)

    def wait(self, job_id: str, missing: Sequence[str]) -> str:
        """What to say of a job whose files are missing, while it has to wait for them; empty: it has waited long enough."""
        moment = self._clock()
        if not missing:
            return ""
        waited = moment - self._since.setdefault(job_id, moment)
        if waited >= LAST_LOOK:
            return ""
        self._next[job_id] = moment + PAUSE if waited < GRACE else self._since[job_id] + LAST_LOOK
        return (
            f"The scheduler says that the job ended, but {' and '.join(missing)} cannot be seen on the cluster yet. "
            f"CrystalDeck goes on looking for {round((LAST_LOOK - waited) / 60) or 1} min."
        )

    def forget(self, job_id: str) -> None:
        """Its end has been judged."""
        self._since.pop(job_id, None)
        self._next.pop(job_id, None)


def missing_files(
    word: SchedulerWord | None, marker: Marker | None, outputs: Sequence[str], seen: Sequence[str]
) -> list[str]:
    """What a job that ended normally must have left and is not to be seen, in words."""
    if word is None or word.ending is not Ending.NORMAL:
        return []
    absent = [output for output in outputs if output not in seen]
    if marker is not None:
        # A later deck does not run where an earlier one failed.
        return absent if marker.status == 0 else []
    return ["its exit marker", *absent]
