"""What is known of each machine that we knock at: one login at a time, since when nobody answers, whom it turned away.

sshd drops connections when too many are not logged in yet (`MaxStartups`), so at one machine one login follows the other;
different machines never wait for each other. A machine that does not answer is asked ever more rarely, whatever the key.
And centres ban an address, not an account, after a handful of refused logins: those are counted by machine, so that no
member can have the whole group locked out by trying keys.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.errors import CircuitOpen, LoginRefused, Unreachable

FIRST_DELAY, LAST_DELAY = 1.0, 300.0
WINDOW = 600.0
"""Seconds for which a machine's refusals are remembered."""
REFUSALS_OF_ONE, REFUSALS_OF_ALL = 4, 6
"""Refused logins within the window after which one person, and everybody with a key not yet accepted there, must wait."""


def delay_after(failures: int) -> float:
    """Seconds until the next attempt, with jitter: services that lost the same machine do not come back all at once."""
    return min(LAST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 20)) * random.uniform(0.75, 1.25)


@dataclass(frozen=True)
class Visitor:
    """Who knocks: the person (None: the operator's own key), whether this key was ever let in, whether somebody asked now."""

    person: int | None = None
    known: bool = False
    asked: bool = False


@dataclass
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: int = 0
    not_before: float = 0.0
    error: Unreachable | None = None
    refusals: deque[tuple[float, int | None]] = field(default_factory=deque)


class Hosts:
    """All machines of this process, by name (`host:port`, or `host:port via gate:port`)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._hosts: dict[str, _Host] = {}
        self._clock = clock

    @asynccontextmanager
    async def door(self, name: str, visitor: Visitor) -> AsyncIterator[None]:
        """Stand at the door of one machine, alone; what becomes of the attempt is remembered.

        Whoever waited while an attempt found the machine silent is told so, and does not try it once more.

        Raises:
            Unreachable: it did not answer lately. CircuitOpen: it turned away too many lately.
        """
        host = self._hosts.setdefault(name, _Host())
        tried = host.failures
        async with host.lock:
            # Somebody who asks gets an attempt of his own, unless one has just failed while he stood here.
            if host.error is not None and (not visitor.asked or host.failures > tried):
                self._check_silence(host, host.error)
            self._check_refusals(name, host, visitor)
            try:
                yield
            except LoginRefused:
                host.failures, host.error = 0, None
                host.refusals.append((self._clock(), visitor.person))
                raise
            except Unreachable as error:
                if error.whole_machine:
                    host.failures += 1
                    host.error = error
                    host.not_before = self._clock() + delay_after(host.failures)
                raise
            host.failures, host.error = 0, None

    def _check_silence(self, host: _Host, error: Unreachable) -> None:
        wait = host.not_before - self._clock()
        if wait > 0:
            raise Unreachable(f"{error.message} Next attempt in {wait:.0f} s.", hint=error.hint) from error

    def _check_refusals(self, name: str, host: _Host, visitor: Visitor) -> None:
        moment = self._clock()
        while host.refusals and host.refusals[0][0] <= moment - WINDOW:
            host.refusals.popleft()
        own = sum(person == visitor.person for _, person in host.refusals)
        if own >= REFUSALS_OF_ONE or (len(host.refusals) >= REFUSALS_OF_ALL and not visitor.known):
            raise CircuitOpen(
                f"{name} refused {len(host.refusals)} logins within {WINDOW / 60:.0f} minutes: no further logins are tried there "
                f"{'with your keys' if own >= REFUSALS_OF_ONE else 'with keys that it has not accepted before'} for a while.",
                hint="Computing centres ban addresses after repeated failed logins. Put the public key on the cluster, wait a few "
                "minutes, then press 'Test' on the cluster's page.",
            )
