"""Whose work is next: users in turn, each with few places at a time, so that fifty pieces of one delay no other. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Tasks that wait for a process, by user. Of several processes one user gets all but one: the last is for others."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.each = max(1, places - 1)
        self._waiting: OrderedDict[Hashable, deque[T]] = OrderedDict()
        """Users in the order in which they were last served."""
        self._running: Counter[Hashable] = Counter()

    def add(self, user: Hashable, item: T) -> None:
        """Let a piece of work of a user wait."""
        self._waiting.setdefault(user, deque()).append(item)

    def remove(self, user: Hashable, item: T) -> None:
        """The waiting caller gave up."""
        queue = self._waiting.get(user)
        if queue is not None and item in queue:
            queue.remove(item)
            if not queue:
                del self._waiting[user]

    def waiting(self, user: Hashable) -> int:
        """How many pieces of work of a user wait."""
        return len(self._waiting.get(user, ()))

    def take(self) -> tuple[Hashable, T] | None:
        """The next task and its user; None: no process is free, or no waiting user may have one."""
        if self._running.total() >= self.places:
            return None
        user = next((user for user in self._waiting if self._running[user] < self.each), None)
        if user is None:
            return None
        queue = self._waiting[user]
        item = queue.popleft()
        if queue:
            self._waiting.move_to_end(user)
        else:
            del self._waiting[user]
        self._running[user] += 1
        return user, item

    def done(self, user: Hashable) -> None:
        """A place is free again."""
        self._running[user] -= 1
        if self._running[user] <= 0:
            del self._running[user]
