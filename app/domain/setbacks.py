"""What fails again and again is tried ever less often: a table of failures by what failed. The caller brings the clock."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

FIRST = 1.0
"""Seconds until the first repetition; each further one takes twice as long."""
LONGEST = 300.0
SET_ASIDE = 6
"""After so many failures a batch or a run is set aside until a person takes it up again."""


@dataclass(frozen=True)
class Setback:
    """One thing that failed: how often in a row, until when it rests, why; `known`: it failed for the same reason before."""

    count: int
    wait: float
    until: float
    reason: str
    known: bool

    @property
    def is_final(self) -> bool:
        """True once it failed so often that it is set aside."""
        return self.count >= SET_ASIDE


class Setbacks:
    """Failures by key. What succeeds, or was not tried for an hour, is forgotten."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Setback] = {}

    def waits(self, key: Hashable, moment: float) -> bool:
        """True while it is not to be tried."""
        setback = self._found.get(key)
        return setback is not None and moment < setback.until

    def failed(self, key: Hashable, moment: float, reason: str) -> Setback:
        """It failed again: how long until the next attempt?"""
        self._found = {other: kept for other, kept in self._found.items() if moment - kept.until < 3600}
        before = self._found.get(key)
        count = before.count + 1 if before is not None else 1
        wait = min(LONGEST, FIRST * 2 ** min(count - 1, 20))
        setback = Setback(count, wait, moment + wait, reason, before is not None and before.reason == reason)
        self._found[key] = setback
        return setback

    def over(self, key: Hashable) -> bool:
        """It succeeded, or a person takes it up again. True where it had failed before."""
        return self._found.pop(key, None) is not None
