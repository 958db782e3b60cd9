"""Outputs written to exhaust the reader of vibrations and fields: lines without an end, tables without an end."""

from __future__ import annotations

import pytest

from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.sections.vibrations import MOST_MASSES
from app.crystal.outputs.tensors import MOST_ROWS
from tests.support.corpus import vibrations
from tests.support.corpus.paper import Paper

LONG = 200_000
HEADS = (
    " POLARIZABILITY (ALPHA) TENSOR (INDEPENDENT COMPONENTS)\n  COMPONENT    ALPHA(REAL, IMAGINARY)\n",
    " POLARIZABILITY (ALPHA) TENSOR\n",
    " FIRST HYPERPOLARIZABILITY (BETA)\n  COMPONENT BETA CHI(2)(PM/V)\n",
    " ATOMS ISOTOPIC MASS (AMU) FOR FREQUENCY CALCULATION\n\n",
    " ATOMIC BORN CHARGE TENSOR\n ATOM   1 C  DYNAMIC CHARGE     1.0\n",
    " SUM TENSOR OF THE VIBRATIONAL CONTRIBUTIONS TO THE STATIC DIELECTRIC TENSOR\n",
    " SYMMETRY ADAPTED DIRECTIONS FOR LONGITUDINAL OPTICAL MODES\n",
    " <RAMAN>\n",
    " POLYCRYSTALLINE ISOTROPIC INTENSITIES\n",
    "    MODES         EIGV          FREQUENCIES    IRREP IR INTENS       SHIFTS\n",
)


@pytest.mark.parametrize("head", HEADS, ids=lambda head: " ".join(head.split())[:30])
@pytest.mark.parametrize("piece", [" ", "1", "1.", "-", "X", "(", "1 ", "A ", "COMP. "], ids=repr)
def test_a_line_without_an_end_is_read_in_a_single_pass(head: str, piece: str) -> None:
    """What looks back at each of its characters would not come to an end here."""
    reader = OutputReader()
    reader.feed(f"{head}  1-  1 {piece * (LONG // len(piece))} Q\n END\n".encode())
    assert reader.results().verdict == "incomplete"


def test_tables_without_an_end_are_kept_in_part() -> None:
    reader = OutputReader()
    reader.feed((HEADS[0] + "  XX 1.0 0.0\n" * (MOST_ROWS + 50)).encode())
    assert len(reader._sections[_place(reader, "PolarisationSection")]._linear[0].rows) == MOST_ROWS  # type: ignore[attr-defined]
    reader = OutputReader()
    rows = "".join(f"    1 C {place / 7:12.5f}\n" for place in range(MOST_MASSES + 50))
    reader.feed((HEADS[3] + rows + " END\n").encode())
    assert len(reader.results().isotopes) == MOST_MASSES


def test_many_longitudinal_modes_are_each_looked_at_once() -> None:
    paper = Paper()
    paper.line(HEADS[-1].rstrip("\n"))
    paper.lines += [f"{vibrations.row(n, 1, 100.0 + n)} (A  )     1.0    1.000   0.0300" for n in range(1, 9000)]
    reader = OutputReader()
    reader.feed(paper.text.encode())
    assert len(reader.results().longitudinal_modes) == 8999


def _place(reader: OutputReader, name: str) -> int:
    return next(place for place, section in enumerate(reader._sections) if type(section).__name__ == name)
