"""What follows from the answers of a form: the names that a template sees beside its fields.

`geometry` and `structure`, the basis set to write, electrons and bands, band path, projections, the energy window.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.crystal.constants import BOHR, HARTREE_EV
from app.crystal.decks.atoms import AtomError, check_atoms, rebuilds_cell
from app.crystal.decks.basis_sets import BasisError, BasisSet, conventional_numbers
from app.crystal.decks.internal_basis import COMPOSITE_SETS, uncovered
from app.crystal.decks.limits.meshes import breaks_symmetry, layer_breaks_symmetry
from app.crystal.decks.limits.orbitals import HEAVY, count_by_name, count_in
from app.crystal.decks.rules.properties import MAX_SEGMENTS
from app.crystal.elements import atomic_number
from app.crystal.structures.bulk import Bulk, StructureError
from app.crystal.structures.geometries import Geometry, Structure, read_geometry, supercell_matrix
from app.crystal.structures.kpaths import BandPath, own_path, standard_path
from app.crystal.structures.lowdimensional import LowDimensional
from app.errors import FieldError

MAX_LINE = 80
"""CRYSTAL cuts titles here; records are kept below it too."""
D3_FUNCTIONALS = {"BLYP": "BLYP", "PBEXC": "PBE", "B3LYP": "B3LYP", "PBE0": "PBE0", "HSE06": "HSE06", "HSESOL": "HSEsol",
                  "M06": "M06", "LC-wPBE": "LC-wPBE"}  # fmt: skip
"""Functionals of the form that take the suffix -D3, as they are then spelt."""


@dataclass(frozen=True)
class Supplies:
    """What the service has at hand beside the answers."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    """Contents of attached geometries, by field."""
    basis_sets: Mapping[str, BasisSet] = field(default_factory=dict)
    """The group's library, by name."""
    fermi_energy: float | None = None
    """Of the job whose wave function is read, hartree."""
    fermi_energy_doubt: str = ""
    """Why that job's output does not tell it."""
    basis: str = ""
    """Name of that job's basis set, where it is one of CRYSTAL's own."""


class Wrong(Exception):
    """Answers that do not go together."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(error.reason for error in errors))
        self.errors = list(errors)


def facts_of(values: Mapping[str, Any], supplies: Supplies, names: set[str]) -> dict[str, Any]:
    """Names and values for the template; `names` are its fields.

    Raises:
        Wrong: names the fields.
    """
    if "system" not in values:
        return {}
    try:
        geometry = read_geometry(values, supplies.files)
    except StructureError as error:
        raise Wrong(FieldError(error.field, str(error))) from error
    structure = geometry.structure
    facts: dict[str, Any] = {"geometry": geometry, "structure": structure}
    facts |= _method(values) | _basis(values, supplies, structure)
    facts["conventional"] = conventional_numbers(str(facts["basis_lines"] or ""))
    facts["geometry"] = geometry = replace(geometry, conventional=facts["conventional"])
    try:
        check_atoms(values, geometry, expand_ranges)
    except AtomError as wrong:
        raise Wrong(wrong.error) from wrong
    _check_spins(values, geometry)
    _check_meshes(values, geometry)
    if "first_band" in names:
        facts |= _band_range(geometry, values, supplies)
    if "path_kind" in names:
        facts["path"] = _path(values, geometry)
    for name in ("phonon_supercell", "slab_supercell"):
        if name in names:
            facts[name.replace("supercell", "matrix")] = _matrix(name, values, geometry)
    if "margin" in names:
        facts["bounds"] = _bounds(values.get("margin"), structure)
    if "fermi_energy" in names:
        facts["fermi_ev"] = _fermi(values, supplies) * HARTREE_EV if "window" not in names else None
    if "projection" in names:
        facts["projections"] = _projections(geometry, values)
    if "window" in names:
        facts["energy_window"] = _window(values, supplies)
    return facts


# -- method and basis set ------------------------------------------------------------------------------------------------


def _method(values: Mapping[str, Any]) -> dict[str, Any]:
    functional = values.get("functional")
    if functional is None:
        return {"functional_keyword": None}
    if values.get("dispersion", "none") in ("none", "own"):
        return {"functional_keyword": functional}
    if functional not in D3_FUNCTIONALS:
        known = ", ".join(D3_FUNCTIONALS)
        raise Wrong(FieldError("dispersion", f"is parametrised only for {known}", str(functional)))
    return {"functional_keyword": f"{D3_FUNCTIONALS[functional]}-D3"}


def _basis(values: Mapping[str, Any], supplies: Supplies, structure: Structure | None) -> dict[str, Any]:
    """`basis_name` of the program's own library, or `basis_lines` of an explicit set."""
    composite = COMPOSITE_SETS.get(values.get("functional") or "")
    name = composite or values.get("basis_set")
    numbers = _elements(values, structure)
    if composite or values.get("basis_kind") == "internal":
        if missing := uncovered(str(name), numbers):
            at = "functional" if composite else "basis_set"
            raise Wrong(FieldError(at, f"does not cover {', '.join(missing)}", str(name)))
        return {"basis_name": name, "basis_lines": None}
    if values.get("basis_kind") == "library":
        return {"basis_name": None, "basis_lines": _from_library(values, supplies, numbers)}
    if values.get("basis_text"):
        return {"basis_name": None, "basis_lines": str(values["basis_text"]).strip()}
    return {"basis_name": None, "basis_lines": None}


