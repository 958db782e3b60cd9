"""Reading a deck into its model.

Reading never raises: what cannot be read becomes a finding with its line, and reading goes on at the next keyword that is
known.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import Literal

from app.crystal.decks.blocks import MAX_WORD, BlockReader, is_end
from app.crystal.decks.keywords import BASIS, HAMILTONIAN, PROPERTIES, TABLES, keyword_of
from app.crystal.decks.model import DIMENSIONS, Deck, ElementBasis, Entry, Finding, Shell
from app.crystal.records import RecordError, free, number_of
from app.crystal.structures.bulk import StructureError, minimal_parameters, space_group_of

ECP_NAMES = ("HAYWLC", "HAYWSC", "BARTHE", "DURAND", "STUTSC", "STUTLC")
SPLIT_CELL = "the cell parameters are spread over several lines"
MAX_DECK = 1_000_000
"""Characters of a deck."""
MAX_LINES = 20_000
CAPACITY = (2, 8, 6, 10, 14, 18)
"""Electrons that shells of type s, sp, p, d, f, g hold."""


def oversize(text: str) -> str:
    """Why a text is no deck for its size alone; empty: it may be one."""
    if len(text) > MAX_DECK:
        return f"it has {len(text):,} characters; a deck has at most {MAX_DECK:,}"
    lines = text.count("\n") + 1
    return f"it has {lines:,} lines; a deck has at most {MAX_LINES:,}" if lines > MAX_LINES else ""


def is_properties(text: str) -> bool:
    """Does this text begin as a deck of properties does?"""
    lines = (part for line in text.split("\n") if (part := line.split("#", 1)[0].strip()))
    first, second = next(lines, ""), next(lines, "")
    # A title may begin with any word: the structure behind it tells.
    structure = second.split()[:1] in ([kind] for kind in (*DIMENSIONS, "EXTERNAL", "DLVINPUT"))
    return bool(first) and not structure and keyword_of(PROPERTIES, first.split()[0]) is not None


def read_deck(text: str, role: Literal["d12", "d3"] | None = None) -> Deck:
    """Read a deck of either kind."""
    deck = Deck(role or ("d3" if is_properties(text) else "d12"), text)
    reader = _Reader(deck)
    if deck.role == "d3":
        deck.properties = reader.block("properties")
    else:
        reader.d12()
    for line, token in reader.cursor.unread.items():
        reader.report(
            line, "warning", "", f"{token} follows the numbers that are read", "Is a record before it missing?"
        )
    rest = reader.cursor.peek()
    if rest is not None and deck.complete:
        line = reader.cursor.at + 1
        deck.findings.append(Finding(line, "warning", "", "text after the last END is not read", "Remove it."))
    return deck


def read_basis(text: str) -> tuple[list[ElementBasis], list[Finding]]:
    """The blocks of a basis set in CRYSTAL format, with or without the closing `99 0`, and what is wrong with it."""
    deck = Deck("d12", text if re.search(r"^[ \t]*99[ \t]+0\b", text, re.MULTILINE) else f"{text.rstrip()}\n99 0\n")
    reader = _Reader(deck)
    reader.elements()
    return deck.basis, deck.findings


class _Reader(BlockReader):
    # -- the blocks of a d12 -----------------------------------------------------------------------------------

    def d12(self) -> None:
        deck, cursor = self.deck, self.cursor
        try:
            deck.title = cursor.title().strip()
            self.head()
        except RecordError as error:
            self.report(
                error.line, "error", deck.geometry.kind, str(error), "Compare with the manual's geometry input."
            )
            # What was only unusual may be what went wrong.
            deck.findings = [
                replace(finding, severity="error") if finding.message == SPLIT_CELL else finding
                for finding in deck.findings
            ]
            self.resynchronise(TABLES["geometry"], numeric_too=True)
        geometry = deck.geometry
        geometry.entries = self.block("geometry")
        closing = geometry.entries[-1] if geometry.entries else None
        if any(entry.name == "TESTGEOM" for entry in geometry.entries) and cursor.peek() is None:
            return
        if closing is not None and closing.name == "BASISSET":
            self.named_basis(closing)
        elif deck.complete:
            self.basis()
        if cursor.peek() is None and deck.complete:
            self.lost("Hamiltonian", "the Hamiltonian block is missing")
        elif deck.complete:
            deck.hamiltonian = self.block("Hamiltonian")

    def head(self) -> None:
        cursor, geometry = self.cursor, self.deck.geometry
        geometry.kind = cursor.keyword("CRYSTAL, SLAB, POLYMER, MOLECULE or EXTERNAL")
        geometry.line = cursor.last
        if geometry.kind in ("EXTERNAL", "DLVINPUT"):
            return
        if geometry.kind not in DIMENSIONS:
            near = difflib.get_close_matches(geometry.kind[:MAX_WORD].upper(), [*DIMENSIONS, "EXTERNAL"], 1)
            raise RecordError(
                cursor.last,
                f"{geometry.kind[:30]!r} is not a kind of structure{f'; did you mean {near[0]}?' if near else ''}",
            )
        cursor.dimension = DIMENSIONS[geometry.kind]
        if geometry.kind == "HELIX":
            free(cursor)
            self.report(geometry.line, "note", "HELIX", "its records are not checked here")
            return
        if geometry.kind == "CRYSTAL":
            first, second, third = (int(part) for part in cursor.numbers(3, "IFLAG IFHR IFSO", integer=True))
            geometry.flags = (first, second, third)
        self.group()
        self.cell()
        line = cursor.peek()
        if line is not None and len(line.split()) >= 4 and "." in line.split()[1]:
            raise RecordError(
                cursor.at + 1, "found an atom where the number of atoms is expected: is the record before it missing?"
            )
        [count] = cursor.numbers(1, "number of atoms", integer=True)
        if not 1 <= int(count) <= 100_000:
            raise RecordError(cursor.last, f"{count} atoms are not possible")
        for index in range(int(count)):
            wanted = f"atom {index + 1} of {count}: Z x y z"
            line = cursor.peek()
            if line is not None and not _is_atom(line):
                raise RecordError(cursor.at + 1, f"found {line.strip()[:40]!r} where {wanted} is expected")
            number, x, y, z = cursor.numbers(4, wanted)
            geometry.atoms.append((int(number_of(number)), number_of(x), number_of(y), number_of(z)))
            geometry.atom_lines.append(cursor.last)

    def group(self) -> None:
        cursor, geometry = self.cursor, self.deck.geometry
        if geometry.kind == "CRYSTAL" and geometry.flags[0] == 1:
            symbol = cursor.take("the space group's symbol").strip()
            geometry.symbol, geometry.group = symbol, space_group_of(symbol)
            if geometry.group is None:
                self.report(
                    cursor.last, "warning", "CRYSTAL", f"the space group symbol {symbol[:20]!r} is not known here"
                )
        else:
            highest = {"CRYSTAL": 230, "SLAB": 80, "POLYMER": 99, "MOLECULE": 47}[geometry.kind]
            geometry.group = int(cursor.numbers(1, "the group's number", integer=True)[0])
            if not 1 <= geometry.group <= highest:
                raise RecordError(cursor.last, f"group {geometry.group} is outside 1 to {highest}")
        geometry.group_line = cursor.last
        if geometry.flags[2] > 1:
            first, second, third = (int(part) for part in cursor.numbers(3, "shift of the origin", integer=True))
            geometry.shift = (first, second, third)

    def cell(self) -> None:
        geometry = self.deck.geometry
        if geometry.kind == "MOLECULE":
            return
        count = self._cell_parameters()
        line = self.cursor.peek()
        geometry.cell_line = self.cursor.at + 1
        geometry.cell = [number_of(part) for part in self.cursor.numbers(count, "cell parameters")]
        if line is not None and len(line.split()) < count:
            self.report(geometry.cell_line, "warning", geometry.kind, SPLIT_CELL)
        if any(value <= 0 for value in geometry.cell):
            raise RecordError(self.cursor.last, "cell parameters must be positive")

    def _cell_parameters(self) -> int:
        geometry = self.deck.geometry
        if geometry.group is None:
            return max(len((self.cursor.peek() or "").replace(",", " ").split()), 1)
        group = geometry.group
        if geometry.kind == "CRYSTAL":
            try:
                return len(minimal_parameters(group, bool(geometry.flags[1])))
            except StructureError as error:
                raise RecordError(self.cursor.last, str(error)) from error
        if geometry.kind == "SLAB":
            return 3 if group <= 7 else 2 if group <= 48 else 1
        return 1

    # -- the basis set -----------------------------------------------------------------------------------------

    def named_basis(self, entry: Entry) -> None:
        """The name of an internal set; an END behind it is passed over where the Hamiltonian follows."""
        cursor = self.cursor
        if entry.values and entry.values[0]:
            self.deck.basis_name = entry.values[0][0].split()[0]
        self.deck.basis_line = entry.line
        line = cursor.peek()
        if line is None or not is_end(line):
            return
        at = cursor.at
        cursor.take()
        following = cursor.peek()
        if following is None or not keyword_of(HAMILTONIAN, following.split()[0]):
            cursor.at = at
            return
        self.report(
            cursor.last, "warning", "BASISSET", "END after the name of a set was not seen to run", "Remove END."
        )

    def basis(self) -> None:
        cursor = self.cursor
        self.deck.basis_line = cursor.at + 1
        line = cursor.peek()
        if line is not None and line.split()[0] == "BASISSET":
            self.report(cursor.at + 1, "warning", "BASISSET", "closes the geometry itself", "Remove the END before it.")
            entry = self.entry("geometry", TABLES["geometry"])
            if entry is not None:
                self.named_basis(entry)
            return
        self.elements()
        line = cursor.peek()
        if line is None:
            self.lost("basis set", "is not closed by END")
        elif not is_end(line) and not keyword_of(BASIS, line.split()[0]) and keyword_of(HAMILTONIAN, line.split()[0]):
            self.report(cursor.at + 1, "error", "basis set", "is not closed by END", "Put END after 99 0.")
        else:
            self.deck.basis_entries += self.block("basis set")

    def elements(self) -> None:
        """Blocks of elements up to 99 0."""
        deck, cursor = self.deck, self.cursor
        try:
            while True:
                line = cursor.peek()
                if line is not None and keyword_of(BASIS, line.split()[0]):
                    # Keywords of this block are also read before the elements.
                    entry = self.entry("basis set", BASIS)
                    deck.basis_entries += [entry] if entry is not None else []
                    continue
                number, shells = (int(part) for part in cursor.numbers(2, "Z and number of shells", integer=True))
                if number == 99:
                    break
                deck.basis.append(self.element(number, shells))
        except RecordError as error:
            self.report(
                error.line, "error", "basis set", str(error), "Each element: Z NSHELL, then its shells; 99 0 ends."
            )
            while (
                (line := cursor.peek()) is not None
                and not is_end(line)
                and not keyword_of(HAMILTONIAN, line.split()[0])
            ):
                cursor.take()

    def element(self, number: int, shells: int) -> ElementBasis:
        cursor, start = self.cursor, self.cursor.last
        if not 0 <= shells <= 60 or number < 0:
            raise RecordError(cursor.last, f"{number} {shells} is not a pair of Z and number of shells")
        ecp, core_charge = "", 0.0
        if number > 200:
            ecp = cursor.take("INPUT or the name of a pseudopotential").strip()
            if ecp.split()[0] in ("INPUT", "INPSOC"):
                core_charge = self.pseudopotential(spin_orbit=ecp.startswith("INPSOC"))
            elif ecp.split()[0] not in ECP_NAMES:
                if ecp[:1].isdigit():
                    raise RecordError(
                        cursor.last, f"{ecp[:20]!r} is not a pseudopotential; use INPUT or {', '.join(ECP_NAMES)}"
                    )
                self.report(cursor.last, "warning", "basis set", f"the pseudopotential {ecp[:20]!r} is not known here")
        read = []
        for index in range(shells):
            read.append(self.shell(f"shell {index + 1} of {shells}: ITYB LAT NG CHE SCAL"))
        return ElementBasis(number, start, tuple(read), ecp, core_charge, cursor.last)

    def pseudopotential(self, *, spin_orbit: bool) -> float:
        """ZNUC and the numbers of terms (five up to CRYSTAL06, six since), then the terms; returns ZNUC.

        How many records the spin–orbit terms take is not known here: all that are no shell are taken.
        """
        cursor = self.cursor
        counts = 5 if len((cursor.peek() or "").replace(",", " ").split()) == 6 else 6
        head = cursor.numbers(1 + counts, "ZNUC and the numbers of terms")
        cursor.unread.pop(cursor.last, None)
        for _ in range(sum(int(number_of(part)) for part in head[1:])):
            cursor.numbers(3, "a term of the pseudopotential")
        while spin_orbit and (line := cursor.peek()) is not None and len(line.split()) < 5 and not is_end(line):
            cursor.take()
        return number_of(head[0])

    def shell(self, wanted: str) -> Shell:
        cursor = self.cursor
        kind_text, angular_text, count_text, charge, scale = cursor.numbers(5, wanted)
        line = cursor.last
        try:
            kind, angular, count = int(kind_text), int(angular_text), int(count_text)
        except ValueError:
            raise RecordError(cursor.last, f"{wanted}: the first three must be integers") from None
        if kind not in (0, 1, 2) or not 0 <= angular <= 5 or not 1 <= count <= 60:
            raise RecordError(cursor.last, f"{wanted}: {kind} {angular} {count} is not possible")
        if not 0 <= number_of(charge) <= CAPACITY[angular]:
            raise RecordError(
                cursor.last, f"{wanted}: {charge} electrons in a shell that holds at most {CAPACITY[angular]}"
            )
        width = 3 if angular == 1 else 2
        rows = []
        for index in range(count if kind == 0 else 0):
            row = cursor.numbers(width, f"primitive {index + 1} of {count}")
            rows.append(tuple(number_of(part) for part in row))
            if rows[-1][0] <= 0:
                raise RecordError(cursor.last, "an exponent must be positive")
        return Shell(kind, angular, number_of(charge), tuple(rows), line, scale)


def _is_atom(line: str) -> bool:
    parts = line.replace(",", " ").split()
    return bool(parts) and parts[0].lstrip("+-").isdigit()
