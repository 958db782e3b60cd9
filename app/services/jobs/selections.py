"""Which jobs an action or a download takes. A slip of the pen must never take more of them than were meant."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.repositories import queue
from app.db.sessions import ReadSession
from app.domain.jobs import JobFilter
from app.domain.people.permissions import Actor, require
from app.errors import Conflict, FieldError, InvalidInput
from app.services.context import Context

MAX_JOBS = 10_000
"""Most jobs that one action takes."""


@dataclass(frozen=True)
class Selection:
    """Jobs by id, or all that match a filter.

    `expect` is how many there should be: where there are more or fewer, nothing is done.
    """

    ids: tuple[str, ...] = ()
    matching: JobFilter | None = None
    expect: int | None = None


def chosen(ids: tuple[str, ...], everything: bool, matching: JobFilter, expect: int | None = None) -> Selection:
    """What a request names: either ids, or `all` with a filter.

    Raises:
        InvalidInput: both, neither, or a filter that would mean nothing.
    """
    if ids and everything:
        raise InvalidInput(
            "Both all and ids of jobs were sent.",
            hint="Send one of them: all means every job that matches the filter.",
            fields=[FieldError("all", "cannot be combined with ids")],
        )
    if not ids and not everything:
        raise InvalidInput(
            "No job was named.",
            hint="Send ids, or all with a filter such as owner or state.",
            fields=[FieldError("ids", "must name at least one job")],
        )
    if ids and matching.narrows and not everything:
        raise InvalidInput(
            "A filter was sent together with ids of jobs; it would have no effect.",
            hint="Omit it, or use all.",
            fields=[FieldError("ids", "cannot be combined with a filter")],
        )
    return Selection(ids, matching if everything else None, expect)


async def selected(session: ReadSession, selection: Selection) -> list[tuple[str, str]]:
    """Ids and names, in the order of the queue.

    Raises:
        InvalidInput: all jobs of the service without a filter or a number, or too many. Conflict: not as many as expected.
    """
    matching = selection.matching
    if matching is not None and not matching.narrows and selection.expect is None:
        raise InvalidInput(
            "This would affect all jobs of the service.",
            hint="Add a filter such as owner, state or batch, or confirm their number with expect.",
            fields=[FieldError("all", "needs a filter, or expect with the number of jobs")],
        )
    if matching is not None:
        jobs = await queue.matching_ids_and_names(session, matching, MAX_JOBS + 1)
    else:
        jobs = await queue.ids_and_names(session, selection.ids[: MAX_JOBS + 1])
    if max(len(jobs), len(selection.ids)) > MAX_JOBS:
        raise InvalidInput(f"More than {MAX_JOBS} jobs were selected.", hint="Narrow the filter.")
    refuse_unexpected(len(jobs), selection.expect)
    return jobs


def refuse_unexpected(count: int, expect: int | None, what: str = "job") -> None:
    """Raise Conflict where there are not as many as somebody counted before."""
    if expect is not None and count != expect:
        raise Conflict(
            f"{count} {what}{'' if count == 1 else 's'} would be affected, not the expected {expect}; nothing was done.",
            hint="Check what matches now, and confirm the new number.",
            fields=[FieldError("expect", f"there are {count}", str(expect))],
        )


async def count(context: Context, actor: Actor, selection: Selection) -> int:
    """How many jobs an action would be tried on; also without a filter, since counting does nothing."""
    require(actor, "job.read")
    async with context.database.read() as session:
        if selection.matching is not None:
            return len(await queue.matching_ids_and_names(session, selection.matching, MAX_JOBS + 1))
        return len(await selected(session, selection))