def _elements(values: Mapping[str, Any], structure: Structure | None) -> tuple[int, ...]:
    """Atomic numbers that need a basis: of the structure, and of atoms that are added to it."""
    own = structure.numbers if structure is not None else ()
    try:
        added = tuple(atomic_number(str(row["element"])) for row in values.get("adsorbate") or ())
    except ValueError as error:
        raise Wrong(FieldError("adsorbate", str(error))) from error
    return (*own, *added)


def _from_library(values: Mapping[str, Any], supplies: Supplies, numbers: tuple[int, ...]) -> str:
    chosen: dict[int, str] = {}
    for row in values.get("basis_elements") or ():
        try:
            chosen[atomic_number(str(row["element"]))] = str(row["set"])
        except ValueError as error:
            raise Wrong(FieldError("basis_elements", str(error))) from error
    blocks = []
    for z in sorted(set(numbers)):
        name = chosen.get(z, str(values.get("basis_library", "")))
        at = "basis_elements" if z in chosen else "basis_library"
        if name not in supplies.basis_sets:
            known = ", ".join(supplies.basis_sets) or "none yet"
            raise Wrong(FieldError(at, f"is not in the group's library; it has {known}", name))
        try:
            blocks.append(supplies.basis_sets[name].block_of(z))
        except BasisError as error:
            raise Wrong(FieldError(at, str(error), name)) from error
    if not blocks:
        raise Wrong(FieldError("basis_library", "needs a structure whose elements are known"))
    return "\n".join(blocks)


def _check_spins(values: Mapping[str, Any], geometry: Geometry) -> None:
    """ATOMSPIN names atoms of the cell; equivalent atoms must have equal spins."""
    rows, structure = values.get("atomspin") or (), geometry.structure
    if not rows or geometry.atoms is None or structure is None:
        return
    spins = {row["atom"]: row["spin"] for row in rows}
    if geometry.supercell or geometry.external or rebuilds_cell(values):
        return
    start = 1
    for number, count in enumerate(structure.multiplicities, start=1):
        own = {spins.get(atom, 0) for atom in range(start, start + count)}
        if len(own) > 1:
            raise Wrong(
                FieldError(
                    "atomspin",
                    f"gives atoms {start} to {start + count - 1} different spins, but they are images of row {number}: "
                    "read the structure without symmetry",
                )
            )
        start += count


def _check_meshes(values: Mapping[str, Any], geometry: Geometry) -> None:
    """Factors of k-point meshes are equal along directions that symmetry makes equal."""
    structure = geometry.structure
    if structure is None or geometry.supercell or geometry.external or rebuilds_cell(values):
        return
    for name in ("shrink", "newk"):
        factors = values.get(name)
        if not isinstance(factors, (list, tuple)) or len(factors) < 2:
            continue
        unequal = (
            layer_breaks_symmetry(structure.group, factors)
            if isinstance(structure, LowDimensional) and structure.dimension == 2
            else isinstance(structure, Bulk) and breaks_symmetry(structure, factors)
        )
        if unequal:
            reason = "must be equal along directions that symmetry makes equal"
            raise Wrong(FieldError(name, reason, " ".join(map(str, factors))))


