"""One keyword of CRYSTAL, and tables of them."""

from __future__ import annotations

from dataclasses import dataclass

from app.crystal import records
from app.crystal.records import Reader, flag


@dataclass(frozen=True)
class Keyword:
    """One keyword: its meaning in a sentence, the reader of its records, and the block that it opens."""

    meaning: str
    read: Reader = flag
    opens: str = ""

    @property
    def closes(self) -> bool:
        """Are its records everything up to an END of their own?"""
        return self.read is records.until_end


Table = dict[str, Keyword]
"""The keywords of one block, by name."""
