"""Structures from files: CIF, POSCAR, extended XYZ, fort.34 and CRYSTAL outputs become a crystal in CRYSTAL's own setting.

gemmi reads CIFs (`cif`), ASE the other foreign formats; spglib finds the symmetry, within a tolerance that the user sees. Files
come from anywhere: they are limited in size and in atoms, and what is wrong with one is said in words.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import spglib
import spglib.error
from spglib import SpglibDataset

from app.crystal.elements import SYMBOLS
from app.crystal.outputs.reader import read_output
from app.crystal.structures.bulk import (
    TOLERANCE,
    Bulk,
    Matrix,
    StructureError,
    lattice_vectors,
    number,
    operations_of,
    setting_of,
    tidy_fraction,
)
from app.crystal.structures.flatten import flatten, low_dimensional_parameters
from app.crystal.structures.fort34 import VACUUM, External, read_fort34, refuse_impossible
from app.crystal.structures.geometries import DIMENSIONS
from app.crystal.structures.lowdimensional import LowDimensional

if TYPE_CHECKING:
    from ase import Atoms

    from app.crystal.structures.cif.reading import Content

# ASE and gemmi are imported where a file is read, in a process of its own: the service starts without them.

MAX_BYTES = 4_000_000
MAX_ATOMS = 2000
DEFAULT_TOLERANCE = 1e-3
"""Å within which atoms count as equivalent."""
FORMATS = {"cif": "CIF", "vasp": "POSCAR", "extxyz": "extended XYZ", "crystal": "fort.34", "output": "CRYSTAL output"}
_UNSAFE_ATOMS = re.compile(r"[^A-Za-z0-9 ._+/()-]")


@dataclass(frozen=True)
class Imported:
    """A structure in CRYSTAL's setting, and how it came to be."""

    structure: Bulk | LowDimensional
    title: str
    format: str
    symbol: str
    tolerance: float
    atoms_in_file: int
    notes: tuple[str, ...] = ()
    block: str = ""
    """The data block of a CIF that was read."""
    blocks: tuple[str, ...] = ()
    """Those of a CIF that hold structures."""
    variant: str = ""
    """The ordered variant of a partly occupied structure that was read."""
    variants: tuple[str, ...] = ()
    """All that were offered."""
    doubts: tuple[str, ...] = ()
    """The notes that a person must have seen before the structure is used."""

    @property
    def parameters(self) -> dict[str, object]:
        """Values of the structure's fields of a template."""
        structure = self.structure
        rows = zip(structure.numbers, structure.positions, strict=True)
        common: dict[str, object] = {
            "title": self.title,
            "atoms": [[SYMBOLS[z], *(float(number(part)) for part in xyz)] for z, xyz in rows],
        }
        if isinstance(structure, Bulk):
            names = ("a", "b", "c", "alpha", "beta", "gamma")
            return common | {
                "system": "crystal",
                "space_group": structure.space_group,
                "rhombohedral": False,
                "origin": "standard",
                **{name: float(number(value)) for name, value in zip(names, structure.cell, strict=True)},
            }
        return common | low_dimensional_parameters(structure)

    @property
    def group(self) -> int:
        """Number of the space, layer, rod or point group."""
        return self.structure.space_group if isinstance(self.structure, Bulk) else self.structure.group


def guess_format(name: str, text: str) -> str:
    """The format of a file, by its name first and then by its content."""
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
        f"{name[:60]!r} is not in a known format: {', '.join(FORMATS.values())}; rename it with its usual extension",
    )


