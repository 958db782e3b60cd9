"""Rules for the third block of a d12: k-point mesh, tolerances, SCF, spin."""

from __future__ import annotations

from collections.abc import Iterator

from app.crystal.decks.blocks import is_unknown
from app.crystal.decks.contents import CHANGES_ATOMS, crystal_of, electrons_per_cell
from app.crystal.decks.internal_basis import COMPOSITE_SETS
from app.crystal.decks.keywords import CORRELATION, D3_FUNCTIONALS, EXCHANGE, SINGLE_FUNCTIONALS
from app.crystal.decks.limits.meshes import breaks_symmetry, layer_breaks_symmetry
from app.crystal.decks.model import Deck, Entry, Finding, Severity, finding_at
from app.crystal.records import number_of
from app.crystal.structures.bulk import StructureError

_REPEATABLE = {
    "BREAKSYM", "KEEPSYMM", "FRACTION", "ANGSTROM", "BOHR", "ATOMREMO", "ATOMINSE", "ATOMDISP", "ATOMSUBS", "PPAN", "SETPRINT",
}  # fmt: skip


def check_repeats(deck: Deck) -> Iterator[Finding]:
    """No keyword appears twice in its block, unless CRYSTAL lets it."""
    for entries in (deck.hamiltonian, deck.geometry.entries):
        seen: set[str] = set()
        for entry in entries:
            if entry.name in seen and entry.name not in _REPEATABLE:
                yield finding_at(entry, "warning", "appears twice in its block", "Keep one of them.")
            seen.add(entry.name)


_MAKES_MOLECULE = {"MOLECULE", "CLUSTER", "MOLEBSSE", "ATOMBSSE", "NANOCRYST", "FULLE"}
"""Keywords after which no direction is periodic."""


def check_shrink(deck: Deck) -> Iterator[Finding]:
    """The k-point mesh is there, and its Gilat net fits it."""
    entry = next((entry for entry in deck.hamiltonian if entry.name == "SHRINK"), None)
    dimension = deck.geometry.dimension
    if any(other.name in _MAKES_MOLECULE for other in deck.geometry.entries):
        dimension = 0
    if entry is None:
        if deck.hamiltonian and dimension and deck.complete:
            line = deck.hamiltonian[-1].last
            yield Finding(line, "error", "SHRINK", "is missing", "A periodic structure needs SHRINK with IS ISP.")
        return
    if dimension == 0:
        yield finding_at(entry, "note", "has no meaning for a molecule", "Remove it.")
    if not entry.values:
        return
    first, gilat = (int(part) for part in entry.values[0])
    factors = [int(part) for part in entry.values[1]] if first == 0 and len(entry.values) > 1 else [first]
    if first > 0 and gilat == 0:
        yield finding_at(entry, "warning", "the Gilat net is 0", "IS ISP, usually with ISP twice IS.")
    elif min(factors) < 1 or gilat < 1:
        yield finding_at(entry, "error", "shrinking factors must be positive", "IS ISP, or 0 ISP and IS1 IS2 IS3.")
    elif gilat < max(factors):
        yield finding_at(
            entry,
            "warning",
            f"the Gilat net (ISP {gilat}) is coarser than the k-point mesh (IS {max(factors)})",
            "Use twice IS.",
        )
    elif gilat % max(factors):
        yield finding_at(
            entry, "note", f"the Gilat net (ISP {gilat}) is not a multiple of the k-point mesh (IS {max(factors)})"
        )
    if first == 0 and dimension == 2 and factors[2:] not in ([], [1]):
        yield finding_at(entry, "warning", "IS3 of a slab should be 1")
    if len(factors) == 3 and min(factors) > 0 and len(set(factors)) > 1:
        yield from _check_anisotropy(deck, entry, factors)


_LOWERS_SYMMETRY = {"BREAKSYM", "BREAKELAS", "SYMMREMO", "TRASREMO", "MODISYMM", "ELASTIC", "ATOMDISP", "ATOMROT", "USESAED",
                    "FIELD", "TESTGEOM", "NANORE", "SWCNTRE"}  # fmt: skip
