"""The deck checker: what a CRYSTAL user would be told by an experienced colleague before the job leaves.

The form of records is checked while a deck is read; here follow the rules between them. An error is what CRYSTAL refuses or
what makes the result meaningless; a warning is what experts avoid; a note is worth knowing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator

import numpy as np

from app.crystal.decks.internal_basis import INTERNAL_SETS, uncovered
from app.crystal.decks.keywords import SINGLE_FUNCTIONALS
from app.crystal.decks.model import Deck, ElementBasis, Entry, Finding, Severity, oversize, read_deck
from app.crystal.elements import SYMBOLS
from app.crystal.records import number_of
from app.crystal.structures.bulk import (
    MAX_ATOMS,
    Bulk,
    StructureError,
    crowded,
    full_cell,
    lattice_vectors,
    minimal_parameters,
)

MAX_TITLE = 80
MAX_FINDINGS = 300
"""Findings of one deck that are listed."""
RANK = {"error": 0, "warning": 1, "note": 2}
_CHANGES_ATOMS = {
    "SUPERCEL", "SUPERCELL", "SUPERCON", "SCELCONF", "SCELPHONO", "SLABCUT", "SLAB", "ATOMREMO", "ATOMINSE", "ATOMSUBS",
    "NANOTUBE", "SWCNT", "MOLEBSSE", "ATOMBSSE", "PRIMITIV", "WULFF",
}  # fmt: skip
_REPEATABLE = {
    "BREAKSYM", "KEEPSYMM", "FRACTION", "ANGSTROM", "BOHR", "ATOMREMO", "ATOMINSE", "ATOMDISP", "ATOMSUBS", "PPAN", "SETPRINT",
}  # fmt: skip
_INPUT_FILES = {
    "GUESSP": ("fort.20", "the wave function of an earlier run"),
    "GUESSF": ("fort.20", "the wave function of an earlier run"),
}
_RESTART_FILES = {
    "OPTGEOM": "OPTINFO.DAT",
    "FREQCALC": "FREQINFO.DAT",
    "ELASTCON": "ELASINFO.DAT",
    "EOS": "EOSINFO.DAT",
}


def check_deck(text: str, role: str | None = None, files: Collection[str] | None = None) -> list[Finding]:
    """Findings of one deck, in the order of their lines.

    Args:
        role: `d12` or `d3`; None: by its first keyword.
        files: names of files that will lie beside the deck; None: not known, then no file is missed.
    """
    if reason := oversize(text):
        return [Finding(1, "error", "deck", f"is not read: {reason}", "Split it, or take out what is not needed.")]
    deck = read_deck(text, "d12" if role == "d12" else "d3" if role == "d3" else None)
    found = [*deck.findings, *_check_text(deck)]
    for rule in _D3_RULES if deck.role == "d3" else _D12_RULES:
        found += rule(deck)
    if files is not None:
        found += _check_files(deck, files)
    return _first(sorted(dict.fromkeys(found), key=lambda finding: finding.line))


def _first(found: list[Finding]) -> list[Finding]:
    """At most `MAX_FINDINGS`, errors before all others; what is left out is counted."""
    if len(found) <= MAX_FINDINGS:
        return found
    kept = sorted(found, key=lambda finding: RANK[finding.severity])[:MAX_FINDINGS]
    rest = len(found) - len(kept)
    more = Finding(found[-1].line, "note", "", f"{rest} further findings are not listed", "Correct the first ones.")
    return [*sorted(kept, key=lambda finding: finding.line), more]


def crystal_of(deck: Deck) -> Bulk | None:
    """The bulk crystal that a deck describes before any keyword changes it; None: it is no such crystal.

    Raises:
        StructureError: its cell or its atoms cannot be.
    """
    geometry = deck.geometry
    if geometry.kind != "CRYSTAL" or not geometry.atoms or geometry.group is None or geometry.flags[2] > 1:
        return None
    rhombohedral = bool(geometry.flags[1])
    names = minimal_parameters(geometry.group, rhombohedral)
    cell = full_cell(geometry.group, dict(zip(names, geometry.cell, strict=True)), rhombohedral)
    lattice_vectors(cell)
    atoms = geometry.atoms
    numbers = tuple(_atomic(row[0]) for row in atoms)
    positions = tuple((x, y, z) for _, x, y, z in atoms)
    return Bulk(geometry.group, cell, numbers, positions, rhombohedral, geometry.flags[2] == 1)


def _atomic(conventional: int) -> int:
    """Z from CRYSTAL's conventional atomic number: Z + 100 k, or Z + 200 with a pseudopotential."""
    return (conventional - 200 if conventional > 200 else conventional) % 100