def read_structure(
    data: bytes,
    name: str,
    tolerance: float = DEFAULT_TOLERANCE,
    file_format: str = "",
    *,
    kind: str = "",
    symmetry: bool = True,
    block: str = "",
    variant: str = "",
) -> Imported:
    """The structure in a file.

    Args:
        tolerance: Å within which atoms count as equivalent, 1e-6 to 0.5.
        kind: crystal, slab (the third vector is vacuum), polymer (periodic along the first) or molecule; empty: as the
            file says.
        symmetry: False lists every atom without symmetry, as magnetic orders and defects need it.
        block: data block of a CIF that holds several structures; empty: the first.
        variant: label or number of an ordered variant of a partly occupied structure; without one it is refused with the choice.

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
    form = file_format or guess_format(name, text)
    if form == "cif":
        from app.crystal.structures.cif.reading import read_cif

        return _from_cif(read_cif(text, block, variant), name, tolerance, kind, symmetry)
    return _imported(_read(data, text, form), name, form, tolerance, kind, symmetry)


def from_results(
    results: Mapping[str, Any],
    name: str,
    tolerance: float = DEFAULT_TOLERANCE,
    *,
    kind: str = "",
    symmetry: bool = True,
) -> Imported:
    """The last geometry of a job whose output was read already; arguments and errors as for `read_structure`."""
    geometry = results.get("geometry") or {}
    external = _external(
        results.get("dimensionality"),
        geometry.get("primitive_cell"),
        [
            (int(atom["number"]), float(atom["x"]), float(atom["y"]), float(atom["z"]))
            for atom in geometry.get("atoms") or ()
        ],
    )
    return _imported(external, f"{name}.out", "output", tolerance, kind, symmetry)


def _imported(external: External, name: str, form: str, tolerance: float, kind: str, symmetry: bool) -> Imported:
    dimension = DIMENSIONS.get(kind, external.dimension)
    if dimension > external.dimension:
        raise StructureError("file", f"has {external.dimension} periodic direction(s), a {kind} has {dimension}")
    notes = list(external.notes)
    if dimension == 3:
        lattice, positions = external.vectors, external.places @ np.linalg.inv(external.vectors)
        structure: Bulk | LowDimensional
        if symmetry:
            structure, symbol = standardise(lattice, external.numbers, positions, tolerance)
        else:
            structure, symbol = without_symmetry(lattice, external.numbers, positions), "P1"
    else:
        structure, symbol, more = flatten(external, dimension, tolerance if symmetry else None)
        notes += more
    structure.check()
    title = _title(name, external.numbers, symbol)
    return Imported(structure, title, FORMATS[form], symbol, tolerance, len(external.numbers), tuple(notes))


def _from_cif(content: Content, name: str, tolerance: float, kind: str, symmetry: bool) -> Imported:
    cell = content.cell
    if symmetry and DIMENSIONS.get(kind, 3) == 3:
        bulk, symbol = standardise(cell.lattice, cell.numbers, cell.positions, tolerance)
        bulk.check()
        notes = [*content.remarks, *_group_remarks(content.group, bulk.space_group, symbol)]
        title = _title(name, cell.numbers, symbol)
        count = len(cell.numbers) * cell.copies
        read = Imported(bulk, title, FORMATS["cif"], symbol, tolerance, count, tuple(notes))
    else:
        numbers, places = content.whole
        if len(numbers) > MAX_ATOMS:
            raise StructureError("file", f"has {len(numbers)} atoms; at most {MAX_ATOMS} are allowed")
        refuse_impossible(content.lattice, numbers, places @ content.lattice)
        whole = External(
            3, _triples(content.lattice), tuple(numbers), _triples(places @ content.lattice), content.remarks
        )
        read = _imported(whole, name, "cif", tolerance, kind, symmetry)
    if content.variant:
        read = replace(
            read, title=_variant_title(read.title, content), variant=content.variant, variants=content.variants
        )
    return replace(read, block=content.block, blocks=content.blocks, doubts=content.doubts)


def _variant_title(title: str, content: Content) -> str:
    number = content.variant.partition(":")[0]
    ending = f" variant {number} of {len(content.variants)}"
    return title[: 80 - len(ending)].rstrip() + ending


def _group_remarks(declared: int, found: int, symbol: str) -> list[str]:
    """Where the atoms have another symmetry than the file says."""
    if not declared or declared == found:
        return []
    return [f"the file says space group {declared}, its atoms have {symbol} ({found}) within the tolerance"]


def _read(data: bytes, text: str, form: str) -> External:
    """Vectors and atoms of a file in any of the formats."""
    if form == "output":
        return _from_output(data)
    if form == "crystal":
        return read_fort34(text)
    atoms, notes = _by_ase(text, form)
    lattice = np.array(atoms.cell)
    periodic = [bool(part) and bool(vector.any()) for part, vector in zip(atoms.pbc, lattice, strict=True)]
    # Periodic vectors first, as CRYSTAL has them; the others stand upright on them.
    order = sorted(range(3), key=lambda axis: not periodic[axis])
    lattice = _completed(lattice[order], sum(periodic))
    places, numbers = np.array(atoms.positions), [int(z) for z in atoms.numbers]
    refuse_impossible(lattice, numbers, places)
    return External(sum(periodic), _triples(lattice), tuple(numbers), _triples(places), tuple(notes))


def _completed(lattice: Matrix, dimension: int) -> Matrix:
    """Vectors of 500 Å in the directions without period."""
    if dimension == 3:
        return lattice
    kept = lattice[:dimension]
    _, _, axes = np.linalg.svd(np.vstack([kept, np.zeros((3 - dimension, 3))]))
    normals = axes[dimension:] * VACUUM
    whole = np.vstack([kept, normals])
    if np.linalg.det(whole) < 0:
        whole[-1] *= -1
    return whole


def _by_ase(text: str, kind: str) -> tuple[Atoms, list[str]]:
    import ase.io
    from ase import Atoms

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            atoms = ase.io.read(io.StringIO(text), format=kind, index=-1)
        except Exception as error:
            # ASE's readers raise whatever a malformed file makes them stumble over.
            reason_of_ase = str(error).split("\n")[0][:150]
            reason = reason_of_ase if " " in reason_of_ase else "it is malformed"
            raise StructureError("file", f"cannot be read as {FORMATS[kind]}: {reason}") from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise StructureError("file", f"contains no atoms that could be read as {FORMATS[kind]}")
    if len(atoms) > MAX_ATOMS:
        raise StructureError("file", f"has {len(atoms)} atoms; at most {MAX_ATOMS} are allowed")
    return atoms, sorted({str(warning.message).split("\n")[0][:200] for warning in caught})


def _from_output(data: bytes) -> External:
    """The last geometry of a CRYSTAL output."""
    results = read_output(data)
    geometry = results.geometry
    atoms = [(atom.number, atom.x, atom.y, atom.z) for atom in geometry.atoms] if geometry is not None else []
    return _external(results.dimensionality, geometry.primitive_cell if geometry is not None else None, atoms)


def _external(
    dimensionality: int | None, cell: Sequence[float] | None, atoms: Sequence[tuple[int, float, float, float]]
) -> External:
    """Vectors and atoms as an output prints them: periodic coordinates are fractions, the others in Å."""
    if not atoms:
        raise StructureError("file", "contains no geometry")
    dimension = 3 if dimensionality is None else dimensionality
    lattice = np.diag([VACUUM] * 3)
    if dimension:
        if cell is None:
            raise StructureError("file", "contains no cell")
        lattice = lattice_vectors(cell)
    scale = np.eye(3)
    scale[:dimension] = lattice[:dimension]
    cartesian = np.array([row[1:] for row in atoms], dtype=float) @ scale
    numbers = [row[0] % 100 for row in atoms]
    refuse_impossible(lattice, numbers, cartesian)
    return External(dimension, _triples(lattice), tuple(numbers), _triples(cartesian))


def _triples(matrix: Matrix) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in matrix)


def without_symmetry(lattice: Matrix, numbers: list[int] | tuple[int, ...], positions: Matrix) -> Bulk:
    """All atoms of the cell, space group 1."""
    rows = [(tidy_fraction(x), tidy_fraction(y), tidy_fraction(z)) for x, y, z in positions.tolist()]
    return Bulk(1, _parameters(lattice), tuple(numbers), tuple(rows))


def standardise(lattice: Matrix, numbers: Sequence[int], positions: Matrix, tolerance: float) -> tuple[Bulk, str]:
    """Space group, conventional cell and asymmetric unit in the setting that CRYSTAL reads as `0 0 0`."""
    refuse_impossible(lattice, list(numbers), positions)
    cell = (lattice.tolist(), positions.tolist(), list(numbers))
    try:
        first = spglib.get_symmetry_dataset(cell, symprec=tolerance)
        assert first is not None
        group = int(first.number)
        dataset: SpglibDataset | None = first
        if int(first.hall_number) != setting_of(group):
            dataset = spglib.get_symmetry_dataset(cell, symprec=tolerance, hall_number=setting_of(group))
        assert dataset is not None
    except (spglib.error.SpglibError, AssertionError) as error:
        raise StructureError(
            "tolerance", f"of {tolerance:g} Å gives no consistent symmetry; try a smaller one (atoms may also coincide)"
        ) from error
    parameters = _parameters(np.array(dataset.std_lattice))
    rotations, translations, _ = operations_of(group)
    places, kinds = np.array(dataset.std_positions), [int(z) for z in dataset.std_types]
    chosen = _asymmetric_unit(places, kinds, rotations, translations, np.array(dataset.std_lattice), tolerance)
    bulk = Bulk(
        group,
        parameters,
        tuple(kinds[index] for index in chosen),
        tuple((tidy_fraction(x), tidy_fraction(y), tidy_fraction(z)) for x, y, z in places[chosen].tolist()),
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


def _title(name: str, numbers: Sequence[int], symbol: str) -> str:
    """Formula and space group; the file's name where it says more."""
    from ase.formula import Formula

    formula = Formula.from_list([SYMBOLS[z] for z in numbers]).reduce()[0].format("metal")
    stem = _UNSAFE_ATOMS.sub(" ", name.rpartition("/")[2].rpartition(".")[0])[:40].strip()
    return f"{formula} {symbol.replace(' ', '')}{f' {stem}' if stem else ''}"[:80]
