"""Streaming reader of CRYSTAL outputs: fed bytes as they come, it knows the progress at any time and the results at the end.

The file may grow, may be cut in mid-line, may begin with foreign text and hold bytes that are not UTF-8. `marks` finds the
lines that matter; the sections of the output take them. Memory does not grow with the file: what grows is bounded in `series`.
"""

from __future__ import annotations

from app.crystal.outputs.geometry import GeometrySection
from app.crystal.outputs.marks import find_mark, marked_lines
from app.crystal.outputs.responses import ResponseSection
from app.crystal.outputs.results import Progress, Results
from app.crystal.outputs.scf import ScfSection
from app.crystal.outputs.series import Series
from app.crystal.outputs.sheet import Handler, Sheet
from app.crystal.outputs.verdict import VerdictSection
from app.crystal.outputs.vibrations import VibrationSection

_SECTIONS = (VerdictSection, ScfSection, GeometrySection, VibrationSection, ResponseSection)
"""In the order in which they hear of a line, and finish."""
_MAX_TAIL = 65536


class OutputReader:
    """Reads one output. Call `feed` with each new piece, `results` when no more is to come."""

    def __init__(self) -> None:
        self._sheet = Sheet()
        self._sections = [section(self._sheet) for section in _SECTIONS]
        self._handlers: dict[str, list[Handler]] = {}
        for section in self._sections:
            for kind, handler in section.handlers().items():
                self._handlers.setdefault(kind, []).append(handler)
        self._tail = b""

    @property
    def progress(self) -> Progress:
        return self._sheet.progress

    @property
    def series(self) -> Series:
        return self._sheet.series

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the file; an incomplete last line waits for the rest of it."""
        block = self._tail + data
        end = block.rfind(b"\n") + 1
        self._tail = block[end:][-_MAX_TAIL:]
        if end:
            self._read(block[:end].decode("latin-1"))

    def results(self) -> Results:
        """What the output says as far as it was fed. The reader can still be fed afterwards."""
        # Some complete files lack the last newline; a line that was cut must not count as one.
        if b"TERMINATION" in self._tail:
            self._read(self._tail.decode("latin-1"))
            self._tail = b""
        # The verdict, which stands first among the sections, needs what the others conclude.
        for section in reversed(self._sections):
            section.finish()
        return self._sheet.results

    def _read(self, block: str) -> None:
        """Read whole lines: those of an open table one by one, else only those that say something."""
        position = 0
        for start, kinds in [*marked_lines(block), (len(block), [])]:
            while self._sheet.table and position < start:
                line, position = _line_at(block, position)
                self._read_table(line)
            if start < len(block):
                line, position = _line_at(block, start)
                if not (self._sheet.table and self._read_table(line)) and (mark := find_mark(line, kinds)):
                    kind, match = mark
                    for handler in self._handlers.get(kind, ()):
                        handler(match, line)

    def _read_table(self, line: str) -> bool:
        """Read one line of the open table. False: the table ended and the line is an ordinary one."""
        table = self._sheet.table
        assert table is not None
        consumed = table(line)
        if not consumed and self._sheet.table == table:
            self._sheet.table = None
        return consumed


def _line_at(block: str, start: int) -> tuple[str, int]:
    """The line that begins at `start` without its end, and where the next one begins."""
    end = block.find("\n", start)
    end = len(block) if end < 0 else end
    return block[start:end].rstrip("\r"), end + 1


def read_output(data: bytes) -> Results:
    """Read a whole output at once."""
    reader = OutputReader()
    reader.feed(data)
    return reader.results()
