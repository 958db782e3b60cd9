"""Vibrations of a job: modes with their intensities, spectra, phonon branches, and how the atoms move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from app.crystal.files import PHONON_DOS_FILES
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.series import PhononPoint
from app.crystal.properties.dos import DosError
from app.crystal.structures.bulk import StructureError, lattice_vectors
from app.db.repositories import jobs
from app.db.tables import Job
from app.domain.drawing.bands import BandChart, electronic_chart
from app.domain.drawing.charts import CurveChart, spectrum_chart
from app.domain.drawing.spectra import Shape, Spectrum, broadened
from app.domain.people.permissions import Actor
from app.errors import FieldError, InvalidInput, NotFound
from app.library.phonon_dos import PhononDosPicture, read_picture
from app.services.context import Context
from app.services.jobs.outputs import first_of, job_of, main_output, output_of, record_of

Kind = Literal["ir", "raman"]
WIDTH = 8.0
"""cm⁻¹ of full width at half maximum, as CRYSTAL's own IRSPEC takes where nothing is said."""
WIDTHS = (0.1, 200.0)
ROOM = 48 << 20
"""Bytes of the numbers of a density of states."""
_TURN = 1e-3
_JUMP = 3.0


@dataclass(frozen=True)
class Vibrations:
    """What the page shows of frequencies: the modes as results have them, spectra and branches that can be drawn."""

    job: Job
    modes: list[dict[str, Any]]
    spectra: list[tuple[Kind, Spectrum, CurveChart]]
    branches: BandChart | None
    dos: PhononDosPicture | None
    problem: str
    """Why a density of phonon states that the job left cannot be shown."""
    width: float
    shape: Shape
    animated: bool
    """The output holds how the atoms move."""


async def modes_of(context: Context, actor: Actor, job_id: str) -> list[dict[str, Any]]:
    """The modes at Γ of a job.

    Raises:
        NotFound: no such job, or it computed none.
    """
    await job_of(context, actor, job_id)
    async with context.database.read() as session:
        rows = await jobs.results(session, job_id)
    found = next((row.results["modes"] for row in rows if row.results.get("modes")), None)
    if not found:
        raise NotFound(f"Job {job_id} has no frequencies.", hint="They come from a job with FREQCALC.")
    return list(found)