def _finding(entry: Entry, severity: Severity, message: str, remedy: str = "") -> Finding:
    return Finding(entry.line, severity, entry.name, message, remedy)


# -- text ----------------------------------------------------------------------------------------------------------------


def _check_text(deck: Deck) -> Iterator[Finding]:
    if "\r" in deck.text:
        yield Finding(1, "warning", "", "the lines end as on Windows", "Save it with Unix line ends.")
    for index, line in enumerate(deck.text.split("\n"), start=1):
        if not line.isascii():
            yield Finding(index, "warning", "", "holds a character outside ASCII", "Write it with plain letters.")
        if "\t" in line.split("#", 1)[0]:
            yield Finding(index, "note", "", "holds a tab", "Use blanks.")


def _check_title(deck: Deck) -> Iterator[Finding]:
    if not deck.title:
        yield Finding(1, "error", "title", "is empty", "CRYSTAL's first line is a title.")
    elif len(deck.title) > MAX_TITLE:
        yield Finding(1, "warning", "title", f"is cut after {MAX_TITLE} characters")


# -- geometry ------------------------------------------------------------------------------------------------------------


def _check_geometry(deck: Deck) -> Iterator[Finding]:
    geometry = deck.geometry
    atoms, lines = geometry.atoms, geometry.atom_lines
    for (number, *_), line in zip(atoms, lines, strict=True):
        if not 1 <= _atomic(number) < len(SYMBOLS):
            yield Finding(line, "error", geometry.kind, f"{number} is no conventional atomic number")
            return
    if geometry.kind == "CRYSTAL" and geometry.flags[1] and geometry.group not in (146, 148, 155, 160, 161, 166, 167):
        yield Finding(geometry.line + 1, "error", "CRYSTAL", "IFHR 1 is for rhombohedral groups only", "Write 0 there.")
        return
    try:
        crystal = crystal_of(deck)
        if crystal is not None:
            crystal.check()
    except StructureError as error:
        close = error.field == "atoms"
        line = lines[0] if close and lines else geometry.cell_line
        message = str(error).split(": give each")[0]
        yield Finding(line, "error", geometry.kind, message, "Check units, setting, and that each atom is given once.")
    if geometry.kind == "MOLECULE" and geometry.group == 1:
        yield from _close_atoms(deck)


def _close_atoms(deck: Deck) -> Iterator[Finding]:
    positions = np.array([row[1:] for row in deck.geometry.atoms], dtype=float)
    if len(positions) > MAX_ATOMS:
        line = deck.geometry.atom_lines[0]
        yield Finding(line, "error", "MOLECULE", f"has {len(positions)} atoms; at most {MAX_ATOMS} are taken")
        return
    for index in (index for index in crowded(positions, np.eye(3), 0) if index):
        distances = np.linalg.norm(positions[:index] - positions[index], axis=1)
        if distances.min() < 0.4:
            other = int(np.argmin(distances)) + 1
            yield Finding(
                deck.geometry.atom_lines[index],
                "error",
                "MOLECULE",
                f"atom {index + 1} is {distances.min():.2f} Å from atom {other}",
                "Coordinates are in Å.",
            )


def _check_relaxation(deck: Deck) -> Iterator[Finding]:
    frequencies = deck.find("FREQCALC")
    tolerance = next((entry for entry in deck.hamiltonian if entry.name == "TOLDEE"), None)
    if frequencies and tolerance and tolerance.values and int(tolerance.values[0][0]) < 9:
        yield _finding(tolerance, "warning", "is too loose for frequencies", "Use 10 or more.")
    optimisation = deck.find("OPTGEOM")
    if optimisation:
        kinds = [
            e for e in optimisation.entries if e.name in ("FULLOPTG", "ATOMONLY", "CELLONLY", "ITATOCEL", "CVOLOPT")
        ]
        if len(kinds) > 1:
            yield _finding(kinds[1], "error", f"excludes {kinds[0].name}", "Keep one of them.")
        if deck.geometry.kind == "MOLECULE" and kinds and kinds[0].name not in ("ATOMONLY",):
            yield _finding(kinds[0], "error", "needs a cell, and a molecule has none", "Use ATOMONLY.")
    if any(e.name == "DISPERSI" for e in (frequencies.entries if frequencies else [])) and not deck.find("SCELPHONO"):
        assert frequencies is not None
        yield _finding(frequencies, "error", "DISPERSI needs SCELPHONO before it", "Add SCELPHONO with the supercell.")


