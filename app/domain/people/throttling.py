"""How long a user waits after wrong passwords. Delays double, attempts are forgotten one by one, and no one is ever locked out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Allowance:
    """Tries that cost nothing, and the longest delay in seconds after further ones."""

    free: int
    longest: float


def delay_after(tries: int, allowance: Allowance) -> timedelta:
    """The wait after the try of this number: none within the free ones, then 1, 2, 4 … s."""
    over = tries - allowance.free
    if over < 0:
        return timedelta()
    return timedelta(seconds=min(2.0 ** min(over, 60), allowance.longest))


def until_after(tries: int, allowance: Allowance, at: datetime) -> datetime | None:
    """The moment before which nothing more is let through; None: the next try may come at once."""
    wait = delay_after(tries, allowance)
    return at + wait if wait else None


def remembered(tries: int, since: datetime, at: datetime, forget: timedelta) -> tuple[int, datetime]:
    """What is left of the tries counted at `since`, where one is forgotten in each `forget`; and the moment that it is left at."""
    gone = max(0, int((at - since) / forget))
    return (tries - gone, since + gone * forget) if gone < tries else (0, at)
