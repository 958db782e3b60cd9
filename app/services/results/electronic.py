"""Bands and densities of states of a job: from the files that it left, with names from its decks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from app.crystal.files import BAND_FILES, DOS_FILE, DOS_FILES, WAVEFUNCTION
from app.db.repositories import jobs, library
from app.db.tables import Job
from app.domain.drawing.bands import BandChart
from app.domain.people.permissions import Actor
from app.errors import NotFound
from app.library.spectral import Electronic, Source, as_json, as_table, draw_chart, read
from app.services.context import Context
from app.services.jobs.outputs import Record, first_of, job_of

ROOM = 48 << 20
"""Bytes of the numbers of one job: arrays and texts, which are read at once, however many they are."""
Kind = Literal["bands", "dos"]


async def electronic(context: Context, actor: Actor, job_id: str, *, dos_of: str = "") -> Electronic:
    """Bands and densities of states of a job; the latter of job `dos_of`, or of one on the same wave function.

    Raises:
        NotFound: no such job, or it left none of both.
    """
    job = await job_of(context, actor, job_id)
    own = (await sources_of(context, [job])).get(job_id)
    found = await _read(context, actor.user_id, job, own)
    return await _beside(context, actor, found, dos_of)


async def of_record(context: Context, actor: Actor, record: Record) -> Electronic | None:
    """The same for a job that was read already; None: it left none of both."""
    job = record.job
    if not _has_any(context, job.id, record.names):
        return None
    async with context.database.read() as session:
        decks, results = (await jobs.decks_and_results(session, [job.id]))[job.id]
    own = _source(context, job, record.names, results, decks)
    try:
        return await _beside(context, actor, await _read(context, actor.user_id, job, own), "")
    except NotFound:
        return None


async def _beside(context: Context, actor: Actor, found: Electronic, dos_of: str) -> Electronic:
    """With the densities of another job, where one is named or this job left bands alone.

    Raises:
        NotFound: there is neither.
    """
    other = dos_of
    if not other and found.bands is not None and found.dos is None:
        other = await _companion(context, found.job_id)
    if other and other != found.job_id:
        job = await job_of(context, actor, other)
        beside = await _read(context, actor.user_id, job, (await sources_of(context, [job])).get(other))
        if beside.dos is not None:
            found = replace(
                found,
                dos=beside.dos,
                names=beside.names,
                dos_job=beside.job_id,
                problems=found.problems + beside.problems,
            )
    if found.bands is None and found.dos is None:
        why = f" ({'; '.join(found.problems)})" if found.problems else ""
        raise NotFound(f"Job {found.job_id} left no bands and no density of states here{why}.", hint="See its files.")
    return found


async def shown(context: Context, user: int, job: Job, source: Source) -> Electronic | None:
    """What can be drawn of a job, if anything."""
    found = await _read(context, user, job, source)
    return found if found.bands is not None or found.dos is not None else None


async def _read(context: Context, user: int, job: Job, source: Source | None) -> Electronic:
    if source is None:
        return Electronic(job.id, job.name)
    return await context.workers.run(user, read, source, room=ROOM)


async def sources_of(context: Context, rows: Sequence[Job]) -> dict[str, Source]:
    """The files that bands and densities of jobs are read from, by job id, in the order of the jobs.

    Jobs that left none are absent. Two statements whatever their number, one where none left any.
    """
    async with context.database.read() as session:
        names = await jobs.file_names(session, [job.id for job in rows])
        leaving = [job for job in rows if _has_any(context, job.id, names.get(job.id, []))]
        if not leaving:
            return {}
        stored = await jobs.decks_and_results(session, [job.id for job in leaving])
    found = {}
    for job in leaving:
        decks, results = stored[job.id]
        if (source := _source(context, job, names[job.id], results, decks)) is not None:
            found[job.id] = source
    return found


def _has_any(context: Context, job_id: str, names: Sequence[str]) -> bool:
    return any(first_of(context, job_id, names, wanted) is not None for wanted in (BAND_FILES, DOS_FILES))


def _source(
    context: Context, job: Job, names: Sequence[str], results: Sequence[Mapping[str, Any]], decks: Mapping[str, str]
) -> Source | None:
    band_file = first_of(context, job.id, names, BAND_FILES)
    dos_file = first_of(context, job.id, names, DOS_FILES)
    if band_file is None and dos_file is None:
        return None
    deck = next((text for name, text in decks.items() if name.endswith(".d3")), "")
    fort25 = first_of(context, job.id, names, DOS_FILES[2:])
    return Source(job.id, job.name, deck, band_file, dos_file, fort25, _symbols(results))


async def chart(
    context: Context, user: int, found: Electronic, window: tuple[float, float] | None = None
) -> BandChart | None:
    """The picture of what was read."""
    return await context.workers.run(user, draw_chart, found, window)


async def numbers(context: Context, user: int, found: Electronic, kind: Kind, form: str) -> str | bytes:
    """All numbers of bands or densities, as JSON or CSV: megabytes, which are written out where nobody waits."""
    if form == "csv":
        return await context.workers.run(user, as_table, found, kind, room=ROOM)
    return await context.workers.run(user, as_json, found, room=ROOM)


def _symbols(results: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Elements of the atoms by their number, from the first results that hold a geometry."""
    for one in results:
        atoms = (one.get("geometry") or {}).get("atoms") or []
        if atoms:
            return {place: atom["symbol"] for place, atom in enumerate(atoms, 1)}
    return {}


async def _companion(context: Context, job_id: str) -> str:
    """Another job that took along the same wave function and left a density of states; empty: none."""
    async with context.database.read() as session:
        return await library.sibling_with_file(session, job_id, WAVEFUNCTION, (DOS_FILE,))
