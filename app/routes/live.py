"""The one stream of a page: small named events that say what changed. Fragments fetch themselves anew.

Bursts are drawn together: at most four times a second, each name once. After a break the browser sends Last-Event-ID and
gets what it missed, or `resync`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.domain.people.permissions import Actor
from app.domain.states import TERMINAL
from app.events.model import Event, Topic
from app.routes.deps import ContextDep, allowed, hold_stream
from app.services.context import Context

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(allowed("job.read"))]
GATHER = 0.25
LIFETIME = 600.0


def names_of(event: Event, job: str = "", run: str = "") -> set[str]:
    """The DOM events that an event makes on a page that watches `job`, the jobs of `run`, or none in particular."""
    if event.topic is Topic.RESYNC:
        return {"cd-jobs", "cd-job", "cd-end", "cd-clusters", "cd-batch", "cd-workflow", "cd-run"}
    if run:
        return {"cd-run"} if event.topic in (Topic.JOB, Topic.WORKFLOW) else set()
    if event.topic is Topic.CLUSTER:
        return {"cd-clusters"} | ({"cd-job"} if job else set())
    if event.topic in (Topic.BATCH, Topic.WORKFLOW):
        return set() if job else {f"cd-{event.topic}"}
    if not job:
        return {"cd-jobs"}
    if event.subject != job:
        return set()
    if event.topic is Topic.PROGRESS:
        return {"cd-progress"}
    return {"cd-job", "cd-end"} if event.data.get("state") in TERMINAL else {"cd-job"}


def names_of_all(events: Iterable[Event], job: str = "", run: str = "") -> list[str]:
    """The DOM events of a burst, each once. What a page fetches for `cd-job` holds what it would fetch for `cd-progress`."""
    names = set().union(*(names_of(event, job, run) for event in events))
    return sorted(names - {"cd-progress"} if "cd-job" in names else names)


@router.get("/live", response_class=EventSourceResponse, dependencies=[Depends(hold_stream)])
async def stream_page_events(
    request: Request, context: ContextDep, actor: Reader, since: int | None = None, job: str = "", run: str = ""
) -> AsyncIterator[ServerSentEvent]:
    """Named events for one page: a browser opens this stream and keeps it."""
    last = request.headers.get("last-event-id", "")
    start = int(last) if last.isdigit() else since
    async for batch in gathered(context, start):
        for name in names_of_all(batch, job, run):
            yield ServerSentEvent(raw_data="1", event=name, id=str(batch[-1].id))


async def gathered(context: Context, start: int | None, wait: float = GATHER) -> AsyncIterator[list[Event]]:
    """Batches of events until the service stops or the stream is ten minutes old; the browser then connects again."""
    stopping = asyncio.create_task(context.broker.stopping.wait())
    tasks: list[asyncio.Task[Any]] = [stopping]
    end = asyncio.get_running_loop().time() + LIFETIME
    try:
        async with context.broker.subscribe(start) as queue:
            while not stopping.done() and asyncio.get_running_loop().time() < end:
                getter = asyncio.create_task(queue.get())
                tasks.append(getter)
                await asyncio.wait({getter, stopping}, timeout=LIFETIME, return_when=asyncio.FIRST_COMPLETED)
                if not getter.done():
                    return
                tasks.remove(getter)
                batch = [getter.result()]
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await asyncio.shield(stopping)
                while not queue.empty():
                    batch.append(queue.get_nowait())
                yield batch
    finally:
        for task in tasks:
            task.cancel()


api_router = APIRouter(prefix="/api/v1", tags=["events"])


@api_router.get("/events", response_class=EventSourceResponse, dependencies=[Depends(hold_stream)])
async def events(request: Request, context: ContextDep, actor: Reader) -> AsyncIterator[ServerSentEvent]:
    """All changes as server-sent events: `job`, `progress`, `cluster`, `batch`, `workflow`, `resync`. Resumes by Last-Event-ID."""
    last = request.headers.get("last-event-id", "")
    async for batch in gathered(context, int(last) if last.isdigit() else None, wait=0.02):
        for event in batch:
            data = json.dumps({"id": event.subject, **event.data})
            yield ServerSentEvent(raw_data=data, event=str(event.topic), id=str(event.id))
