"""Long loops in the service's own process, with room for others in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")
EACH = 25
"""Rows between two pauses: making that many takes some milliseconds."""


async def with_pauses(items: Iterable[T], each: int = EACH) -> AsyncIterator[T]:
    """The items one after another; the event loop does what else there is in between."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % each == 0:
            await asyncio.sleep(0)