# -- basis set -----------------------------------------------------------------------------------------------------------


def _check_basis(deck: Deck) -> Iterator[Finding]:
    numbers = Counter(row[0] for row in deck.geometry.atoms)
    inserted = [int(record[0]) for e in deck.geometry.entries if e.name == "ATOMINSE" for record in e.values[1:]]
    replaced = [int(record[1]) for e in deck.geometry.entries if e.name == "ATOMSUBS" for record in e.values[1:]]
    wanted = {*numbers, *inserted, *replaced}
    if deck.basis_name:
        if (
            wanted
            and deck.basis_name in INTERNAL_SETS
            and (missing := uncovered(deck.basis_name, tuple(map(_atomic, wanted))))
        ):
            yield Finding(
                deck.basis_line,
                "error",
                "BASISSET",
                f"{deck.basis_name} has no basis for {', '.join(missing)}",
                "Choose another set, or give an explicit one.",
            )
        return
    if not deck.basis:
        return
    given = Counter(element.number for element in deck.basis)
    for element in deck.basis:
        if given[element.number] > 1:
            yield Finding(element.line, "error", "basis set", f"{element.number} is given twice", "Remove one of them.")
            return
    for number in sorted(wanted - set(given)):
        symbol = SYMBOLS[_atomic(number)]
        yield Finding(
            deck.basis_line, "error", "basis set", f"{symbol} ({number}) has no basis", f"Add a block {number} NSHELL."
        )
    yield from _check_charge(deck)


def _check_charge(deck: Deck) -> Iterator[Finding]:
    """The formal occupations must make the cell neutral."""
    if deck.find("CHARGED") or "CHARGED" in deck.text.split():
        return
    charge = {element.number: _nuclear_charge(element) - element.charge for element in deck.basis}
    if all(abs(value) < 1e-6 for value in charge.values()):
        return
    if any(entry.name in _CHANGES_ATOMS for entry in deck.geometry.entries):
        return
    counts = _cell_counts(deck)
    if counts is None or any(number not in charge for number in counts):
        return
    total = sum(charge[number] * count for number, count in counts.items())
    if abs(total) > 1e-6:
        guilty = next(element for element in deck.basis if abs(charge[element.number]) > 1e-6)
        yield Finding(
            guilty.line,
            "error",
            "basis set",
            f"the occupations make a cell with charge {total:+g}, not a neutral one",
            "Correct the occupations CHE of the shells, or add CHARGED.",
        )


def _nuclear_charge(element: ElementBasis) -> float:
    """Electrons that an atom brings; a pseudopotential says how many it leaves."""
    return _atomic(element.number) if element.number < 200 else element.core_charge or element.charge


def _cell_counts(deck: Deck) -> Counter[int] | None:
    """Atoms per primitive cell by conventional number, where the symmetry is known here."""
    rows = deck.geometry.atoms
    if deck.geometry.kind in ("MOLECULE", "SLAB", "POLYMER"):
        return Counter(row[0] for row in rows) if deck.geometry.group == 1 else None
    try:
        crystal = crystal_of(deck)
        multiplicities = crystal.multiplicities if crystal is not None else None
    except StructureError:
        return None
    if multiplicities is None:
        return None
    counts: Counter[int] = Counter()
    for row, multiplicity in zip(rows, multiplicities, strict=True):
        counts[row[0]] += multiplicity
    return counts


# -- Hamiltonian and SCF -------------------------------------------------------------------------------------------------


def _check_repeats(deck: Deck) -> Iterator[Finding]:
    for entries in (deck.hamiltonian, deck.geometry.entries):
        seen: set[str] = set()
        for entry in entries:
            if entry.name in seen and entry.name not in _REPEATABLE:
                yield _finding(entry, "warning", "stands twice in its block", "Keep one of them.")
            seen.add(entry.name)


def _check_shrink(deck: Deck) -> Iterator[Finding]:
    entry = next((entry for entry in deck.hamiltonian if entry.name == "SHRINK"), None)
    dimension = deck.geometry.dimension
    if entry is None:
        if deck.hamiltonian and dimension and deck.complete:
            line = deck.hamiltonian[-1].last
            yield Finding(line, "error", "SHRINK", "is missing", "A periodic structure needs SHRINK with IS ISP.")
        return
    if dimension == 0:
        yield _finding(entry, "note", "means nothing for a molecule", "Remove it.")
    if not entry.values:
        return
    first, gilat = (int(part) for part in entry.values[0])
    factors = [int(part) for part in entry.values[1]] if first == 0 and len(entry.values) > 1 else [first]
    if min(factors) < 1 or gilat < 1:
        yield _finding(entry, "error", "shrinking factors must be positive", "IS ISP, or 0 ISP and IS1 IS2 IS3.")
    elif gilat < max(factors):
        yield _finding(
            entry, "warning", f"the Gilat net {gilat} is coarser than the net {max(factors)}", "Use twice IS."
        )
    elif gilat % max(factors):
        yield _finding(entry, "note", f"the Gilat net {gilat} is no multiple of {max(factors)}")
    if first == 0 and dimension == 2 and factors[2:] not in ([], [1]):
        yield _finding(entry, "warning", "IS3 of a slab is 1")


