"""Rules for the geometry block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from app.crystal.decks.contents import atomic_number, crystal_of, redundant_atoms
from app.crystal.decks.model import Deck, Entry, Finding, Severity, finding_at
from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import MAX_ATOMS, StructureError, crowded
from app.crystal.structures.contacts import Contact, shortest_contact

_MOVING = {"ATOMREMO", "ATOMDISP", "ATOMROT", "ATOMSUBS", "ATOMINSE", "ELASTIC"}


def check_geometry(deck: Deck) -> Iterator[Finding]:
    """Elements, flags, cell and distances are possible."""
    geometry = deck.geometry
    atoms, lines = geometry.atoms, geometry.atom_lines
    for (number, *_), line in zip(atoms, lines, strict=True):
        if not 0 <= atomic_number(number) < len(SYMBOLS):
            yield Finding(line, "error", geometry.kind, f"{number} is not a conventional atomic number")
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
        yield Finding(
            line, "error", geometry.kind, message, "Check the units and the setting, and that each atom appears once."
        )
    else:
        for row in redundant_atoms(deck):
            yield Finding(
                lines[row], "warning", geometry.kind, "the atom is a symmetry image of an earlier one", "List it once."
            )
        if crystal is not None:
            lattice, numbers, positions = crystal.primitive
            yield from _contact(deck, shortest_contact(numbers, positions, lattice, 3), numbers)
    if geometry.kind == "MOLECULE" and geometry.group == 1:
        yield from _close_atoms(deck)


def _contact(deck: Deck, contact: Contact | None, numbers: Sequence[int]) -> Iterator[Finding]:
    """Atoms that are too close for their size; keywords that move or remove atoms may well part them."""
    if contact is None or any(entry.name[:8] in _MOVING for entry in deck.geometry.entries):
        return
    names = [SYMBOLS[numbers[place]] for place in (contact.first, contact.second)]
    yield Finding(
        deck.geometry.line,
        "warning",
        deck.geometry.kind,
        f"{names[0]} and {names[1]} come within {contact.distance:.2f} Å of each other, where a bond has {contact.bond:.2f} Å",
        "Check the cell, the units and the setting.",
    )


def _close_atoms(deck: Deck) -> Iterator[Finding]:
    positions = np.array([row[1:] for row in deck.geometry.atoms], dtype=float)
    if len(positions) > MAX_ATOMS:
        line = deck.geometry.atom_lines[0]
        yield Finding(line, "error", "MOLECULE", f"has {len(positions)} atoms; at most {MAX_ATOMS} are allowed")
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

    if not any(finding for finding in crowded(positions, np.eye(3), 0)):
        numbers = [atomic_number(number) for number, *_ in deck.geometry.atoms]
        yield from _contact(deck, shortest_contact(numbers, positions, np.eye(3), 0), numbers)


def check_relaxation(deck: Deck) -> Iterator[Finding]:
    """Optimisation and frequencies have the keywords and the SCF tolerance that they need."""
    frequencies = deck.find("FREQCALC")
    tolerance = next((entry for entry in deck.hamiltonian if entry.name == "TOLDEE"), None)
    if frequencies and tolerance and tolerance.values and int(tolerance.values[0][0]) < 9:
        yield finding_at(tolerance, "warning", "is too loose for frequencies", "Use 10 or more.")
    optimisation = deck.find("OPTGEOM")
    if optimisation:
        kinds = [e for e in optimisation.entries if e.name in ("FULLOPTG", "ATOMONLY", "CELLONLY", "ITATOCEL")]
        if len(kinds) > 1:
            yield finding_at(kinds[1], "warning", f"cannot be combined with {kinds[0].name}", "Keep one of them.")
        pressure = next((e for e in optimisation.entries if e.name in ("EXTPRESS", "EXTSTRESS")), None)
        if (
            pressure
            and (not kinds or kinds[0].name == "ATOMONLY")
            and "INTREDUN" not in {e.name for e in optimisation.entries}
        ):
            yield finding_at(
                pressure, "warning", "changes nothing while the cell is fixed", "Relax the cell too: FULLOPTG."
            )
        if deck.geometry.kind == "MOLECULE" and kinds and kinds[0].name not in ("ATOMONLY",):
            # Executed with CRYSTAL23.
            yield finding_at(
                kinds[0], "note", "a molecule has no cell: only its atoms are relaxed", "ATOMONLY says so."
            )
    if any(e.name == "DISPERSI" for e in (frequencies.entries if frequencies else [])) and not deck.find("SCELPHONO"):
        assert frequencies is not None
        yield finding_at(
            frequencies, "warning", "DISPERSI needs SCELPHONO before it", "Add SCELPHONO with the supercell."
        )


def check_calculations(deck: Deck) -> Iterator[Finding]:
    """Frequencies have what their options need; the supercell of phonons stands before them; flags have no blocks."""
    names = [entry.name for entry in deck.geometry.entries]
    for number, entry in enumerate(deck.geometry.entries):
        if entry.name == "SCELPHONO" and "FREQCALC" in names[:number]:
            yield finding_at(entry, "error", "stands after FREQCALC, so it comes too late", "Put it before FREQCALC.")
        if entry.name == "FREQCALC":
            yield from _check_frequencies(entry)
        if entry.name in ("ELASTCON", "ELAPIEZO", "PIEZOCON", "PHOTOELA"):
            for flag in (inner for inner in entry.entries if inner.name == "PREOPTGEOM" and inner.entries):
                yield finding_at(
                    flag,
                    "warning",
                    f"is a flag within {entry.name} in all decks that were seen to run; a block after it was not",
                    "Remove its block, or optimise the geometry in a calculation of its own.",
                )


def _check_frequencies(frequencies: Entry) -> Iterator[Finding]:
    """Executed decks have INTENS, INTRAMAN, INTCPHF … END in this order."""
    names = [entry.name for entry in frequencies.entries]
    for entry in frequencies.entries:
        if entry.name == "INTRAMAN":
            for needed in ("INTENS", "INTCPHF"):
                if needed not in names:
                    # An interrupted run, or a tensor from a file, may already have it.
                    severity: Severity = "warning" if {"RESTART", "TENSOR"} & set(names) else "error"
                    yield finding_at(entry, severity, f"needs {needed}", "Write INTENS, INTRAMAN, INTCPHF and END.")
        needed_by = _NEEDS.get(entry.name, "")
        if needed_by and needed_by not in names:
            yield finding_at(entry, "warning", f"has no meaning without {needed_by}", f"Add {needed_by} before it.")


_NEEDS = {
    "RAMSPEC": "INTRAMAN", "RAMANEXP": "INTRAMAN", "IRSPEC": "INTENS", "INTPOL": "INTENS", "INTLOC": "INTENS", "INTCPHF": "INTENS",
    "BANDS": "DISPERSI", "PDOS": "DISPERSI", "INTERPHESS": "DISPERSI", "WANG": "DISPERSI",
}  # fmt: skip
"""Keywords of FREQCALC that refine another one."""
