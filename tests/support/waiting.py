"""Wait for what no event tells of: ask until it is so."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], what: str | Callable[[], str], seconds: float = 120.0, *, every: float = 0.05
) -> T:
    """Ask until the answer is true, and return it.

    Args:
        what: words for what is waited for, or what makes them once it is too late.
        seconds: how long to wait at most. every: seconds between two questions.

    Raises:
        TimeoutError: it did not come; in these words.
    """
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(_told(what, seconds))
        time.sleep(every)
    return answer


async def until(
    condition: Callable[[], T | Awaitable[T]],
    what: str | Callable[[], str] = "what was waited for",
    seconds: float = 120.0,
    *,
    every: float = 0.05,
) -> T:
    """`wait_until` in an event loop, which goes on with other work meanwhile. The condition may be a coroutine function."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        found: T = await answer if inspect.isawaitable(answer) else answer
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(_told(what, seconds))
        await asyncio.sleep(every)


async def until_answer(
    client: httpx.AsyncClient, path: str, ready: Callable[[dict[str, Any]], object], seconds: float = 120.0
) -> dict[str, Any]:
    """Ask a path of the REST API until its answer is what is waited for, and return that answer."""
    found: dict[str, Any] = {}

    async def there() -> object:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        found.clear()
        found.update(answer.json())
        return ready(found)

    await until(there, lambda: f"{path} is still {str(found)[:500]}", seconds)
    return found


def _told(what: str | Callable[[], str], seconds: float) -> str:
    return f"Not within {seconds:g} s: {what if isinstance(what, str) else what()}"