def _check_tolerances(deck: Deck) -> Iterator[Finding]:
    entry = next((entry for entry in deck.hamiltonian if entry.name == "TOLINTEG"), None)
    if entry is None or not entry.values:
        return
    values = [int(part) for part in entry.values[0]]
    if min(values) < 1 or max(values) > 99:
        yield _finding(entry, "error", "tolerances are exponents from 1 to 99", "Usual: 7 7 7 7 14.")
    elif values[4] < values[3]:
        yield _finding(entry, "warning", "T5 is smaller than T4", "Usual: T5 is twice T4 or more.")
    elif values[3] < values[2]:
        yield _finding(entry, "warning", "T4 is smaller than T3")


_RANGES = {"TOLDEE": (1, 16), "MAXCYCLE": (0, 10000), "FMIXING": (0, 99), "LDREMO": (1, 20), "ILASIZE": (1, 10**9)}


def _check_scf(deck: Deck) -> Iterator[Finding]:
    for entry in deck.hamiltonian:
        low, high = _RANGES.get(entry.name, (None, None))
        if low is not None and high is not None and entry.values and not low <= int(entry.values[0][0]) <= high:
            yield _finding(entry, "error", f"{entry.values[0][0]} is outside {low} to {high}")
        if entry.name == "SMEAR" and entry.values and not 0 < number_of(entry.values[0][0]) <= 0.1:
            yield _finding(entry, "error", "the smearing is given in hartree, above 0 and at most 0.1")
    names = {entry.name for entry in deck.hamiltonian}
    accelerators = [entry for entry in deck.hamiltonian if entry.name in ("DIIS", "ANDERSON", "BROYDEN")]
    if len(accelerators) > 1:
        yield _finding(accelerators[1], "warning", f"excludes {accelerators[0].name}", "Keep one of them.")
    if {"SMEAR", "LEVSHIFT"} <= names:
        shift = next(entry for entry in deck.hamiltonian if entry.name == "LEVSHIFT")
        yield _finding(
            shift, "warning", "a level shift keeps a gap open that smearing needs closed", "Keep one of them."
        )
    functional = next((entry for entry in deck.hamiltonian if entry.name == "DFT"), None)
    if functional and functional.entries:
        kinds = {entry.name for entry in functional.entries} - {"SPIN"}
        if (
            "EXCHANGE" not in kinds
            and "CORRELAT" not in kinds
            and not any(_is_functional(entry) for entry in functional.entries)
        ):
            yield _finding(functional, "warning", "names no functional, so it is Hartree–Fock exchange only")


def _is_functional(entry: Entry) -> bool:
    return entry.name.removesuffix("-D3") in SINGLE_FUNCTIONALS or entry.name == "LSRSH-PBE"


def _check_spin(deck: Deck) -> Iterator[Finding]:
    polarised = deck.find("SPIN", "UHF", "ROHF", "TWOCOMPON", "TWOCOMPONENT")
    for entry in deck.hamiltonian:
        if entry.name in ("ATOMSPIN", "SPINLOCK", "BETALOCK") and polarised is None:
            yield _finding(entry, "error", "needs an open-shell calculation", "Put SPIN into DFT, or UHF before it.")
    electrons = _electrons(deck)
    if electrons is None:
        return
    if electrons % 2 and polarised is None and deck.hamiltonian:
        # A closed-shell metal with an odd number of electrons runs; a molecule does not.
        yield Finding(
            deck.hamiltonian[0].line,
            "error" if deck.geometry.kind == "MOLECULE" else "warning",
            "SPIN",
            f"the cell has {electrons} electrons, an odd number, and the calculation is closed-shell",
            "Put SPIN into DFT, or UHF into this block; without it only a metal makes sense.",
        )
    lock = next((entry for entry in deck.hamiltonian if entry.name == "SPINLOCK"), None)
    if lock and lock.values and (int(lock.values[0][0]) - electrons) % 2:
        yield _finding(
            lock,
            "error",
            f"{lock.values[0][0]} does not fit a cell with {electrons} electrons",
            "Both must be even, or both odd.",
        )