# -- bands and densities of states ---------------------------------------------------------------------------------------


def _band_range(geometry: Geometry, values: Mapping[str, Any], supplies: Supplies) -> dict[str, Any]:
    """First and last band: all occupied ones and some above, never more than the basis certainly has."""
    counted = _electrons_and_orbitals(geometry, values, supplies)
    first, last, occupied = values.get("first_band") or 1, values.get("last_band"), None
    if counted is not None:
        electrons, orbitals, exact = counted
        occupied = -(-electrons // 2)
        if last is not None and exact and last > orbitals:
            raise Wrong(FieldError("last_band", f"is beyond the last orbital: the basis set has {orbitals}", str(last)))
        last = last or occupied + min(max(8, occupied // 2), 30, max(orbitals - occupied, 0))
    if last is None:
        raise Wrong(FieldError("last_band", "is required: the numbers of electrons and orbitals are not known"))
    if first > last:
        raise Wrong(FieldError("first_band", f"must not be above the last band {last}", str(first)))
    return {"first_band": first, "last_band": last, "occupied_bands": occupied}


def _electrons_and_orbitals(
    geometry: Geometry, values: Mapping[str, Any], supplies: Supplies
) -> tuple[int, int, bool] | None:
    """Electrons that the basis describes, orbitals that it has at least, and whether these are all; None: not known."""
    if geometry.electrons is None or geometry.structure is None:
        return None
    numbers = geometry.structure.primitive[1] * geometry.copies
    facts = _basis(values, supplies, geometry.structure) if values.get("start", "scf") == "scf" else {}
    name = facts.get("basis_name") or ("" if facts.get("basis_lines") else supplies.basis)
    if lines := facts.get("basis_lines"):
        counted = count_in(str(lines), numbers)
        return None if counted is None else (*counted, True)
    if not name and max(numbers) >= HEAVY:
        # A pseudopotential may stand for the core.
        return None
    return (*count_by_name(numbers, str(name)), name == "STO-3G")


def _path(values: Mapping[str, Any], geometry: Geometry) -> BandPath:
    path = _chosen_path(values, geometry)
    if len(path.segments) > MAX_SEGMENTS:
        raise Wrong(
            FieldError(
                "path_segments",
                f"has {len(path.segments)} segments; CRYSTAL takes at most {MAX_SEGMENTS} at once: split the path over two jobs",
            )
        )
    return path


def _chosen_path(values: Mapping[str, Any], geometry: Geometry) -> BandPath:
    dimension = geometry.structure.dimension if geometry.structure is not None else 3
    if dimension == 0:
        raise Wrong(FieldError("system", "must be periodic in at least one direction to have bands", "molecule"))
    if values.get("path_kind") == "own":
        try:
            return own_path(values["path_segments"], dimension)
        except ValueError as error:
            raise Wrong(FieldError("path_segments", str(error))) from error
    if geometry.structure is None:
        raise Wrong(
            FieldError("path_kind", "must be your own segments because the geometry is not known yet", "standard")
        )
    if geometry.supercell:
        raise Wrong(FieldError("path_kind", "must be your own segments for a supercell", "standard"))
    return standard_path(geometry.structure)


def _projections(geometry: Geometry, values: Mapping[str, Any]) -> list[str]:
    """DOSS records, wrapped as Fortran list input allows: `-N a1 … aN` for atoms, `N o1 … oN` for orbitals.

    CRYSTAL lists the images of one atom of the asymmetric unit together, in the deck's order.
    """
    kind = values.get("projection", "none")
    if kind == "none":
        return []
    if kind == "own":
        records = [_own_projection(row, geometry) for row in values["projection_rows"]]
    else:
        if geometry.structure is None or geometry.supercell:
            raise Wrong(
                FieldError(
                    "projection", "must be your own lists because CRYSTAL's order of the atoms is not known", kind
                )
            )
        groups = (
            _atoms_by_element(geometry) if kind == "elements" else [[n] for n in range(1, (geometry.atoms or 0) + 1)]
        )
        records = [f"-{len(atoms)} " + " ".join(map(str, atoms)) for atoms in groups]
    if not 1 <= len(records) <= 15:
        raise Wrong(FieldError("projection", f"makes {len(records)} projections; CRYSTAL takes at most 15", kind))
    return ["\n".join(textwrap.wrap(record, MAX_LINE, break_on_hyphens=False)) for record in records]


def _own_projection(row: Mapping[str, Any], geometry: Geometry) -> str:
    try:
        numbers = expand_ranges(str(row["numbers"]))
    except ValueError as error:
        raise Wrong(FieldError("projection_rows", str(error), str(row["numbers"])[:40])) from error
    if row["of"] == "atoms":
        if geometry.atoms is not None and max(numbers) > geometry.atoms:
            raise Wrong(
                FieldError("projection_rows", f"names atom {max(numbers)}, but the cell has only {geometry.atoms}")
            )
        return f"-{len(numbers)} " + " ".join(map(str, numbers))
    return f"{len(numbers)} " + " ".join(map(str, numbers))


def expand_ranges(text: str) -> list[int]:
    """`1-3,7` as numbers.

    Raises:
        ValueError: no such list.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ValueError("must be numbers and ranges such as 1-3,7")
        low, high = int(first), int(last or first)
        if not 1 <= low <= high or high - low > 2000:
            raise ValueError(f"{part} is not a range of positive numbers")
        numbers += range(low, high + 1)
    return numbers


def _atoms_by_element(geometry: Geometry) -> list[list[int]]:
    assert geometry.structure is not None
    by_element: dict[int, list[int]] = {}
    start = 1
    for z, count in zip(geometry.structure.numbers, geometry.structure.multiplicities, strict=True):
        by_element.setdefault(z, []).extend(range(start, start + count))
        start += count
    return list(by_element.values())


def _matrix(name: str, values: Mapping[str, Any], geometry: Geometry) -> tuple[tuple[int, ...], ...]:
    """An expansion matrix: of the phonons in all periodic directions, of a cut slab in two."""
    try:
        if name == "slab_supercell":
            return supercell_matrix(values.get(name), (2,), name)
        return supercell_matrix(values.get(name), (geometry.structure.dimension if geometry.structure else 3,), name)
    except StructureError as error:
        raise Wrong(FieldError(error.field, str(error))) from error


def _bounds(margin: float | None, structure: Structure | None) -> list[tuple[float, float]]:
    """Lowest and highest coordinate in bohr along each direction without a period, with a margin given in Å."""
    if margin is None or structure is None:
        return []
    lattice, _, positions = structure.primitive
    places = (positions @ lattice)[:, structure.dimension :]
    low, high = (places.min(axis=0) - margin) / BOHR, (places.max(axis=0) + margin) / BOHR
    return [(round(float(a), 4), round(float(b), 4)) for a, b in zip(low, high, strict=True)]


def _fermi(values: Mapping[str, Any], supplies: Supplies) -> float:
    """Hartree; given, or that of the job whose wave function is read."""
    entered: float | None = values.get("fermi_energy")
    fermi_energy = supplies.fermi_energy if entered is None else entered
    if fermi_energy is None:
        why = "no earlier job provides it"
        if supplies.fermi_energy_doubt:
            why = f"the earlier job does not tell it: {supplies.fermi_energy_doubt}; enter that of a single-point SCF"
        raise Wrong(FieldError("fermi_energy", f"is required: CRYSTAL takes absolute energies, and {why}"))
    return fermi_energy


def _window(values: Mapping[str, Any], supplies: Supplies) -> tuple[float, float] | None:
    """BMI and BMA: absolute energies in hartree, from a window in eV around the Fermi energy."""
    if values.get("window") != "energy":
        return None
    fermi = _fermi(values, supplies)
    low, high = values["window_from"], values["window_to"]
    if low >= high:
        raise Wrong(FieldError("window_to", "must be above the lower end", str(high)))
    return fermi + low / HARTREE_EV, fermi + high / HARTREE_EV
