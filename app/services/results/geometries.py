"""Structures of a job for the viewer: the geometries that it went through, how its atoms vibrate, surfaces of a cube file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.crystal.elements import SYMBOLS
from app.crystal.outputs.reader import OutputReader
from app.crystal.properties.cubes import CubeError
from app.crystal.structures.bulk import StructureError, lattice_vectors
from app.domain.people.permissions import Actor
from app.errors import InvalidInput, NotFound
from app.library.cube_pictures import MAX_CUBE, picture_of
from app.library.kept import find
from app.services.context import Context
from app.services.jobs import views as jobs
from app.services.jobs.outputs import main_output

MAX_ATOMS = 2000
"""Atoms of one geometry that are drawn."""
_GHOST = "X"


async def trajectory(context: Context, actor: Actor, job_id: str) -> dict[str, Any]:
    """Geometries by point of the optimisation: cell vectors as rows and positions in Å; energies in hartree.

    Raises:
        NotFound: no such job, or no geometry yet.
    """
    output = await main_output(context, actor, job_id)
    found = await context.readings.ask(output.path, _trajectory)
    if not found["frames"]:
        raise NotFound(
            f"The output of job {job_id} contains no geometry yet.", hint="It appears once the job has started."
        )
    return {"job": job_id, **found}


def _trajectory(reader: OutputReader) -> dict[str, Any]:
    dimension = reader.results().dimensionality
    dimension = 3 if dimension is None else dimension
    energies = {(point.run, point.number): point.energy for point in reader.series.points}
    frames: list[dict[str, Any]] = []
    shifts: np.ndarray | None = None
    for frame in reader.series.frames:
        rows = _rows(frame.cell)
        printed = frame.atoms()[:MAX_ATOMS]
        positions = [value for atom in printed for value in atom[2:5]]
        if shifts is None or len(shifts) != len(printed):
            shifts = _into_cell(positions, dimension)
        atoms = _atoms([atom[0] for atom in printed], positions, rows, dimension, shifts)
        energy = energies.get((frame.run, frame.point))
        frames.append({"point": frame.point, "energy": energy, "lattice": rows.round(6).tolist(), "atoms": atoms})
    return {"dimension": dimension, "frames": frames}


async def as_xyz(context: Context, actor: Actor, job_id: str) -> str:
    """The trajectory as extended XYZ, which ASE and OVITO read."""
    found = await trajectory(context, actor, job_id)
    periodic = " ".join("T" if axis < found["dimension"] else "F" for axis in range(3))
    lines: list[str] = []
    for frame in found["frames"]:
        lattice = " ".join(f"{value:.8f}" for row in frame["lattice"] for value in row)
        energy = "" if frame["energy"] is None else f" energy_hartree={frame['energy']:.10f}"
        lines += [str(len(frame["atoms"])), f'Lattice="{lattice}" pbc="{periodic}" point={frame["point"]}{energy}']
        lines += [f"{symbol:2s} {x:.8f} {y:.8f} {z:.8f}" for symbol, x, y, z in frame["atoms"]]
    return "\n".join(lines) + "\n"


async def vibration(context: Context, actor: Actor, job_id: str, mode: int) -> dict[str, Any]:
    """The cell of the vibrations, and how far each atom moves in a mode: x y z in Å, scaled so that the farthest moves 1 Å.

    Raises:
        NotFound: no such job, or its output holds no such mode.
    """
    output = await main_output(context, actor, job_id)
    found = await context.readings.ask(output.path, lambda reader: _vibration(reader, mode))
    if found is None:
        raise NotFound(
            f"The output of job {job_id} does not show how atoms move in mode {mode}.", hint="See its list of modes."
        )
    return {"job": job_id, "mode": mode, **found}


def _vibration(reader: OutputReader, mode: int) -> dict[str, Any] | None:
    results, modes = reader.results(), reader.series.vibrations()
    cell = results.phonon_cell
    geometry = (cell.geometry if cell else None) or results.geometry
    if geometry is None or not 1 <= mode <= len(modes) or len(modes[mode - 1]) != 3 * len(geometry.atoms):
        return None
    vectors = np.array(modes[mode - 1]).reshape(-1, 3)
    farthest = float(np.linalg.norm(vectors, axis=1).max()) or 1.0
    # Displacements refer to the program's own Cartesian axes.
    rows = np.array(geometry.lattice) if geometry.lattice else _rows(geometry.primitive_cell)
    dimension = 3 if results.dimensionality is None else results.dimensionality
    positions = [value for atom in geometry.atoms for value in (atom.x, atom.y, atom.z)]
    return {
        "dimension": dimension, "lattice": rows.round(6).tolist(),
        "atoms": _atoms(
            [atom.number for atom in geometry.atoms], positions, rows, dimension, _into_cell(positions, dimension)
        ),
        "vectors": (vectors / farthest).round(4).tolist(),
    }  # fmt: skip


async def surface(context: Context, actor: Actor, job_id: str, name: str) -> tuple[str, float]:
    """A cube file, coarser where it is large, and the value that encloses most of what it shows.

    Raises:
        NotFound: no such file. InvalidInput: it is not a cube file, or too large.
    """
    file, row = await jobs.open_file(context, actor, job_id, name)
    file.close()
    kept = find(context.job_folder(job_id), row.name)
    if row.size > MAX_CUBE or kept is None:
        raise InvalidInput(f"{name} has {row.size >> 20} MiB.", hint=f"Files up to {MAX_CUBE >> 20} MiB are drawn.")
    try:
        return await context.workers.run(actor.user_id, picture_of, kept)
    except (CubeError, OSError) as error:
        raise InvalidInput(f"{name} cannot be drawn: {error}.", hint="Choose a file such as DENS_CUBE.DAT.") from error


def _rows(cell: Sequence[float] | None) -> np.ndarray:
    try:
        return lattice_vectors(cell) if cell else np.eye(3)
    except StructureError:
        return np.eye(3)


def _into_cell(positions: Sequence[float], dimension: int) -> np.ndarray:
    """Translations that bring each atom into the cell; of a trajectory the first geometry's, so that no atom jumps."""
    given = np.array(positions[: 3 * MAX_ATOMS]).reshape(-1, 3)
    shifts = -np.floor(given + 1e-6)
    shifts[:, dimension:] = 0.0
    return shifts


def _atoms(
    numbers: Sequence[int], positions: Sequence[float], rows: np.ndarray, dimension: int, shifts: np.ndarray
) -> list[list[Any]]:
    """Elements and Cartesian positions; along directions without translations they are in Å already."""
    given = np.array(positions[: 3 * MAX_ATOMS]).reshape(-1, 3) + shifts
    places = given[:, :dimension] @ rows[:dimension]
    places[:, dimension:] += given[:, dimension:]
    return [
        [SYMBOLS[z % 100] if 0 < z % 100 < len(SYMBOLS) else _GHOST, *(round(float(part), 5) for part in place)]
        for z, place in zip(numbers, places, strict=False)
    ]