def _electrons(deck: Deck) -> int | None:
    """Electrons per primitive cell, where they are known: no charge, nothing added or removed."""
    if deck.find("CHARGED") or any(entry.name in _CHANGES_ATOMS for entry in deck.geometry.entries):
        return None
    counts = _cell_counts(deck)
    if not counts or any(number > 200 for number in counts):
        return None
    return sum(_atomic(number) * count for number, count in counts.items())


# -- properties ----------------------------------------------------------------------------------------------------------


def _check_properties(deck: Deck) -> Iterator[Finding]:
    seen: set[str] = set()
    for entry in deck.properties:
        if entry.name == "DOSS" and "NEWK" not in seen:
            yield _finding(entry, "error", "needs NEWK before it", "Put NEWK with IS ISP and 1 0 before DOSS.")
        seen.add(entry.name)
        if entry.name == "BAND" and len(entry.values) > 1:
            yield from _check_band(entry)
        if entry.name == "DOSS" and entry.values:
            yield from _check_doss(entry)


def _check_band(entry: Entry) -> Iterator[Finding]:
    count, shrink, points, first, last = (int(part) for part in entry.values[1][:5])
    if count < 1:
        yield _finding(entry, "error", "has no segment")
    if shrink < 0:
        yield _finding(entry, "error", f"the shrinking factor {shrink} must not be negative")
    if points < count:
        yield _finding(entry, "error", f"{points} points are too few for {count} segments")
    if not 1 <= first <= last:
        yield _finding(entry, "error", f"bands {first} to {last} are no range", "First and last band, counted from 1.")
    for number, segment in enumerate(entry.values[2:], start=1):
        if segment[: len(segment) // 2] == segment[len(segment) // 2 :]:
            yield _finding(entry, "error", f"segment {number} ends where it begins")


def _check_doss(entry: Entry) -> Iterator[Finding]:
    projections, points, first, last, _, polynomials = (int(part) for part in entry.values[0][:6])
    if abs(projections) > 15:
        yield _finding(entry, "error", f"{projections} projections are too many", "At most 15 are possible.")
    if points < 2:
        yield _finding(entry, "error", f"{points} points are too few")
    if not 0 <= polynomials <= 25:
        yield _finding(entry, "error", f"{polynomials} Legendre polynomials are outside 0 to 25", "Usual: 10 to 14.")
    if first < 0 and last < 0:
        low, high = (number_of(part) for part in entry.values[1])
        if low >= high:
            yield _finding(entry, "error", "the energy window is empty", "BMI BMA in hartree, BMI smaller.")
    elif not 1 <= first <= last:
        yield _finding(
            entry, "error", f"bands {first} to {last} are no range", "First and last band, or -1 -1 and a window."
        )


# -- files ---------------------------------------------------------------------------------------------------------------


def _check_files(deck: Deck, files: Collection[str]) -> Iterator[Finding]:
    if deck.role == "d3":
        name = "fort.98" if deck.find("RDFMWF") else "fort.9"
        if name not in files and not {"fort.9", "fort.98"} & set(files):
            yield Finding(1, "error", "properties", f"needs {name}", "Attach the wave function of an earlier job.")
        return
    if deck.geometry.kind == "EXTERNAL" and "fort.34" not in files:
        yield Finding(
            deck.geometry.line, "error", "EXTERNAL", "reads fort.34, which is not attached", "Attach a geometry."
        )
    for _, entry in deck.entries():
        if entry.name in _INPUT_FILES and _INPUT_FILES[entry.name][0] not in files:
            name, what = _INPUT_FILES[entry.name]
            yield _finding(entry, "error", f"reads {name}, which is not attached", f"Attach {what} as {name}.")
        if entry.name in _RESTART_FILES and any(inner.name == "RESTART" for inner in entry.entries):
            name = _RESTART_FILES[entry.name]
            if name not in files:
                yield _finding(entry, "error", f"RESTART reads {name}, which is not attached", f"Attach {name}.")


_D12_RULES: tuple[Callable[[Deck], Iterator[Finding]], ...] = (
    _check_title, _check_geometry, _check_relaxation, _check_basis, _check_repeats, _check_shrink, _check_tolerances, _check_scf,
    _check_spin,
)  # fmt: skip
_D3_RULES: tuple[Callable[[Deck], Iterator[Finding]], ...] = (_check_properties,)