def mode_columns(modes: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """Modes by column; Raman intensities of a single crystal take one for each direction."""
    columns: dict[str, Sequence[Any]] = {
        key: [mode.get(key) for mode in modes] for key in modes[0] if key != "raman_crystal"
    }
    if any(mode.get("raman_crystal") for mode in modes):
        for place, axes in enumerate(("xx", "xy", "xz", "yy", "yz", "zz")):
            columns[f"raman_{axes}"] = [(mode.get("raman_crystal") or [None] * 6)[place] for mode in modes]
    return columns


async def spectrum(
    context: Context, actor: Actor, job_id: str, kind: Kind, width: float = WIDTH, shape: Shape = "lorentzian",
    limits: tuple[float, float] | None = None,
) -> Spectrum:  # fmt: skip
    """An infrared or Raman spectrum.

    Raises:
        NotFound: no frequencies, or none with intensities of this kind. InvalidInput: the width.
    """
    lines = _lines(await modes_of(context, actor, job_id), kind)
    if not lines:
        hint = "Use INTENS for infrared and INTRAMAN for Raman intensities."
        raise NotFound(f"Job {job_id} has no {kind.upper()} intensities.", hint=hint)
    return broadened(lines, checked_width(width), shape, limits)


def checked_width(width: float) -> float:
    """
    Raises:
        InvalidInput
    """
    low, high = WIDTHS
    if not low <= width <= high:
        raise InvalidInput(
            f"A width of {width:g} cm⁻¹ cannot be drawn.", hint=f"Enter {low:g} to {high:g}.",
            fields=[FieldError("width", f"must be {low:g} to {high:g} cm⁻¹", str(width))],
        )  # fmt: skip
    return width


def _lines(modes: Sequence[Mapping[str, Any]], kind: Kind) -> list[tuple[float, float]]:
    """Wavenumber and intensity of each set of degenerate modes."""
    name = "ir_intensity" if kind == "ir" else "raman_intensity"
    return [(mode["frequency_cm1"], mode[name]) for mode in modes if mode.get(name)]


async def shown(
    context: Context, user: int, job: Job, names: Sequence[str], modes: Sequence[dict[str, Any]], width: float, shape: Shape
) -> Vibrations | None:  # fmt: skip
    """Everything that is drawn of a job's vibrations; `names` are its files."""
    output = output_of(context, job)
    branches, animated = None, False
    if output is not None:
        branches, animated = await context.readings.ask(
            output.path, lambda reader: (_branches(reader), bool(reader.series.vector_rows))
        )
    dos, problem = await _phonon_dos(context, user, first_of(context, job.id, names, PHONON_DOS_FILES))
    if not modes and branches is None and dos is None and not problem:
        return None
    spectra: list[tuple[Kind, Spectrum, CurveChart]] = []
    kinds: tuple[tuple[Kind, str], ...] = (("ir", "IR intensity / (km/mol)/cm⁻¹"), ("raman", "Raman intensity / a.u."))
    for kind, label in kinds:
        if lines := _lines(modes, kind):
            found = broadened(lines, width, shape)
            spectra.append((kind, found, spectrum_chart(found, "wavenumber / cm⁻¹", label)))
    return Vibrations(job, list(modes), spectra, branches, dos, problem, width, shape, animated)


# -- phonon branches ---------------------------------------------------------------------------------------------------------


def _branches(reader: OutputReader) -> BandChart | None:
    """Branches along the path, in cm⁻¹."""
    path = phonon_path(reader.series.phonons, _reciprocal(reader), reader.series.phonon_shrink)
    if path is None:
        return None
    distances, branches, nodes = path
    flat = [value for branch in branches for value in branch]
    margin = 0.04 * (max(flat) - min(flat)) or 1.0
    return electronic_chart(distances, [branches], nodes, window=(min(min(flat), 0.0) - margin, max(flat) + margin))


def phonon_path(
    phonons: Sequence[PhononPoint], reciprocal: np.ndarray, shrink: Sequence[int] = ()
) -> tuple[list[float], list[list[float]], list[tuple[float, str]]] | None:
    """Distances along the path (its unit is that of `reciprocal` over the shrinking factor), branches, and nodes with names.

    A node is where the path turns or jumps; Γ bears its name, other points their fractions of the reciprocal vectors.
    """
    whole = [point for point in phonons if point.frequencies and len(point.frequencies) == len(phonons[0].frequencies)]
    if len(whole) < 3:
        return None
    places = np.array([point.coordinates for point in whole], dtype=float) @ reciprocal[: len(whole[0].coordinates)]
    steps = np.diff(places, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    if not (lengths > _TURN).any():
        return None
    distances, nodes = [0.0], [(0.0, _name(whole[0], shrink))]
    for place, length in enumerate(lengths):
        # A step much longer than both of its neighbours leads to where the next line begins.
        beside = np.concatenate([lengths[max(0, place - 1) : place], lengths[place + 1 : place + 2]])
        jump = bool(length > _JUMP * beside.max())
        if place and distances[-1] > nodes[-1][0] and (jump or _turns(steps[place - 1], steps[place])):
            name = _name(whole[place], shrink) + (f"|{_name(whole[place + 1], shrink)}" if jump else "")
            nodes.append((distances[-1], name))
        distances.append(distances[-1] + (0.0 if jump else float(length)))
    if distances[-1] > nodes[-1][0]:
        nodes.append((distances[-1], _name(whole[-1], shrink)))
    branches = [[point.frequencies[branch] for point in whole] for branch in range(len(whole[0].frequencies))]
    return distances, branches, nodes


def _turns(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether the second step leads elsewhere than the first; a line repeats the point where the one before ended."""
    product = float(np.linalg.norm(before) * np.linalg.norm(after))
    return product < _TURN**2 or float(before @ after) / product < 1 - _TURN


def _name(point: PhononPoint, shrink: Sequence[int]) -> str:
    if not any(point.coordinates):
        return "Γ"
    if not shrink:
        return "({})".format(" ".join(map(str, point.coordinates)))
    return "({})".format(
        " ".join(str(Fraction(part, whole)) for part, whole in zip(point.coordinates, shrink, strict=False))
    )


def _reciprocal(reader: OutputReader) -> np.ndarray:
    """Reciprocal vectors as rows, of the cell that the phonons belong to: k points count in them."""
    results = reader.results()
    cell = results.phonon_cell
    geometry = (cell.geometry if cell else None) or results.geometry
    try:
        rows = lattice_vectors(geometry.primitive_cell) if geometry and geometry.primitive_cell else np.eye(3)
        return np.array(np.linalg.inv(rows).T)
    except (StructureError, np.linalg.LinAlgError):
        return np.eye(3)


async def _phonon_dos(context: Context, user: int, path: Path | None) -> tuple[PhononDosPicture | None, str]:
    if path is None:
        return None, ""
    try:
        return await context.workers.run(user, read_picture, path, room=ROOM), ""
    except (DosError, OSError) as error:
        return None, f"{path.name}: {error}"


async def phonon_dos(context: Context, actor: Actor, job_id: str) -> PhononDosPicture:
    """The density of phonon states that a job left.

    Raises:
        NotFound: no such job, or no such file, or it cannot be read.
    """
    record = await record_of(context, actor, job_id)
    path = first_of(context, job_id, record.names, PHONON_DOS_FILES)
    found, problem = await _phonon_dos(context, actor.user_id, path)
    if found is None:
        hint = "It comes from FREQCALC with DISPERSI and PDOS."
        raise NotFound(f"Job {job_id} has no density of phonon states{f' ({problem})' if problem else ''}.", hint=hint)
    return found


async def dispersion(context: Context, actor: Actor, job_id: str) -> dict[str, Any]:
    """Phonon branches of a job: k points in units of the reciprocal vectors over the shrinking factor, frequencies in cm⁻¹.

    Raises:
        NotFound: no such job, or no branches.
    """
    output = await main_output(context, actor, job_id)
    points = await context.readings.ask(
        output.path,
        lambda reader: [
            {
                "k": point.coordinates,
                "shrink": reader.series.phonon_shrink or None,
                "weight": point.weight,
                "frequencies_cm1": list(point.frequencies),
            }
            for point in reader.series.phonons
        ],
    )
    if not points:
        raise NotFound(f"Job {job_id} has no phonon branches.", hint="They come from FREQCALC with DISPERSI.")
    return {"job": job_id, "points": points}
