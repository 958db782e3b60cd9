"""Bands and densities of states of a job: from the files that it left, with names from its decks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from app.crystal.files import BAND_FILES, DOS_FILE, DOS_FILES, WAVEFUNCTION
from app.db.repositories import jobs, spectra
from app.db.repositories.spectra import JobSpectra
from app.db.tables import Job
from app.domain.drawing.bands import BandChart
from app.domain.people.permissions import Actor
from app.errors import NotFound
from app.library.spectral import Electronic, Filling, Source, as_json, as_table, draw_chart, read
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
    found = await _read(context, actor.user_id, own) if own else Electronic(job_id, job.name)
    return await _beside(context, actor, found, dos_of)


async def of_record(context: Context, actor: Actor, record: Record) -> Electronic | None:
    """The same for a job that was read already; None: it left none of both."""
    job_id = record.job.id
    if not _has_any(context, job_id, record.names):
        return None
    async with context.database.read() as session:
        own = _source(context, (await spectra.of_jobs(session, [job_id]))[job_id])
    try:
        return await _beside(context, actor, await _read(context, actor.user_id, own), "") if own else None
    except NotFound:
        return None


async def _beside(context: Context, actor: Actor, found: Electronic, dos_of: str) -> Electronic:
    """With the densities of another job, where one is named or this job left bands alone.

    Raises:
        NotFound: there is neither.
    """
    other: Source | None = None
    if dos_of and dos_of != found.job_id:
        other = (await sources_of(context, [await job_of(context, actor, dos_of)])).get(dos_of)
    elif not dos_of and found.bands is not None and found.dos is None:
        other = await _companion(context, found.job_id)
    if other is not None:
        beside = await _read(context, actor.user_id, other)
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


async def shown(context: Context, user: int, source: Source) -> Electronic | None:
    """What can be drawn of a job, if anything."""
    found = await _read(context, user, source)
    return found if found.bands is not None or found.dos is not None else None


async def _read(context: Context, user: int, source: Source) -> Electronic:
    return await context.workers.run(user, read, source, room=ROOM)


async def sources_of(context: Context, rows: Sequence[Job]) -> dict[str, Source]:
    """The files that bands and densities of jobs are read from, by job id, in the order of the jobs.

    Jobs that left none are absent. Two statements whatever their number, one where none left any.
    """
    async with context.database.read() as session:
        names = await jobs.file_names(session, [job.id for job in rows])
        leaving = [job.id for job in rows if _has_any(context, job.id, names.get(job.id, []))]
        stored = await spectra.of_jobs(session, leaving) if leaving else {}
    sources = ((job_id, _source(context, stored[job_id])) for job_id in leaving)
    return {job_id: source for job_id, source in sources if source is not None}


def _has_any(context: Context, job_id: str, names: Sequence[str]) -> bool:
    return any(first_of(context, job_id, names, wanted) is not None for wanted in (BAND_FILES, DOS_FILES))


def _source(context: Context, job: JobSpectra) -> Source | None:
    band_file = first_of(context, job.id, job.files, BAND_FILES)
    dos_file = first_of(context, job.id, job.files, DOS_FILES)
    if band_file is None and dos_file is None:
        return None
    deck = next((text for name, text in job.decks.items() if name.endswith(".d3")), "")
    fort25 = first_of(context, job.id, job.files, DOS_FILES[2:])
    return Source(job.id, job.name, deck, band_file, dos_file, fort25, _symbols(job.results), _filling(job.results))


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


def _filling(results: Sequence[Mapping[str, Any]]) -> Filling:
    """What the electrons fill: counts of the output that computed the bands, and what the last one says of the mesh."""
    conducting = next((state for one in reversed(results) if (state := one.get("conducting")) is not None), None)
    for one in results:
        numbers, contents = one.get("band_numbers"), one.get("contents") or {}
        if numbers:
            return Filling(contents.get("electrons"), contents.get("unpaired"), numbers[0], conducting)
    return Filling(conducting=conducting)


async def _companion(context: Context, job_id: str) -> Source | None:
    """Of another job that took along the same wave function and left a density of states."""
    async with context.database.read() as session:
        sibling = await spectra.of_sibling(session, job_id, WAVEFUNCTION, (DOS_FILE,))
    return _source(context, sibling) if sibling is not None else None
