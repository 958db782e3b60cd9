"""Symmetry operators against those of a recorded fort.34."""

from __future__ import annotations

from pathlib import Path

from app.crystal.structures.bulk import Bulk
from app.crystal.structures.fort34 import write_fort34


def operators_of(text: str) -> set[tuple[float, ...]]:
    """Operators of a fort.34 as twelve numbers each, whatever their order."""
    lines = [[float(part) for part in line.split()] for line in text.splitlines()]
    count = int(lines[4][0])
    blocks = (lines[5 + 4 * index : 9 + 4 * index] for index in range(count))
    return {tuple(round(number, 6) + 0.0 for row in block for number in row) for block in blocks}


def test_fort34_has_the_operators_of_a_recorded_one(recorded: Path) -> None:
    published = (recorded / "c17-mgo-sto3g-external-scf/fort.34").read_text()
    magnesia = Bulk(225, (4.21, 4.21, 4.21, 90, 90, 90), (12, 8), ((0, 0, 0), (0.5, 0.5, 0.5)))
    ours = write_fort34(*magnesia.primitive, 3, magnesia.symmetry)
    assert ours.split("\n")[0].split() == published.split("\n")[0].split() == ["3", "5", "6"]
    assert operators_of(ours) == operators_of(published)
    assert operators_of(write_fort34(*magnesia.primitive, 3)) == operators_of(published)
