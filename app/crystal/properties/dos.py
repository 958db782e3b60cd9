"""Densities of states as CRYSTAL writes them: DOSS.DAT, in the form that xmgrace reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.crystal.properties.rows import numbers_in

_HEAD = re.compile(r"#\s*NEPTS\s+(\d+)\s+NPROJ\s+(\d+)\s+NSPIN\s+(\d+)")
_FERMI = re.compile(r"#\s*EFERMI \(HARTREE\)\s+(\S+)")
_ABSOLUTE = 'XAXIS LABEL "ENERGY (HARTREE)"'
"""CRYSTAL14 and older write energies on the absolute scale, and no Fermi energy."""
MAX_NUMBERS = 5_000_000


class DosError(ValueError):
    """The file is no DOSS.DAT, or is cut."""

    def __init__(self, words: str, *, absent: bool = False) -> None:
        super().__init__(words)
        self.absent = absent
        """The file is whole, and holds other things."""


@dataclass(frozen=True)
class Dos:
    """Energies (hartree) from the Fermi energy, and densities (spin, projection, energy) in states/(Ha·cell).

    The last projection is the total. Where `fermi` is None the energies are on the absolute scale.
    """

    energies: np.ndarray
    densities: np.ndarray
    fermi: float | None

    def from_fermi(self, fermi: float | None) -> Dos:
        """The same with the Fermi energy of the calculation, where the file did not tell it."""
        if self.fermi is not None or fermi is None:
            return self
        return Dos(self.energies - fermi, self.densities, fermi)


def read_dos(text: str, *, signed: bool = False) -> Dos:
    """The contents of a DOSS.DAT.

    Args:
        signed: values of both signs are meant, as in overlap and Hamilton populations (COOP, COHP), which are written in
            the same form. Whether the second spin is then written with its sign changed is not known: it is refused.

    Raises:
        DosError
    """
    head = _HEAD.search(text[:2000])
    if head is None:
        raise DosError("it does not begin with NEPTS, NPROJ and NSPIN")
    points, count, spins = (int(part) for part in head.groups())
    if spins == 0:
        raise DosError("it has no spins: a density of states of phonons, not of electrons")
    if not (points and count and spins) or points * (count + 1) * spins > MAX_NUMBERS:
        raise DosError(f"{points} energies of {count} projections are implausible")
    if signed and spins == 2:
        raise DosError("the signs of the second spin are not known")
    rows: list[list[float]] = []
    fermi = None
    for line in text.splitlines():
        if line.startswith("#"):
            if match := _FERMI.match(line):
                fermi = _number(match.group(1))
        elif line.strip() and not line.startswith(("@", "&")):
            rows.append(_row(line))
    if len(rows) != points * spins or any(len(row) != count + 1 for row in rows):
        raise DosError(f"it has {len(rows)} of {points * spins} rows: the file is truncated")
    table = np.array(rows).reshape(spins, points, count + 1)
    densities = table[:, :, 1:].transpose(0, 2, 1)
    # The second spin is written with a minus sign, for a picture that mirrors it.
    return Dos(
        table[0, :, 0], np.abs(densities) if spins == 2 else densities, None if _ABSOLUTE in text[:2000] else fermi
    )


def projection_names(deck: str, symbols: Mapping[int, str]) -> list[str]:
    """Names of the projections that a `.d3` asks for; the total is not among them.

    Args:
        symbols: elements of the atoms by their number in the output.
    """
    lines = [line.strip() for line in deck.split("\n")]
    if "DOSS" not in lines:
        return []
    rows = lines[lines.index("DOSS") + 1 :]
    try:
        wanted = [int(part) for part in rows[0].split()[:7]]
        # With the band limits −1 −1 a line of energies follows.
        first = 2 if wanted[2] == wanted[3] == -1 else 1
        return [
            _projection([int(part) for part in row.split()], symbols) for row in rows[first : first + abs(wanted[0])]
        ]
    except (ValueError, IndexError):
        return []


def _projection(numbers: Sequence[int], symbols: Mapping[int, str]) -> str:
    count, members = numbers[0], numbers[1 : 1 + abs(numbers[0])]
    if count >= 0:
        return f"orbitals {_ranges(members)}"
    names = {symbols.get(member, "") for member in members}
    if len(names) == 1 and (name := names.pop()):
        every = [member for member, symbol in symbols.items() if symbol == name]
        return name if sorted(every) == sorted(members) else f"{name} ({_ranges(members)})"
    return f"atoms {_ranges(members)}"


def _ranges(numbers: Sequence[int]) -> str:
    """`1, 2, 3, 7` as `1–3, 7`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{first}–{last}" if last > first else f"{first}" for first, last in parts)


def _row(line: str) -> list[float]:
    try:
        return numbers_in(line)
    except ValueError as error:
        raise DosError(str(error)) from error


def _number(text: str) -> float:
    numbers = _row(text)
    if len(numbers) != 1:
        raise DosError(f"{text[:20]!r} is not a number")
    return numbers[0]
