"""Reading blocks of keywords up to the END that closes them.

A word that is not known is told as a note, and reading goes on at the next word. It may have opened a block: what follows
an END then decides which block that END closes.
"""

from __future__ import annotations

import difflib

from app.crystal.decks.keywords import REGIONS, TABLES, Keyword, Table, keyword_of
from app.crystal.decks.model import Deck, Entry, Finding, Severity
from app.crystal.records import Cursor, RecordError

UNKNOWN_KEYWORD = "is not known here, so its records are not checked"
MAX_WORD = 30
MAX_SUGGESTIONS = 30
"""Unknown words of one deck for which a similar keyword is looked for: it takes a millisecond each."""
ANYWHERE = {
    "PRINT", "PRINTALL", "PRINTOUT", "PARAMPRT", "SETPRINT", "SETINF", "SYMMOPS", "NEIGHBOR", "NEIGHPRT", "EXTPRT", "COORPRT",
    "CIFPRT", "STOP", "GAUSS98", "NOPRINT", "RESTART", "FRACTION", "ANGSTROM", "BOHR", "TEST", "MOLDRAW", "NOGUESS",
}  # fmt: skip
"""Words of many blocks: where a table lacks one of them, it is the table that may be wrong."""
LITTLE_KNOWN = {"QHA", "ANHARM", "PHOTOELA", "PROF", "BOLTZTRA"}
"""Blocks of which only some keywords are known here: a word of another block may belong in them too."""
_MOST_ENDS = 50
"""ENDs in a row that are looked at."""
_SURE, _OPEN, _UNKNOWN = range(3)
"""How well a block is understood so far: fully; a keyword may have opened a block; a word is not known."""


