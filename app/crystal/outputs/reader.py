"""Streaming reader of CRYSTAL outputs: fed bytes as they come, it knows the progress at any time and the results at the end.

The file may grow, may be cut in mid-line, may begin with foreign text and hold bytes that are not UTF-8. `marks` finds the
lines that matter; the sections of the output take them. Memory does not grow with the file: what grows is bounded in `series`.
"""

from __future__ import annotations

from app.crystal.outputs.marks import marked_lines, rules_of
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
from app.crystal.outputs.sheet import Sheet

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
_RULES = rules_of(_SECTIONS)
_MAX_TAIL = 65536


class OutputReader:
    """Reads one output. Call `feed` with each new piece, `results` when no more is to come."""

    def __init__(self) -> None:
        self._sheet = Sheet()
        self._sections = self._sheet.sections = [section(self._sheet) for section in _SECTIONS]
        # It begins with the end of the line before: what searches for lines can then search for their ends.
        self._tail = b"\n"

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
        block = self._tail + data
        end = block.rfind(b"\n", 1)
        if end > 0:
            self._tail = block[end:]
            self._read(block[: end + 1].decode("latin-1"))
        else:
            self._tail = block
        if len(self._tail) > _MAX_TAIL:
            self._tail = b"\n" + self._tail[-_MAX_TAIL:]

    def results(self) -> Results:
        """What the output says as far as it was fed. The reader can still be fed afterwards."""
        # Some complete files lack the last newline; a line that was cut must not count as one.
        if b"TERMINATION" in self._tail:
            self._read(self._tail.decode("latin-1"))
            self._tail = b"\n"
        # The verdict, which stands first among the sections, needs what the others conclude.
        for section in reversed(self._sections):
            section.finish()
        return self._sheet.select(self._sheet.results)

    def _read(self, block: str) -> None:
        """Read whole lines after an end of line: those of an open table one by one, else only those that say something.

        This loop is what reading costs: it calls nothing that it can do itself.
        """
        if "\r" in block:
            block = block.replace("\r\n", "\n")
        position, sheet, size, sections = 1, self._sheet, len(block), self._sections
        for start, line, words in [*marked_lines(block), (size, "", "")]:
            if start < position:
                # Found twice, by its beginning and as the last of its kind.
                continue
            while (table := sheet.table) is not None and position < start:
                end = block.find("\n", position)
                if end < 0:
                    end = size
                if not table(block[position:end]) and sheet.table == table:
                    sheet.table = None
                position = end + 1
            if start == size:
                break
            position = start + len(line) + 1
            if table is not None:
                if table(line):
                    continue
                if sheet.table == table:
                    sheet.table = None
            for search, handlers in _RULES[words]:
                if match := search(line):
                    for place, handler in handlers:
                        handler(sections[place], match, line)
                    break


def read_output(data: bytes) -> Results:
    """Read a whole output at once."""
    reader = OutputReader()
    reader.feed(data)
    return reader.results()