"""Keywords after which the symmetry is another than that of the group's number, or the mesh is not used."""


def _check_anisotropy(deck: Deck, entry: Entry, factors: list[int]) -> Iterator[Finding]:
    """Equal factors along directions that symmetry makes equal."""
    if any(other.name in CHANGES_ATOMS | _LOWERS_SYMMETRY for other in deck.geometry.entries):
        return
    if deck.geometry.kind == "SLAB":
        unequal = layer_breaks_symmetry(deck.geometry.group or 0, factors)
    else:
        try:
            crystal = crystal_of(deck)
            unequal = crystal is not None and breaks_symmetry(crystal, factors)
        except StructureError:
            return
    if unequal:
        yield finding_at(
            entry,
            "error",
            f"the factors {' '.join(map(str, factors))} are not equal along directions that symmetry makes equal",
            "Use equal factors.",
        )


def check_tolerances(deck: Deck) -> Iterator[Finding]:
    """The five exponents of TOLINTEG are in range and in order."""
    entry = next((entry for entry in deck.hamiltonian if entry.name == "TOLINTEG"), None)
    if entry is None or not entry.values:
        return
    values = [int(part) for part in entry.values[0]]
    if min(values) < 1 or max(values) > 99:
        yield finding_at(entry, "error", "tolerances are exponents from 1 to 99", "Usual: 7 7 7 7 14.")
    elif values[4] < values[3]:
        yield finding_at(entry, "warning", "T5 is smaller than T4", "Usual: T5 is twice T4 or more.")
    elif values[3] < values[2]:
        yield finding_at(entry, "warning", "T4 is smaller than T3")


_RANGES = {"TOLDEE": (1, 99), "MAXCYCLE": (0, 10000), "FMIXING": (0, 99), "LDREMO": (0, 99), "ILASIZE": (1, 10**9)}


def check_scf(deck: Deck) -> Iterator[Finding]:
    """Numbers of the SCF are in range, and its keywords do not exclude each other."""
    for entry in deck.hamiltonian:
        low, high = _RANGES.get(entry.name, (None, None))
        if low is not None and high is not None and entry.values and not low <= int(entry.values[0][0]) <= high:
            yield finding_at(entry, "error", f"{entry.values[0][0]} is outside {low} to {high}")
        if entry.name == "SMEAR" and entry.values and not 0 < number_of(entry.values[0][0]) <= 0.1:
            severity: Severity = "error" if not 0 < number_of(entry.values[0][0]) <= 1 else "warning"
            yield finding_at(entry, severity, "the smearing width is in hartree and must be above 0 and at most 0.1")
    names = {entry.name for entry in deck.hamiltonian}
    accelerators = [entry for entry in deck.hamiltonian if entry.name in ("DIIS", "ANDERSON", "BROYDEN")]
    if len(accelerators) > 1:
        yield finding_at(
            accelerators[1], "warning", f"cannot be combined with {accelerators[0].name}", "Keep one of them."
        )
    if {"SMEAR", "LEVSHIFT"} <= names:
        shift = next(entry for entry in deck.hamiltonian if entry.name == "LEVSHIFT")
        yield finding_at(
            shift, "warning", "a level shift keeps open a gap that smearing needs closed", "Keep one of them."
        )
    functional = next((entry for entry in deck.hamiltonian if entry.name == "DFT"), None)
    if functional and functional.entries:
        kinds = {entry.name for entry in functional.entries} - {"SPIN"}
        if (
            "EXCHANGE" not in kinds
            and "CORRELAT" not in kinds
            and not any(_is_functional(entry) for entry in functional.entries)
        ) and not unknown_within(deck, functional):
            yield finding_at(functional, "warning", "names no functional, so only Hartree–Fock exchange is used")


def unknown_within(deck: Deck, entry: Entry) -> bool:
    """Is there a word in the block of a keyword that is not known here?"""
    return any(entry.line < finding.line <= entry.last and is_unknown(finding) for finding in deck.findings)


UNKNOWN_FUNCTIONAL = "is not known here"


