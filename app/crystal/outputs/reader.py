"""Streaming reader of CRYSTAL outputs: fed bytes as they come, it knows the progress at any time and the results at the end.

The file may grow, may be cut in mid-line, may begin with foreign text and hold bytes that are not UTF-8. `marks` finds the
lines that matter; the sections of the output take them. Memory does not grow with the file: what grows is bounded in `series`.
"""

from __future__ import annotations

from weakref import ref

from app.crystal.outputs.marks import divide, rules_of
from app.crystal.outputs.results import Progress, Results
from app.crystal.outputs.sections.analyses import AnalysisSection
from app.crystal.outputs.sections.dispersion import DispersionSection
from app.crystal.outputs.sections.elasticity import ElasticSection
from app.crystal.outputs.sections.electrons.contents import ContentSection
from app.crystal.outputs.sections.electrons.edges import EdgeSection
from app.crystal.outputs.sections.electrons.populations import PopulationSection
from app.crystal.outputs.sections.electrons.scf import ScfSection
from app.crystal.outputs.sections.geometry import GeometrySection
from app.crystal.outputs.sections.phonon_cell import PhononCellSection
from app.crystal.outputs.sections.polarisation import PolarisationSection
from app.crystal.outputs.sections.pressure import PressureSection
from app.crystal.outputs.sections.properties import PropertiesSection
from app.crystal.outputs.sections.raman import RamanSection
from app.crystal.outputs.sections.thermodynamics import ThermodynamicsSection
from app.crystal.outputs.sections.verdict import VerdictSection
from app.crystal.outputs.sections.vibrations import VibrationSection
from app.crystal.outputs.sections.volumes import ThermalSection, VolumeSection
from app.crystal.outputs.series import Series
from app.crystal.outputs.sheet import Sections, Sheet

_SECTIONS = (
    VerdictSection,
    VolumeSection,
    ScfSection,
    PopulationSection,
    ContentSection,
    ThermodynamicsSection,
    PhononCellSection,
    RamanSection,
    VibrationSection,
    DispersionSection,
    GeometrySection,
    PolarisationSection,
    PropertiesSection,
    AnalysisSection,
    PressureSection,
    ElasticSection,
    ThermalSection,
    EdgeSection,
)
"""In the order in which they hear of a line; they finish in the opposite one."""
_VOLUMES = _SECTIONS.index(VolumeSection)
_RULES = rules_of(_SECTIONS)
_MAX_TAIL = 65536
_BLOCK = 131072
"""Bytes that are read at once: what is copied of them stays in the cache of the processor."""


class OutputReader:
    """Reads one output. Call `feed` with each new piece, `results` when no more is to come."""

    def __init__(self) -> None:
        self._sheet = Sheet()
        self._sections = Sections([section(self._sheet) for section in _SECTIONS])
        self._sheet.sections = ref(self._sections)
        # It begins with the end of the line before: what searches for lines can then search for their ends.
        self._tail = "\n"

    @property
    def progress(self) -> Progress:
        """How far the program has come, by what was fed so far."""
        return self._sheet.progress

    @property
    def series(self) -> Series:
        """SCF cycles and points of the optimisation so far, for curves."""
        return self._sheet.series

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the file; an incomplete last line waits for the rest of it."""
        # The last block is a whole one, since its end is looked through for more.
        start, size = 0, len(data)
        for end in range(size % _BLOCK or min(size, _BLOCK), size + 1, _BLOCK) if size else ():
            self._feed_block(data[start:end].decode("latin-1"), to_end=end == size)
            start = end

    def _feed_block(self, text: str, *, to_end: bool) -> None:
        text = self._tail + text
        end = text.rfind("\n", 1)
        if end > 0:
            self._tail = text[end:]
            self._read(text[:end], to_end)
        else:
            self._tail = text
        if len(self._tail) > _MAX_TAIL:
            self._tail = "\n" + self._tail[-_MAX_TAIL:]

    def results(self) -> Results:
        """What the output says as far as it was fed. The reader can still be fed afterwards."""
        # Some complete files lack the last newline; a line that was cut must not count as one.
        if "TERMINATION" in self._tail:
            self._read(self._tail, to_end=True)
            self._tail = "\n"
        # The verdict, which stands first among the sections, needs what the others conclude.
        for section in reversed(self._sections):
            section.finish()
        # One state of several, where the output holds several volumes.
        volumes: VolumeSection = self._sections[_VOLUMES]  # type: ignore[assignment]
        return volumes.select(self._sheet.results)

    def _read(self, block: str, to_end: bool) -> None:
        """Read whole lines after an end of line: those of an open table one by one, else only those that say something.

        This loop is what reading costs: it calls nothing that it can do itself.
        """
        if "\r" in block:
            block = (block + "\n").replace("\r\n", "\n")[:-1]
        sheet, sections = self._sheet, self._sections
        parts = iter(divide(block, to_end=to_end))
        for before, line, words in zip(parts, parts, parts, strict=True):
            if sheet.table is not None:
                position, size = 1, len(before)
                if sheet.run is not None and before:
                    position = self._take_run(before)
                while position <= size and (table := sheet.table) is not None:
                    end = before.find("\n", position)
                    if end < 0:
                        end = size
                    if not table(before[position:end]) and sheet.table == table:
                        sheet.table = None
                    position = end + 1
                if (table := sheet.table) is not None and words:
                    if table(line):
                        continue
                    if sheet.table == table:
                        sheet.table = None
            for search, handlers in _RULES[words]:
                if match := search(line):
                    for place, handler in handlers:
                        handler(sections[place], match, line)
                    break

    def _take_run(self, text: str) -> int:
        """Let the open table take the rows that begin the text all at once; where to read on."""
        run, self._sheet.run = self._sheet.run, None
        if run is not None:
            table, pattern, take = run
            if table is self._sheet.table and (rows := pattern.match(text)):
                take(rows["rows"])
                return rows.end() + 1
        return 1


def read_output(data: bytes) -> Results:
    """Read a whole output at once."""
    reader = OutputReader()
    reader.feed(data)
    return reader.results()