class BlockReader:
    """Reads the keywords of a deck; what is wrong becomes a finding, never an exception."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self.cursor = Cursor.of(deck.text)
        self.suggestions = 0
        self.open: list[str] = []
        """Names of the blocks that are open, the innermost last."""
        self.doubts: list[int] = []
        """How well each of them is understood."""

    def report(self, line: int, severity: Severity, keyword: str, message: str, remedy: str = "") -> None:
        """Add a finding."""
        self.deck.findings.append(Finding(max(line, 1), severity, keyword, message, remedy))

    def block(self, name: str) -> list[Entry]:
        """Keywords up to the END that closes the block, or up to BASISSET, which closes the geometry."""
        self.open.append(name)
        self.doubts.append(_SURE)
        try:
            return self._entries(name, TABLES[name])
        finally:
            self.open.pop()
            self.doubts.pop()

    def _entries(self, name: str, table: Table) -> list[Entry]:
        cursor, entries = self.cursor, list[Entry]()
        while (line := cursor.peek()) is not None:
            if is_end(line):
                inner = self.doubts[-1] != _SURE and self._closes_unknown_block()
                cursor.take()
                if inner:
                    continue
                return entries
            if self._misses_end(line):
                return entries
            entry = self.entry(name, table)
            if entry is None:
                continue
            entries.append(entry)
            if entry.name == "STOP":
                # CRYSTAL reads no further.
                self.deck.complete = False
                return entries
            if (entry.name == "BASISSET" and name == "geometry") or (
                table[entry.name].ends_all and cursor.peek() is None
            ):
                return entries
        self.lost(name, "is not closed by END")
        return entries

    def entry(self, block: str, table: Table) -> Entry | None:
        """The next keyword with its records and its block; None where it is not known in this block."""
        cursor = self.cursor
        word = cursor.keyword()
        start, name = cursor.last, keyword_of(table, word)
        if name is None:
            self.unknown(block, table, word, start)
            return None
        keyword = table[name]
        entry = Entry(name, start, start, [])
        try:
            entry.values = keyword.read(cursor)
        except RecordError as error:
            self.report(error.line, "error", name, str(error), keyword.meaning)
            self.resynchronise(table, numeric_too=False)
        if keyword.unsure or keyword.may_open:
            self.doubts[-1] = max(self.doubts[-1], _OPEN)
        if opened := self._opened(keyword, table):
            entry.entries = self.block(opened)
        entry.last = cursor.last
        return entry

    def _opened(self, keyword: Keyword, table: Table) -> str:
        """The block that follows the keyword; empty: none."""
        if not keyword.may_open:
            return keyword.opens
        line = self.cursor.peek()
        word = line.split()[0] if line is not None else ""
        follows = keyword_of(TABLES[keyword.may_open], word) is not None and keyword_of(table, word) is None
        return keyword.may_open if follows else ""

    # -- words that are not known ------------------------------------------------------------------------------

    def unknown(self, block: str, table: Table, name: str, line: int) -> None:
        """Tell of a word that is none of this block's, and go on behind its records."""
        homes = [other for other, content in TABLES.items() if keyword_of(content, name)]
        misplaced = (
            bool(homes)
            and name not in ANYWHERE
            and block not in LITTLE_KNOWN
            and self.doubts[-1] == _SURE
            and (block == REGIONS[block] or all(REGIONS[home] != REGIONS[block] for home in homes))
        )
        if misplaced:
            self.report(
                line,
                "error",
                name,
                f"does not belong in the block {block}",
                f"It belongs in {' or '.join(homes)}: is an END missing, or one too many?",
            )
        elif not name[:1].isalpha():
            self.report(
                line,
                "error" if self.doubts[-1] != _UNKNOWN else "note",
                name[:20],
                f"appears in the block {block} where a keyword is expected",
                "Does the keyword before it take fewer records?",
            )
        else:
            self._tell_unknown(homes, table, name, line)
        self.resynchronise(table, numeric_too=False)

    def _tell_unknown(self, homes: list[str], table: Table, name: str, line: int) -> None:
        if not homes:
            self.doubts[-1] = _UNKNOWN
        near = [] if homes else self.similar(name, table)
        message = f"{UNKNOWN_KEYWORD}; did you mean {near[0]}?" if near else UNKNOWN_KEYWORD
        self.report(line, "note", name[:20], message, f"It is known in {' and '.join(homes)}." if homes else "")

    def similar(self, name: str, table: Table) -> list[str]:
        """The keyword that may have been meant."""
        if len(name) > MAX_WORD or self.suggestions >= MAX_SUGGESTIONS:
            return []
        self.suggestions += 1
        return difflib.get_close_matches(name.upper(), table, 1, 0.8)

    def resynchronise(self, table: Table, *, numeric_too: bool) -> None:
        """Go on at the next line that begins with a keyword of this block or closes it."""
        while (line := self.cursor.peek()) is not None:
            word = line.split()[0]
            if keyword_of(table, word) or is_end(line) or (not numeric_too and word[:1].isalpha()):
                return
            self.cursor.take()

    # -- which block an END closes -----------------------------------------------------------------------------

    def _misses_end(self, line: str) -> bool:
        """Does a keyword of an outer block stand here, so that this block's END is missing? Then it counts as closed."""
        word = line.split()[0]
        here = self.open[-1]
        if word in ANYWHERE or keyword_of(TABLES[here], word) or (here in LITTLE_KNOWN and word != "BASISSET"):
            return False
        outer = next((name for name in reversed(self.open[:-1]) if keyword_of(TABLES[name], word)), None)
        if outer is None:
            return False
        self.report(
            self.cursor.at + 1,
            "error" if self.doubts[-1] != _UNKNOWN else "warning",
            word,
            f"does not belong in the block {here}",
            f"It belongs in {outer}: is an END missing, or one too many?",
        )
        return True

    def _closes_unknown_block(self) -> bool:
        """Does the END that comes next close a block that a word opened which is not known well enough?

        It closes the innermost open block if what follows the ENDs here fits then; else, if it fits with fewer of them.
        """
        ahead = self.cursor.at
        lines = self.cursor.lines
        ends, follower = 0, None
        while ahead < len(lines) and ends <= _MOST_ENDS:
            line = lines[ahead].strip()
            ahead += 1
            if line and is_end(line):
                ends += 1
            elif line:
                follower = line
                break
        fitting = [closed for closed in range(len(self.open) + 1) if closed <= ends and self._fits(follower, closed)]
        return bool(fitting) and max(fitting) < ends

    def _fits(self, follower: str | None, closed: int) -> bool:
        """May this line follow when so many of the open blocks are closed?"""
        if closed < len(self.open):
            return follower is not None and keyword_of(TABLES[self.open[-1 - closed]], follower.split()[0]) is not None
        outermost = self.open[0]
        if outermost == "geometry":
            parts = follower.split() if follower is not None else []
            return len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit()
        if outermost == "basis set":
            return follower is not None and keyword_of(TABLES["Hamiltonian"], follower.split()[0]) is not None
        return follower is None

    def lost(self, block: str, message: str) -> None:
        """The deck ended too early; only the first loss is worth telling."""
        if self.deck.complete:
            self.deck.complete = False
            severity: Severity = "warning" if _UNKNOWN in self.doubts else "error"
            self.report(max(self.cursor.last, 1), severity, block, message, "Put END after its last record.")


def is_unknown(finding: Finding) -> bool:
    """Is it about a word that is not known here?"""
    return finding.message.startswith(UNKNOWN_KEYWORD)


def is_end(line: str) -> bool:
    """END, ENDOPT, END OPTGEOM …: only the first three letters count."""
    word = line.lstrip()
    return word.startswith("END") and not word.startswith("ENDB3")
