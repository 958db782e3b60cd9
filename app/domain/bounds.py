"""How much an expression may do: units of work, the size of values, the size of numbers. Pure.

Nothing in the language loops, so an expression costs what its operands are large; what has to be stopped is growth, where each
value is made of two of the value before. Every text and list that an expression makes is measured, and what it touches is
counted: the limits are reached after some milliseconds, whatever a user writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MAX_WORK = 200_000
"""Units that one expression may spend: one for each part of it, and one for each entry or 50 characters that a part touches."""
MAX_TEXT = 100_000
"""Characters of a text that an expression makes."""
MAX_ENTRIES = 50_000
"""Entries of a list or mapping that an expression makes, those of the lists in it included."""
MAX_CHARACTERS = 1_000_000
"""Characters of all texts in it together."""
MAX_BITS = 1024
"""Of a whole number: Python's have no end."""
MAX_DEPTH = 40
"""How deeply lists may be nested."""
CHARACTERS = 50
"""Characters of a text that count as one unit."""


class BoundError(ValueError):
    """A limit was reached: says which."""


class Allowance:
    """Units of work that are left."""

    def __init__(self, units: int = MAX_WORK) -> None:
        self.units = units
        self.left = units

    def spend(self, units: int) -> None:
        """Count `units` of work; raises BoundError once more than allowed were spent."""
        self.left -= units
        if self.left < 0:
            raise BoundError(f"takes more than {self.units:,} steps (the limit): simplify it")


_shared: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def together(units: int = 5 * MAX_WORK) -> Iterator[Allowance]:
    """All expressions that are evaluated inside share one allowance."""
    allowance = Allowance(units)
    token = _shared.set(allowance)
    try:
        yield allowance
    finally:
        _shared.reset(token)


def allowance() -> Allowance:
    """That of the surrounding `together`, else one of its own."""
    return _shared.get() or Allowance()


def touched(value: Any) -> int:
    """Units that looking at a value costs."""
    if isinstance(value, str):
        return 1 + len(value) // CHARACTERS
    return 1 + len(value) if isinstance(value, Sized) else 1


def measured(value: Any, allowance: Allowance | None = None) -> Any:
    """The value itself, where it is not too large.

    Raises:
        BoundError: names the limit.
    """
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise BoundError(f"makes a text of {len(value):,} characters; at most {MAX_TEXT:,} are allowed")
    elif isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise BoundError(f"makes an integer of more than {MAX_BITS} bits (the limit)")
    elif isinstance(value, (list, tuple, Mapping)):
        entries = _measure(value)
        if allowance is not None:
            allowance.spend(entries)
    return value


def _measure(value: Any) -> int:
    """Entries of lists in lists. A list that appears in another several times counts each time."""
    entries = characters = 0
    stack = [(value, 1)]
    while stack:
        container, depth = stack.pop()
        if isinstance(container, Mapping):
            characters += sum(len(key) for key in container if isinstance(key, str))
            container = container.values()
        entries += len(container)
        if entries > MAX_ENTRIES:
            raise BoundError(f"makes more than {MAX_ENTRIES:,} entries (the limit)")
        if depth > MAX_DEPTH:
            raise BoundError(f"nests lists more than {MAX_DEPTH} levels deep (the limit)")
        for entry in container:
            if isinstance(entry, str):
                characters += len(entry)
            elif isinstance(entry, (list, tuple, Mapping)):
                stack.append((entry, depth + 1))
        if characters > MAX_CHARACTERS:
            raise BoundError(f"makes texts of more than {MAX_CHARACTERS:,} characters in total (the limit)")
    return entries
