"""Explicit basis sets: read from CRYSTAL format, occupied like the neutral atom, written into a deck.

Sets from elsewhere (the Basis Set Exchange among them) carry no occupations, and CRYSTAL refuses a cell whose occupations
do not add up: `occupied` fills the shells of each angular momentum in their order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.crystal.decks.model import ElementBasis, Shell
from app.crystal.decks.reading import read_basis
from app.crystal.elements import SYMBOLS

MAX_BYTES = 1_000_000
_ORDER = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (3, 2), (4, 1), (5, 0), (4, 2), (5, 1), (6, 0), (4, 3), (5, 2), (6, 1),
          (7, 0), (5, 3), (6, 2), (7, 1))  # fmt: skip
"""Subshells (n, l) as they fill."""
_CORES = {
    2: ((1, 0),),
    10: ((1, 0), (2, 0), (2, 1)),
    18: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1)),
    28: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)),
    36: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0), (4, 1)),
    46: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2)),
    54: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (5, 0), (5, 1)),
    60: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3)),
    68: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3), (5, 0), (5, 1)),
    78: ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3), (5, 0), (5, 1), (5, 2)),
}
"""Subshells that a pseudopotential for so many electrons replaces."""


class BasisError(ValueError):
    """The text is no usable basis set; `line` counts from 1, 0 where no line is at fault."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.line = line


@dataclass(frozen=True)
class BasisSet:
    """Blocks in CRYSTAL format by conventional atomic number, occupied like neutral atoms."""

    blocks: Mapping[int, str]
    notes: tuple[str, ...] = ()

    @property
    def numbers(self) -> frozenset[int]:
        """Atomic numbers of the elements that the set covers."""
        return frozenset(_nuclear(number) for number in self.blocks)

    @property
    def text(self) -> str:
        """The blocks of all elements in CRYSTAL format, by nuclear charge, without the closing `99 0`."""
        return "\n".join(self.blocks[number] for number in sorted(self.blocks, key=_nuclear))

    def block_of(self, z: int) -> str:
        """The block of an element.

        Raises:
            BasisError: the set does not cover it.
        """
        for number, block in self.blocks.items():
            if _nuclear(number) == z:
                return block
        raise BasisError(f"has no basis for {SYMBOLS[z]}")


def conventional_numbers(text: str) -> dict[int, int]:
    """Elements that a basis set numbers otherwise than by their Z: the deck must list their atoms by the same number."""
    numbers = [element.number for element in read_basis(text)[0]] if text else []
    return {_nuclear(number): number for number in numbers if number >= 100 and _nuclear(number) not in numbers}


def _nuclear(conventional: int) -> int:
    return (conventional - 200 if conventional > 200 else conventional) % 100


def read_basis_set(text: str) -> BasisSet:
    """Read, check and occupy a basis set.

    Raises:
        BasisError: names the line and the reason.
    """
    if len(text) > MAX_BYTES:
        raise BasisError(f"is larger than {MAX_BYTES // 1_000_000} MB")
    plain = "\n".join("" if re.match(r"\s*[*#!]", line) else line for line in text.replace("\r\n", "\n").split("\n"))
    if not plain.isascii():
        raise BasisError("contains non-ASCII characters")
    elements, findings = read_basis(plain)
    for finding in findings:
        raise BasisError(str(finding), finding.line)
    if not elements:
        raise BasisError("contains no element in CRYSTAL format (Z NSHELL, then its shells)")
    lines = plain.split("\n")
    blocks: dict[int, str] = {}
    notes: list[str] = []
    for element in elements:
        z = element.atomic_number
        if not 1 <= z < len(SYMBOLS):
            raise BasisError(f"{element.number} is not a conventional atomic number", element.line)
        if any(_nuclear(number) == z for number in blocks):
            raise BasisError(f"{SYMBOLS[z]} appears twice", element.line)
        filled = occupied(element)
        if filled != element:
            notes.append(SYMBOLS[z])
        blocks[element.number] = rewrite_element(lines, filled)
    remarks = (f"Occupations of the neutral atom were filled in for {', '.join(notes)}.",) if notes else ()
    return BasisSet(blocks, remarks)


def occupied(element: ElementBasis) -> ElementBasis:
    """The element with the occupations of its neutral atom, unless those that it brings are neutral already.

    Raises:
        BasisError: its shells cannot hold the electrons.
    """
    electrons = _electrons(element)
    if electrons is None or abs(element.charge - electrons) < 1e-6:
        return element
    left = _by_momentum(element.atomic_number, element.atomic_number - electrons)
    shells = []
    for shell in element.shells:
        charge = 0
        for momentum in (0, 1) if shell.angular == 1 else (max(shell.angular - 1, 0),):
            taken = min(left.get(momentum, 0), 2 * (2 * momentum + 1))
            left[momentum] = left.get(momentum, 0) - taken
            charge += taken
        shells.append(Shell(shell.type, shell.angular, float(charge), shell.primitives, shell.line, shell.scale))
    if any(left.values()):
        symbol = SYMBOLS[element.atomic_number]
        raise BasisError(f"the shells of {symbol} cannot hold its {electrons} electrons", element.line)
    return ElementBasis(element.number, element.line, tuple(shells), element.ecp, element.core_charge, element.last)


def _electrons(element: ElementBasis) -> int | None:
    """Electrons of the neutral atom that the basis describes; None for a named pseudopotential."""
    if element.number < 200:
        return element.atomic_number
    return round(element.core_charge) or None


def _by_momentum(z: int, core: int) -> dict[int, int]:
    """Electrons outside the core by angular momentum."""
    if core and core not in _CORES:
        raise BasisError(
            f"a pseudopotential for {core} electrons of {SYMBOLS[z]} is not known here: enter the occupations"
        )
    counts: dict[int, int] = {}
    left = z
    for shell in _ORDER:
        taken = min(left, 2 * (2 * shell[1] + 1))
        left -= taken
        if shell not in _CORES.get(core, ()):
            counts[shell[1]] = counts.get(shell[1], 0) + taken
    return counts


def rewrite_element(lines: list[str], element: ElementBasis) -> str:
    """The element's lines as they were, with the occupations of its shells."""
    own = {
        shell.line: f"{shell.type} {shell.angular} {_primitives(lines[shell.line - 1])} {shell.charge:g} {shell.scale}"
        for shell in element.shells
    }
    kept = (own.get(number, lines[number - 1].strip()) for number in range(element.line, element.last + 1))
    return "\n".join(line for line in kept if line)


def _primitives(head: str) -> str:
    return head.replace(",", " ").split()[2]
