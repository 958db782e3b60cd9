"""Which queued jobs go next: strict priorities, first come first served within one, or shared fairly between users.

Pure: what waits, what is there already and what the limits are goes in; an order and the reasons for waiting come out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """A queued job as far as the order is concerned."""

    @property
    def id(self) -> str:
        """Id of the job."""

    @property
    def owner_id(self) -> int:
        """Id of the user whose job it is."""

    @property
    def priority(self) -> int:
        """Rank of its priority; 0 is served first."""


J = TypeVar("J", bound=Waiting)


@dataclass(frozen=True)
class Limits:
    """What a cluster takes: jobs at a time, in total and per user (0: no separate limit), shared fairly or not."""

    jobs: int
    per_user: int = 0
    fair: bool = False


@dataclass(frozen=True)
class Choice(Generic[J]):
    """Jobs that go now, in their order, and owners who are at their own limit."""

    chosen: list[J] = field(default_factory=list)
    full: frozenset[int] = frozenset()


def choose(waiting: Sequence[J], there: Mapping[int, int], limits: Limits, room: int) -> Choice[J]:
    """The next jobs.

    Args:
        waiting: in the order of priority and place.
        there: jobs of each user that the cluster has already.
        room: how many may go now, for whatever reason; never more than the limit leaves.
    """
    room = min(room, limits.jobs - sum(there.values()))
    counts = Counter(there)
    full = {owner for owner, count in counts.items() if limits.per_user and count >= limits.per_user}
    chosen: list[J] = []
    for _, group in groupby(waiting, key=lambda job: job.priority):
        same = list(group)
        for job in _shared(same, counts) if limits.fair else same:
            if len(chosen) >= room:
                return Choice(chosen, frozenset(full))
            if job.owner_id in full:
                continue
            chosen.append(job)
            counts[job.owner_id] += 1
            if limits.per_user and counts[job.owner_id] >= limits.per_user:
                full.add(job.owner_id)
    return Choice(chosen, frozenset(full))


def _shared(waiting: Iterable[J], counts: Mapping[int, int]) -> Iterator[J]:
    """Jobs of one priority: always the first one of the user who has fewest; equal users in the order of the queue."""
    queues: dict[int, deque[J]] = {}
    for job in waiting:
        queues.setdefault(job.owner_id, deque()).append(job)
    turns: Counter[int] = Counter()
    begun = dict(counts)
    while queues:
        owner = min(queues, key=lambda user: begun.get(user, 0) + turns[user])
        yield queues[owner].popleft()
        turns[owner] += 1
        if not queues[owner]:
            del queues[owner]


@dataclass(frozen=True)
class Pace:
    """How fast jobs may be submitted: seconds between two, and how many in a minute (0: no limit)."""

    delay: float = 0.0
    per_minute: int = 0

    @property
    def limited(self) -> bool:
        """True where submissions to this cluster are slowed down."""
        return bool(self.delay or self.per_minute)


def allowance(pace: Pace, handed: Sequence[float], moment: float) -> int | None:
    """How many may be submitted at `moment`, given when earlier ones were (seconds, ascending); None: no limit.

    With a delay it is one at a time, so that two never leave closer together than the delay.
    """
    if not pace.limited:
        return None
    allowed = 1 if pace.delay else pace.per_minute
    if pace.delay and handed and moment - handed[-1] < pace.delay:
        return 0
    if pace.per_minute:
        recent = sum(1 for time in handed if moment - time < 60.0)
        allowed = min(allowed, pace.per_minute - recent)
    return max(allowed, 0)


@dataclass
class Budget:
    """Requests to one scheduler, as a token bucket that learns: a refusal halves the rate and asks for a pause.

    `rate` is in requests per second, None while no refusal has taught one. Times are seconds of one clock.
    """

    rate: float | None = None
    tokens: float = 0.0
    moment: float = 0.0
    refused_until: float = 0.0
    refusals: int = 0
    lately: deque[tuple[float, int]] = field(default_factory=deque)
    """When requests were made within the last minute, and how many."""

    def allowance(self, moment: float) -> int | None:
        """How many requests may be made now; None: as many as one likes."""
        if moment < self.refused_until:
            return 0
        if self.rate is None:
            return None
        self.tokens = min(self.tokens + (moment - self.moment) * self.rate, max(1.0, self.rate * BURST))
        self.moment = moment
        return int(self.tokens)

    def spend(self, moment: float, requests: int) -> None:
        """Requests were made, and none of them was refused: slowly go faster again."""
        self.lately.append((moment, requests))
        while self.lately and moment - self.lately[0][0] > 60:
            self.lately.popleft()
        if self.rate is not None:
            self.tokens -= requests
            self.rate += requests * FASTER
            if self.rate > FREE:
                self.rate = None
        self.refusals = 0

    def refuse(self, moment: float) -> float:
        """The scheduler limited our rate: half as fast from now on, after a pause. Returns the pause in seconds."""
        recent = sum(count for _, count in self.lately) / 60
        self.rate = max(SLOWEST, (self.rate if self.rate is not None else max(recent, 1.0)) / 2)
        pause = self.rest(moment)
        self.tokens, self.moment = 1.0, self.refused_until
        return pause

    def rest(self, moment: float) -> float:
        """Nothing was taken, and fewer requests would not help: a pause, longer each time in a row. Returns its seconds."""
        pause = min(LONGEST_PAUSE, 2.0 * float(2**self.refusals))
        self.refusals += 1
        self.refused_until = moment + pause
        return pause


BURST = 10.0
"""Seconds of the rate that may be saved up."""
FASTER = 0.02
"""Requests per second by which the rate grows with each request that was taken."""
FREE = 20.0
"""Requests per second from which on no limit is felt."""
SLOWEST = 1 / 30
LONGEST_PAUSE = 60.0
