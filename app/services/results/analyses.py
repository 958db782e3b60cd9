"""Analyses by properties: maps in a plane, transport coefficients, powder patterns; drawn, and as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from app.crystal.files import FORT25_FILES, POPULATION_FILES, TRANSPORT_FILES
from app.crystal.outputs.reader import OutputReader
from app.db.repositories import spectra
from app.domain.drawing.charts import CurveChart, spectrum_chart
from app.domain.drawing.spectra import Spectrum
from app.domain.people.permissions import Actor
from app.errors import NotFound, WorkStopped
from app.library.analyses import (
    MapFigure,
    PopulationFigure,
    Source,
    TransportFigure,
    draw_analyses,
    map_as_csv,
    maps_as_json,
    populations_as_csv,
    populations_as_json,
    transport_as_json,
    transport_columns,
)
from app.library.kept import find
from app.services.context import Context
from app.services.jobs.outputs import Record, first_of, record_of

ROOM = 48 << 20
"""Bytes of the numbers of one job's maps or transport coefficients."""
Quantity = Literal["sigma", "seebeck", "kappa", "sigma_s"]
Populations = Literal["coop", "cohp"]
_PLACES = {"sigma": 0, "seebeck": 1, "kappa": 2, "sigma_s": 3}
PATTERN = ("2theta_deg", "intensity", "intensity_lp", "intensity_lp_dw")
"""Columns of a powder pattern: bare, with Lorentz and polarisation factors, with thermal motion too."""


@dataclass(frozen=True)
class Analyses:
    """What is drawn of a job's analyses."""

    maps: list[MapFigure] = field(default_factory=list)
    transport: list[TransportFigure] = field(default_factory=list)
    populations: list[PopulationFigure] = field(default_factory=list)
    pattern: CurveChart | None = None
    problems: list[str] = field(default_factory=list)


async def shown(context: Context, user: int, record: Record) -> Analyses | None:
    """Everything that is drawn of a job's analyses; None: it left none."""
    source = await _source(context, record)
    rows = await _pattern(context, record)
    if source.empty and not rows:
        return None
    chart = None
    if len(rows) > 1 and rows[-1][0] > rows[0][0]:
        spectrum = Spectrum([row[0] for row in rows], [row[2] for row in rows], [])
        chart = spectrum_chart(spectrum, "2θ / °", "intensity (Lorentz and polarisation) / a.u.")
    try:
        drawn = await context.workers.run(user, draw_analyses, source, room=ROOM)
    except WorkStopped as error:
        # One file that is too large must not take the other figures of the page away.
        return Analyses(pattern=chart, problems=[error.message])
    if not (drawn.maps or drawn.transport or drawn.populations or drawn.problems or chart):
        return None
    return Analyses(drawn.maps, drawn.transport, drawn.populations, chart, drawn.problems)


async def maps(context: Context, actor: Actor, job_id: str, number: int, form: str) -> bytes | str:
    """All maps of a job as JSON, or one of them as CSV.

    Raises:
        NotFound: no such job, or it left no such map.
    """
    source = await _source(context, await record_of(context, actor, job_id))
    if source.fort25 is None:
        raise NotFound(f"Job {job_id} has no maps here.", hint="They come from ECHG, POTM and CLAS.")
    try:
        if form == "csv":
            return await context.workers.run(actor.user_id, map_as_csv, source, number, room=ROOM)
        return await context.workers.run(actor.user_id, maps_as_json, source, room=ROOM)
    except IndexError as error:
        raise NotFound(f"Job {job_id} has no map {number}.", hint="Maps are counted from 1.") from error
    except (ValueError, OSError) as error:
        raise NotFound(
            f"Job {job_id} has no maps here ({error}).", hint="They come from ECHG, POTM and CLAS."
        ) from error


async def transport(context: Context, actor: Actor, job_id: str, quantity: Quantity, form: str) -> bytes | str:
    """A transport coefficient of a job.

    Raises:
        NotFound: no such job, or it left none.
    """
    record = await record_of(context, actor, job_id)
    path = first_of(context, job_id, record.names, TRANSPORT_FILES[_PLACES[quantity]])
    hint = "Transport coefficients come from BOLTZTRA."
    if path is None:
        raise NotFound(f"Job {job_id} has no {quantity} here.", hint=hint)
    try:
        work = transport_columns if form == "csv" else transport_as_json
        return await context.workers.run(actor.user_id, work, path, room=ROOM)
    except (ValueError, OSError) as error:
        raise NotFound(f"Job {job_id}: {path.name} cannot be read ({error}).", hint=hint) from error


async def populations(context: Context, actor: Actor, job_id: str, kind: Populations, form: str) -> bytes | str:
    """Overlap (COOP) or Hamilton populations (COHP) of a job.

    Raises:
        NotFound: no such job, or it left none.
    """
    record = await record_of(context, actor, job_id)
    path = first_of(context, job_id, record.names, POPULATION_FILES[("coop", "cohp").index(kind)])
    if path is None:
        raise NotFound(f"Job {job_id} has no {kind.upper()} here.", hint=f"It comes from {kind.upper()}.")
    work = populations_as_csv if form == "csv" else populations_as_json
    try:
        return await context.workers.run(actor.user_id, work, path, room=ROOM)
    except (ValueError, OSError) as error:
        raise NotFound(f"Job {job_id}: {path.name} cannot be read ({error}).", hint="See its files.") from error


async def pattern(context: Context, actor: Actor, job_id: str) -> dict[str, list[float]]:
    """The powder pattern of a job by column: 2θ in degrees, and intensities.

    Raises:
        NotFound: no such job, or it has none.
    """
    rows = await _pattern(context, await record_of(context, actor, job_id))
    if not rows:
        raise NotFound(f"Job {job_id} has no powder pattern.", hint="It comes from XRDSPEC.")
    return {name: [row[place] for row in rows] for place, name in enumerate(PATTERN)}


async def _source(context: Context, record: Record) -> Source:
    names, job_id = record.names, record.job.id
    found = [first_of(context, job_id, names, pair) for pair in (*TRANSPORT_FILES, *POPULATION_FILES)]
    count = len(TRANSPORT_FILES)
    source = Source(
        first_of(context, job_id, names, FORT25_FILES), tuple(path for path in found[:count] if path),
        populations=tuple(path for path in found[count:] if path),
    )  # fmt: skip
    if source.fort25 is None:
        return source
    async with context.database.read() as session:
        stored = (await spectra.of_jobs(session, [job_id]))[job_id]
    deck = next((text for name, text in stored.decks.items() if name.endswith(".d3")), "")
    return replace(source, deck=deck)


async def _pattern(context: Context, record: Record) -> list[tuple[float, float, float, float]]:
    row = next((row for row in record.results if row.results.get("diffraction")), None)
    kept = find(context.job_folder(record.job.id), row.output, ("files", "live")) if row else None
    if kept is None:
        return []

    def rows(reader: OutputReader) -> list[tuple[float, float, float, float]]:
        return list(reader.series.diffraction)

    try:
        return await context.readings.ask(kept.folder / kept.name, rows)
    except OSError:
        return []
