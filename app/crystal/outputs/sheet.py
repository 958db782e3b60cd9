"""What all sections of a reader share: the results that they fill, where the calculation is, and which table is open."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from app.crystal.outputs.facts.geometry import Geometry
from app.crystal.outputs.numbers import finite_number, number
from app.crystal.outputs.results import Progress, Results
from app.crystal.outputs.series import Series
from app.crystal.outputs.state import State

__all__ = ["Row", "Section", "Sections", "Sheet", "finite_number", "keep", "number"]

Row = Callable[[str], bool]
"""Reads a line of a table. False: the table has ended, and the line is an ordinary one."""
Run = tuple[Row, re.Pattern[str], Callable[[str], None]]
"""Rows of a table that may be long, taken all at once where they follow one another.

What reads them one by one; how what stands below the heading looks, with the group `rows` of lines each after an end of line; what
takes these.
"""
_MAX_KEPT = 50


@dataclass
class Sheet:
    """`table` reads the next lines, one by one, until it has enough."""

    results: Results = field(default_factory=Results)
    progress: Progress = field(default_factory=Progress)
    series: Series = field(default_factory=Series)
    table: Row | None = None
    run: Run | None = None
    """Set with a table that can take its first rows at once."""
    spin: str = ""
    """The spin that the lines which follow speak of: alpha, beta, or none."""
    cells: dict[int, Callable[[], Geometry]] = field(default_factory=dict)
    """How many atoms a printed cell has → the last one of this size."""
    sections: Callable[[], Sections | None] = lambda: None
    """Those of the reader. They are its own, and know this sheet: without a circle all of it is freed with the reader."""
    state: State = field(default_factory=State)
    """Of the electrons, as it was printed last."""
    frequencies_asked: bool = False
    in_frequencies: bool = False
    """The SCFs at displaced geometries have begun: their energies are not results."""

    def finish_others(self, section: Section) -> None:
        """Let the sections after this one conclude what they know by now."""
        sections = self.sections() or Sections()
        for other in reversed(sections[sections.index(section) + 1 :]):
            other.finish()

    def begin_anew(self) -> None:
        """Forget everything: another run of the program begins in the same file, and nothing of the one before is its own."""
        sections = self.sections
        self.__init__(sections=sections)  # type: ignore[misc]
        for section in sections() or ():
            section.__init__(self)  # type: ignore[misc]

    def complain(self, line: str) -> None:
        """Keep a line that the program printed as an error."""
        keep(self.results.errors, line)


class Section:
    """A part of the output with what it means. A method `on_<kind>` takes the lines of that kind of mark."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet

    def finish(self) -> None:
        """Write into the results what only the end of the lines read so far decides. May be called again."""


class Sections(list[Section]):
    """Sections in the order in which they hear of a line."""

    __slots__ = ("__weakref__",)


def keep(kept: list[str], line: str) -> None:
    """Keep a line once, without its padding."""
    text = " ".join(line.split())
    if text not in kept and len(kept) < _MAX_KEPT:
        kept.append(text)