def check_functional(deck: Deck) -> Iterator[Finding]:
    """Only some functionals have parameters for D3; a composite method has a basis set of its own."""
    known = {name.upper() for name in D3_FUNCTIONALS}
    for block in deck.hamiltonian:
        for entry in block.entries if block.name == "DFT" else []:
            name = entry.name.removesuffix("-D3")
            if name != entry.name and name.upper() not in known:
                yield finding_at(
                    entry,
                    "error",
                    "has no parameters for D3",
                    f"-D3 goes with {', '.join(D3_FUNCTIONALS)}; for others write a block DFTD3 with parameters.",
                )
            half = {"EXCHANGE": EXCHANGE, "CORRELAT": CORRELATION}.get(entry.name)
            if half and entry.values and entry.values[0][0] not in half:
                text = entry.values[0][0][:20]
                yield Finding(entry.line + 1, "note", entry.name, f"the functional {text!r} {UNKNOWN_FUNCTIONAL}")
            if entry.name in COMPOSITE_SETS:
                yield from _check_composite(deck, entry, COMPOSITE_SETS[entry.name])
        if block.name in COMPOSITE_SETS:
            yield from _check_composite(deck, block, COMPOSITE_SETS[block.name])
    yield from _check_dispersion(deck)


def _check_dispersion(deck: Deck) -> Iterator[Finding]:
    """Dispersion counts once."""
    dft = next((block for block in deck.hamiltonian if block.name == "DFT"), None)
    names = [entry.name for entry in dft.entries] if dft is not None else []
    included = next((name for name in names if name.endswith("-D3") or name in COMPOSITE_SETS), None)
    for block in deck.hamiltonian:
        if block.name == "GRIMME" and included:
            yield finding_at(
                block, "warning", f"is a second dispersion correction beside that of {included}", "Keep one."
            )
        if block.name == "DFTD3" and included in COMPOSITE_SETS:
            yield finding_at(
                block, "warning", f"is a second dispersion correction beside that of {included}", "Remove it."
            )


def _check_composite(deck: Deck, entry: Entry, basis: str) -> Iterator[Finding]:
    remedy = f"BASISSET with {basis}; its corrections are fitted to that set."
    if deck.basis_name and deck.basis_name.upper() != basis.upper():
        yield finding_at(entry, "warning", f"belongs to the basis set {basis}, not to {deck.basis_name}", remedy)
    elif not deck.basis_name and deck.basis:
        yield finding_at(entry, "note", f"belongs to the basis set {basis}; this deck writes one out", remedy)


def _is_functional(entry: Entry) -> bool:
    return entry.name.removesuffix("-D3") in (*SINGLE_FUNCTIONALS, *D3_FUNCTIONALS) or entry.name == "LSRSH-PBE"


def check_spin(deck: Deck) -> Iterator[Finding]:
    """Spin keywords have an open shell, and their numbers match the electrons of the cell."""
    polarised = deck.find("SPIN", "UHF", "ROHF", "TWOCOMPON", "TWOCOMPONENT")
    for entry in deck.hamiltonian:
        if entry.name in ("ATOMSPIN", "SPINLOCK", "BETALOCK") and polarised is None:
            yield finding_at(
                entry, "error", "needs an open-shell calculation", "Put SPIN in the DFT block, or UHF before it."
            )
    electrons = electrons_per_cell(deck)
    if electrons is None:
        return
    if electrons % 2 and polarised is None and deck.hamiltonian:
        # A closed-shell metal with an odd number of electrons runs; a molecule does not.
        yield Finding(
            deck.hamiltonian[0].line,
            "error" if deck.geometry.kind == "MOLECULE" else "warning",
            "SPIN",
            f"the cell has {electrons} electrons, an odd number, and the calculation is closed-shell",
            "Put SPIN in the DFT block, or UHF in this block; otherwise only a metal makes sense.",
        )
    lock = next((entry for entry in deck.hamiltonian if entry.name == "SPINLOCK"), None)
    if lock and lock.values and (int(lock.values[0][0]) - electrons) % 2:
        yield finding_at(
            lock,
            "error" if deck.geometry.kind == "MOLECULE" else "warning",
            f"{lock.values[0][0]} does not match a cell with {electrons} electrons",
            "Both must be even, or both odd.",
        )
