"""How many electrons and orbitals a basis set gives an atom: what limits the bands that can be asked for.

CRYSTAL refuses a band beyond the last orbital. Exact numbers are known for a basis set that is written out and for STO-3G;
of the other internal sets a number that they certainly have. The sets POB-* and def2-* replace the cores of heavy elements by
pseudopotentials: 28 electrons from Rb on, 46 for Cs and Ba, 60 from Hf on (executed: CsI with POB-TZVP-REV2 has 34 electrons
in 54 orbitals).
"""

from __future__ import annotations

from collections.abc import Iterable

from app.crystal.decks.model import ElementBasis
from app.crystal.decks.reading import read_basis
from app.crystal.elements import minimal_basis_size

_FUNCTIONS = (1, 4, 3, 5, 7, 9)
"""Orbitals of shells of type s, sp, p, d, f, g."""
_ALL_ELECTRON = ("STO-3G", "6-21G*")
_SPLIT = ("POB-", "DEF2-", "SOLDEF2", "MTZVP")
"""Beginnings of the names of sets with at least two functions per valence orbital."""
HEAVY = 37
"""Rb: from here on a set may use pseudopotentials."""


def core_electrons(z: int, basis_name: str) -> int:
    """Electrons that an internal set replaces by a pseudopotential."""
    if z < HEAVY or basis_name in _ALL_ELECTRON:
        return 0
    if z in (55, 56):
        return 46
    return 28 if z < 72 else 60


def least_orbitals(z: int, basis_name: str) -> int:
    """Orbitals that an internal set certainly has for an element; exact for STO-3G."""
    core = core_electrons(z, basis_name)
    size = {0: minimal_basis_size(z), 28: 8 if z < 39 else 13 if z < 57 else 26, 46: 8, 60: 13}[core]
    if not basis_name.upper().startswith(_SPLIT):
        return size
    alkaline = z in (1, 2, 3, 4, 11, 12, 19, 20, 37, 38, 55, 56)
    return size + (1 if alkaline else 4)


def count_by_name(numbers: Iterable[int], basis_name: str) -> tuple[int, int]:
    """Electrons described and orbitals that are certainly there, of atoms with an internal set."""
    atoms = list(numbers)
    electrons = sum(z - core_electrons(z, basis_name) for z in atoms)
    return electrons, sum(least_orbitals(z, basis_name) for z in atoms)


def count_in(text: str, numbers: Iterable[int]) -> tuple[int, int] | None:
    """Electrons and orbitals of neutral atoms with a basis set that is written out.

    None where the set cannot be read, lacks an element, or has a pseudopotential whose core is not known.
    """
    elements, findings = read_basis(text)
    if any(finding.severity == "error" for finding in findings):
        return None
    sizes = {element.atomic_number: _size(element) for element in elements}
    counted = [sizes.get(z) for z in numbers]
    known = [size for size in counted if size is not None]
    if len(known) < len(counted):
        return None
    return sum(electrons for electrons, _ in known), sum(orbitals for _, orbitals in known)


def _size(element: ElementBasis) -> tuple[int, int] | None:
    electrons = round(element.core_charge) if element.number > 200 else element.atomic_number
    return (electrons, sum(_FUNCTIONS[shell.angular] for shell in element.shells)) if electrons else None
