"""Structures from files: CIF, POSCAR, extended XYZ, fort.34 and CRYSTAL outputs become a crystal in CRYSTAL's own setting.

ASE reads the foreign formats; spglib finds the symmetry, within a tolerance that the user sees. Files come from anywhere:
they are limited in size and in atoms, and what is wrong with one is said in words.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import spglib
import spglib.error

from app.crystal.elements import SYMBOLS
from app.crystal.output import read_output
from app.crystal.records import Cursor, RecordError, number_of
from app.crystal.structures import (
    TOLERANCE,
    Bulk,
    Matrix,
    StructureError,
    lattice_vectors,
    number,
    operations_of,
    setting_of,
)

if TYPE_CHECKING:
    from ase import Atoms

# ASE is imported where a file is read, in a process of its own: the service starts without it.

MAX_BYTES = 4_000_000
MAX_ATOMS = 2000
DEFAULT_TOLERANCE = 1e-3
"""Å within which atoms count as equivalent."""
FORMATS = {"cif": "CIF", "vasp": "POSCAR", "extxyz": "extended XYZ", "crystal": "fort.34", "output": "CRYSTAL output"}
_UNSAFE_ATOMS = re.compile(r"[^A-Za-z0-9 ._+/()-]")


@dataclass(frozen=True)
class Imported:
    """A crystal in the standard setting, and how it came to be."""

    bulk: Bulk
    title: str
    format: str
    symbol: str
    tolerance: float
    atoms_in_file: int
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, object]:
        """Values of the fields of a bulk template."""
        bulk = self.bulk
        names = ("a", "b", "c", "alpha", "beta", "gamma")
        rows = zip(bulk.numbers, bulk.positions, strict=True)
        return {
            "title": self.title, "space_group": bulk.space_group, "rhombohedral": False, "origin": "standard",
            **{name: float(number(value)) for name, value in zip(names, bulk.cell, strict=True)},
            "atoms": [[SYMBOLS[z], *(float(number(part)) for part in xyz)] for z, xyz in rows],
        }  # fmt: skip


def guess_format(name: str, text: str) -> str:
    """The format of a file, by its name first and then by what stands in it."""
    lower = name.lower().rpartition("/")[2]
    head = text[:20000]
    if lower.endswith((".cif", ".mcif")) or re.search(r"^\s*_cell_length_a\b", text, re.MULTILINE):
        return "cif"
    if lower.endswith((".xyz", ".extxyz")):
        return "extxyz"
    if lower.endswith((".out", ".outp")) or "EEEEEEEEEE STARTING" in head:
        return "output"
    if lower.endswith(".gui") or lower.startswith("fort.34") or re.match(r"\s*[0-3]\s+[0-9]\s+[0-9]", head):
        return "crystal"
    if lower.startswith(("poscar", "contcar")) or lower.endswith((".vasp", ".poscar")):
        return "vasp"
    lines = [line.split() for line in text.splitlines()[:8]]
    if len(lines) >= 8 and len(lines[1]) == 1 and all(len(line) == 3 for line in lines[2:5]):
        return "vasp"
    raise StructureError(
        "file",
        f"{name[:60]!r} is in no format known here: {', '.join(FORMATS.values())}; rename it with its usual ending",
    )


def read_structure(data: bytes, name: str, tolerance: float = DEFAULT_TOLERANCE, file_format: str = "") -> Imported:
    """The crystal in a file.

    Args:
        tolerance: Å within which atoms count as equivalent, 1e-6 to 0.5.

    Raises:
        StructureError: names the field at fault, and why.
    """
    if len(data) > MAX_BYTES:
        raise StructureError("file", f"is larger than {MAX_BYTES // 1_000_000} MB")
    if not math.isfinite(tolerance) or not 1e-6 <= tolerance <= 0.5:
        raise StructureError("tolerance", "must be between 0.000001 and 0.5 Å")
    text = data.decode("utf-8", "replace")
    if not text.strip():
        raise StructureError("file", "is empty")
    kind = file_format or guess_format(name, text)
    if kind == "output":
        lattice, numbers, positions = _from_output(data)
        notes: list[str] = []
    elif kind == "crystal":
        lattice, numbers, positions = _from_fort34(text)
        notes = []
    else:
        atoms, notes = _by_ase(text, kind)
        if not all(atoms.pbc):
            raise StructureError(
                "file", "holds no cell in three directions; templates for slabs and molecules are not there yet"
            )
        lattice, numbers = np.array(atoms.cell), [int(z) for z in atoms.numbers]
        positions = np.array(atoms.get_scaled_positions())  # type: ignore[no-untyped-call]
    bulk, symbol = standardise(lattice, numbers, positions, tolerance)
    bulk.check()
    title = _title(name, numbers, symbol)
    return Imported(bulk, title, FORMATS[kind], symbol, tolerance, len(numbers), tuple(notes))


def _by_ase(text: str, kind: str) -> tuple[Atoms, list[str]]:
    import ase.io
    from ase import Atoms

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            atoms = ase.io.read(io.StringIO(text), format=kind, index=0 if kind == "cif" else -1)
        except Exception as error:
            # ASE's readers raise whatever a malformed file makes them stumble over.
            told_by = str(error).split("\n")[0][:150]
            reason = told_by if " " in told_by else "it does not have the form of one"
            raise StructureError("file", f"cannot be read as {FORMATS[kind]}: {reason}") from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise StructureError("file", f"holds no atoms that could be read as {FORMATS[kind]}")
    if len(atoms) > MAX_ATOMS:
        raise StructureError("file", f"holds {len(atoms)} atoms; at most {MAX_ATOMS} are possible")
    for site in (atoms.info.get("occupancy") or {}).values():
        if any(abs(share - 1) > 1e-3 for share in site.values()) or len(site) > 1:
            raise StructureError("file", f"has a partly occupied site ({_share(site)}); make an ordered model first")
    return atoms, sorted({str(warning.message).split("\n")[0][:200] for warning in told})


def _share(site: dict[str, float]) -> str:
    return ", ".join(f"{element} {share:g}" for element, share in site.items())


def _from_fort34(text: str) -> tuple[Matrix, list[int], Matrix]:
    """Dimension; three vectors; operators of four lines each; atoms, in Cartesian Å. The symmetry is found anew."""
    cursor = Cursor.of(text)
    try:
        dimension, _, _ = (int(part) for part in cursor.numbers(3, "dimension, centring, crystal type", integer=True))
        if dimension != 3:
            raise StructureError(
                "file", "is not of a bulk crystal; templates for slabs and molecules are not there yet"
            )
        lattice = np.array([[number_of(part) for part in cursor.numbers(3, "a lattice vector")] for _ in range(3)])
        [operators] = cursor.numbers(1, "number of operators", integer=True)
        for _ in range(4 * min(max(int(operators), 0), 192)):
            cursor.numbers(3, "a row of an operator")
        [count] = cursor.numbers(1, "number of atoms", integer=True)
        if not 1 <= int(count) <= MAX_ATOMS:
            raise StructureError("file", f"holds {count} atoms; 1 to {MAX_ATOMS} are possible")
        rows = [[number_of(part) for part in cursor.numbers(4, "an atom: Z x y z")] for _ in range(int(count))]
    except RecordError as error:
        raise StructureError("file", f"cannot be read as fort.34: line {error.line}: {error}") from error
    numbers = [int(row[0]) % 100 for row in rows]
    _refuse_impossible(lattice, numbers, np.array([row[1:] for row in rows]))
    return lattice, numbers, np.array([row[1:] for row in rows]) @ np.linalg.inv(lattice)


def _from_output(data: bytes) -> tuple[Matrix, list[int], Matrix]:
    """The last geometry of a CRYSTAL output: primitive cell and fractional coordinates."""
    results = read_output(data)
    geometry = results.geometry
    if results.dimensionality not in (None, 3):
        raise StructureError("file", "is not of a bulk crystal; templates for slabs and molecules are not there yet")
    if geometry is None or geometry.primitive_cell is None or not geometry.atoms:
        raise StructureError("file", "holds no geometry")
    positions = np.array([[atom.x, atom.y, atom.z] for atom in geometry.atoms])
    return lattice_vectors(geometry.primitive_cell), [atom.number % 100 for atom in geometry.atoms], positions


def _refuse_impossible(lattice: Matrix, numbers: list[int], positions: Matrix) -> None:
    """What is no crystal must not reach spglib, which does not check."""
    if not (np.isfinite(lattice).all() and np.isfinite(positions).all()):
        raise StructureError("file", "holds numbers that are not finite")
    lengths = np.linalg.norm(lattice, axis=1)
    if lengths.min() < 0.5 or lengths.max() > 1000:
        raise StructureError("file", f"has a cell vector of {lengths.min():g} to {lengths.max():g} Å")
    if abs(np.linalg.det(lattice)) < 1e-3 * lengths.prod():
        raise StructureError("file", "has a flat cell")
    if np.abs(positions).max() > 1e4:
        raise StructureError("file", "has atoms far outside the cell")
    if not all(1 <= z < len(SYMBOLS) for z in numbers):
        raise StructureError("file", "names an element that does not exist")


def standardise(lattice: Matrix, numbers: list[int], positions: Matrix, tolerance: float) -> tuple[Bulk, str]:
    """Space group, conventional cell and asymmetric unit in the setting that CRYSTAL reads as `0 0 0`."""
    _refuse_impossible(lattice, numbers, positions)
    cell = (lattice.tolist(), positions.tolist(), numbers)
    try:
        first = spglib.get_symmetry_dataset(cell, symprec=tolerance)
        assert first is not None
        group = int(first.number)
        dataset = spglib.get_symmetry_dataset(cell, symprec=tolerance, hall_number=setting_of(group))
        assert dataset is not None
    except (spglib.error.SpglibError, AssertionError) as error:
        raise StructureError(
            "tolerance", f"of {tolerance:g} Å finds no consistent symmetry; try a smaller one (atoms may also coincide)"
        ) from error
    parameters = _parameters(np.array(dataset.std_lattice))
    rotations, translations, _ = operations_of(group)
    places, kinds = np.array(dataset.std_positions), [int(z) for z in dataset.std_types]
    chosen = _asymmetric_unit(places, kinds, rotations, translations, np.array(dataset.std_lattice), tolerance)
    bulk = Bulk(
        group,
        parameters,
        tuple(kinds[index] for index in chosen),
        tuple((_tidy(x), _tidy(y), _tidy(z)) for x, y, z in places[chosen].tolist()),
    )
    return bulk, str(dataset.international)


def _asymmetric_unit(
    places: Matrix, kinds: list[int], rotations: Matrix, translations: Matrix, lattice: Matrix, tolerance: float
) -> list[int]:
    """One atom of each orbit."""
    left = np.ones(len(places), dtype=bool)
    chosen = []
    reach = max(tolerance, TOLERANCE)
    for index in range(len(places)):
        if not left[index]:
            continue
        chosen.append(index)
        images = rotations @ places[index] + translations
        same = np.array([kind == kinds[index] for kind in kinds]) & left
        candidates = np.flatnonzero(same)
        apart = places[candidates][:, None, :] - images[None, :, :]
        distances = np.linalg.norm((apart - np.round(apart)) @ lattice, axis=2).min(axis=1)
        left[candidates[distances < 10 * reach]] = False
        left[index] = False
    return chosen


def _parameters(lattice: Matrix) -> tuple[float, ...]:
    lengths = np.linalg.norm(lattice, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    angles = [np.degrees(np.arccos(lattice[i] @ lattice[j] / lengths[i] / lengths[j])) for i, j in pairs]
    return (*(round(float(value), 8) for value in lengths), *(round(float(value), 8) for value in angles))


def _tidy(value: float) -> float:
    """A fraction in [0, 1) with ten digits; simple ones exactly."""
    wrapped = value - math.floor(value)
    for parts in (2, 3, 4, 6, 8, 12):
        if abs(wrapped * parts - round(wrapped * parts)) < 1e-8 * parts:
            wrapped = round(wrapped * parts) / parts
    return 0.0 if wrapped >= 1 - 1e-10 else round(wrapped, 10)


def _title(name: str, numbers: list[int], symbol: str) -> str:
    """Formula and space group; the file's name where it says more."""
    from ase.formula import Formula

    formula = Formula.from_list([SYMBOLS[z] for z in numbers]).reduce()[0].format("metal")
    stem = _UNSAFE_ATOMS.sub(" ", name.rpartition("/")[2].rpartition(".")[0])[:40].strip()
    return f"{formula} {symbol.replace(' ', '')}{f' {stem}' if stem else ''}"[:80]
