"""A deck as a structure: its blocks, the keywords in them with their records, and the lines on which everything stands.

It holds what was written, as texts; nothing is interpreted beyond the shape of the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from app.crystal.decks.keywords import TABLES
from app.crystal.records import Values

Severity = Literal["error", "warning", "note"]
DIMENSIONS = {"CRYSTAL": 3, "SLAB": 2, "POLYMER": 1, "HELIX": 1, "MOLECULE": 0}


@dataclass(frozen=True)
class Finding:
    """What is wrong or noteworthy at a line (from 1)."""

    line: int
    severity: Severity
    keyword: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.keyword}: " if self.keyword else ""
        return f"{where}{self.message}.{f' {self.remedy}' if self.remedy else ''}"


@dataclass
class Entry:
    """A keyword with its records; `entries` where it opens a block."""

    name: str
    line: int
    last: int
    values: Values
    entries: list[Entry] = field(default_factory=list)


def finding_at(entry: Entry, severity: Severity, message: str, remedy: str = "") -> Finding:
    """A finding about a keyword, at its line."""
    return Finding(entry.line, severity, entry.name, message, remedy)


Atom = tuple[int, float, float, float]
"""Conventional atomic number and coordinates, as typed."""


@dataclass
class Geometry:
    """The head of the geometry block: how the structure is given."""

    kind: str = ""
    line: int = 0
    group: int | None = None
    """None also for a symbol that is not known here."""
    symbol: str = ""
    """The Hermann–Mauguin symbol, where the group is given so."""
    group_line: int = 0
    flags: tuple[int, int, int] = (0, 0, 0)
    shift: tuple[int, int, int] | None = None
    cell: list[float] = field(default_factory=list)
    cell_line: int = 0
    atoms: list[Atom] = field(default_factory=list)
    atom_lines: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def dimension(self) -> int | None:
        """Periodic directions; None for EXTERNAL, where the file says it."""
        return DIMENSIONS.get(self.kind)


@dataclass(frozen=True)
class Shell:
    """One shell of a basis set: the record ITYB LAT NG CHE SCAL, then a tuple of exponent and coefficients per
    primitive."""

    type: int
    angular: int
    charge: float
    primitives: tuple[tuple[float, ...], ...] = ()
    line: int = 0
    scale: str = "1.0"


@dataclass(frozen=True)
class ElementBasis:
    """The basis of one conventional atomic number."""

    number: int
    line: int
    shells: tuple[Shell, ...]
    ecp: str = ""
    core_charge: float = 0.0
    """Charge that a pseudopotential given by INPUT leaves; 0: not known."""
    last: int = 0

    @property
    def atomic_number(self) -> int:
        """Z, from CRYSTAL's conventional atomic number: Z + 100 k, or Z + 200 with a pseudopotential."""
        return (self.number - 200 if self.number > 200 else self.number) % 100

    @property
    def charge(self) -> float:
        """Electrons that the shells hold formally."""
        return sum(shell.charge for shell in self.shells)


@dataclass
class Deck:
    """A `.d12` (title, geometry, basis, Hamiltonian) or a `.d3` (properties)."""

    role: Literal["d12", "d3"]
    text: str
    title: str = ""
    geometry: Geometry = field(default_factory=Geometry)
    basis_name: str = ""
    basis_line: int = 0
    basis: list[ElementBasis] = field(default_factory=list)
    basis_entries: list[Entry] = field(default_factory=list)
    """Keywords within the basis-set block."""
    hamiltonian: list[Entry] = field(default_factory=list)
    properties: list[Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """All keywords with the block in which they stand."""
        stack = [
            *(("geometry", entry) for entry in self.geometry.entries),
            *(("basis set", entry) for entry in self.basis_entries),
            *(("Hamiltonian", entry) for entry in self.hamiltonian),
            *(("properties", entry) for entry in self.properties),
        ]
        for block, entry in stack:
            yield from _walk(block, entry)

    def find(self, *names: str) -> Entry | None:
        """The first keyword of one of these names, in any block."""
        return next((entry for _, entry in self.entries() if entry.name in names), None)


def _walk(block: str, entry: Entry) -> Iterator[tuple[str, Entry]]:
    yield block, entry
    for inner in entry.entries:
        # CPKS opens the same block as CPHF: the block's name is not always the keyword's.
        keyword = TABLES[block][entry.name]
        yield from _walk(keyword.opens or keyword.may_open, inner)
