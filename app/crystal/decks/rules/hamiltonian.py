"""Rules for the third block of a d12: k-point mesh, tolerances, SCF, spin."""

from __future__ import annotations

from collections.abc import Iterator

from app.crystal.decks.contents import electrons_per_cell
from app.crystal.decks.keywords import SINGLE_FUNCTIONALS
from app.crystal.decks.model import Deck, Entry, Finding, finding_at
from app.crystal.records import number_of

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


def check_shrink(deck: Deck) -> Iterator[Finding]:
    """The k-point mesh is there, and its Gilat net fits it."""
    entry = next((entry for entry in deck.hamiltonian if entry.name == "SHRINK"), None)
    dimension = deck.geometry.dimension
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
    if min(factors) < 1 or gilat < 1:
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


_RANGES = {"TOLDEE": (1, 16), "MAXCYCLE": (0, 10000), "FMIXING": (0, 99), "LDREMO": (1, 20), "ILASIZE": (1, 10**9)}


def check_scf(deck: Deck) -> Iterator[Finding]:
    """Numbers of the SCF are in range, and its keywords do not exclude each other."""
    for entry in deck.hamiltonian:
        low, high = _RANGES.get(entry.name, (None, None))
        if low is not None and high is not None and entry.values and not low <= int(entry.values[0][0]) <= high:
            yield finding_at(entry, "error", f"{entry.values[0][0]} is outside {low} to {high}")
        if entry.name == "SMEAR" and entry.values and not 0 < number_of(entry.values[0][0]) <= 0.1:
            yield finding_at(entry, "error", "the smearing width is in hartree and must be above 0 and at most 0.1")
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
        ):
            yield finding_at(functional, "warning", "names no functional, so only Hartree–Fock exchange is used")


def _is_functional(entry: Entry) -> bool:
    return entry.name.removesuffix("-D3") in SINGLE_FUNCTIONALS or entry.name == "LSRSH-PBE"


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
            "error",
            f"{lock.values[0][0]} does not match a cell with {electrons} electrons",
            "Both must be even, or both odd.",
        )
