"""One keyword of CRYSTAL, and tables of them."""

from __future__ import annotations

from dataclasses import dataclass

from app.crystal import records
from app.crystal.records import Reader, flag

SIGNIFICANT = 8
"""Letters of a keyword that CRYSTAL compares: DISPERSION is DISPERSI (executed)."""


@dataclass(frozen=True)
class Keyword:
    """One keyword: its meaning in a sentence, the reader of its records, and the block that it opens."""

    meaning: str
    read: Reader = flag
    opens: str = ""
    may_open: str = ""
    """The block that some write after it although it is a flag where it was seen to run."""
    ends_all: bool = False
    """Does the END of its block also end the deck, where nothing follows?"""

    @property
    def closes(self) -> bool:
        """Are its records everything up to an END of their own?"""
        return self.read is records.until_end

    @property
    def unsure(self) -> bool:
        """Is it not known whether it opens a block?"""
        return self.read is records.unsure


Table = dict[str, Keyword]
"""The keywords of one block, by name."""


def keyword_of(table: Table, word: str) -> str | None:
    """The keyword of the table that CRYSTAL takes `word` for: itself, or the shortest with the same first letters."""
    if word in table:
        return word
    if len(word) < SIGNIFICANT:
        return None
    return _by_beginning(id(table), table)[1].get(word[:SIGNIFICANT])


_BEGINNINGS: dict[int, tuple[Table, dict[str, str]]] = {}
"""Keywords by their first letters, of each table that was asked for; the table is kept, so that its id stays its own."""


def _by_beginning(key: int, table: Table) -> tuple[Table, dict[str, str]]:
    if key not in _BEGINNINGS:
        names = sorted((name for name in table if len(name) >= SIGNIFICANT), key=len, reverse=True)
        _BEGINNINGS[key] = table, {name[:SIGNIFICANT]: name for name in names}
    return _BEGINNINGS[key]
