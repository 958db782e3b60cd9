"""The second opinion: it agrees with what the reader tells of sound outputs, and notices each number that is another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.crystal.outputs.facts.geometry import Geometry
from app.crystal.outputs.reader import read_output
from app.crystal.outputs.results import Results
from app.crystal.outputs.witnesses import Witness
from tests.support.corpus import CORPUS

OUTPUTS = sorted(path for path in CORPUS.rglob("*.out*"))


def witness(data: bytes, piece: int = 1 << 20) -> Witness:
    found = Witness()
    for place in range(0, len(data), piece):
        found.feed(data[place : place + piece])
    return found


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_agrees_with_the_reader(path: Path) -> None:
    data = path.read_bytes()
    assert witness(data).disagreements(read_output(data)) == []
    # In pieces as well.
    assert witness(data, 1000).disagreements(read_output(data)) == []


@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        (lambda results: replace(results, energy_total=-274.0), "energy / Ha"),
        (lambda results: replace(results, energy_total=None), "energy / Ha"),
        (lambda results: replace(results, gap_ev=1.0), "gap / eV"),
        (lambda results: replace(results, gap_ev=None), "gap / eV"),
        (lambda results: replace(results, geometry=Geometry()), "atoms per cell"),
        (lambda results: replace(results, geometry=None), "atoms per cell"),
        (lambda results: replace(results, normal_end=False), "end"),
    ],
)
def test_it_notices_another_number(change: Callable[[Results], Results], quantity: str) -> None:
    data = (CORPUS / "mgo-b3lyp" / "main.out").read_bytes()
    found = witness(data).disagreements(change(read_output(data)))
    assert [one.quantity for one in found] == [quantity]


def test_an_error_does_not_complete() -> None:
    data = (CORPUS / "mgo-scf" / "main.out").read_bytes().replace(b" EIGENVECTORS IN", b" ERROR **** SCF **** X\n E")
    results = read_output(data)
    assert witness(data).disagreements(results) == []
    found = witness(data).disagreements(replace(results, verdict="completed"))
    assert [one.quantity for one in found] == ["verdict"]


def test_of_several_volumes_the_lowest_energy_counts() -> None:
    lines = "".join(
        f" TOTAL ENERGY(DFT)(AU)(  5) {energy:.13E} DE-1.0E-09 tester 1.0E-12\n" for energy in (-100.0, -99.5)
    )
    found = witness(f"{lines} SORTING VOLUMES/ENERGIES\n".encode())
    assert found.disagreements(Results(energy_total=-100.0)) == []
    assert found.disagreements(Results(energy_total=-100.25)) == []
    assert [one.quantity for one in found.disagreements(Results(energy_total=-99.5))] == ["energy / Ha"]


def test_an_enthalpy_is_no_energy() -> None:
    text = """ TOTAL ENERGY CORRECTED: EXTERNAL STRESS CONTRIBUTION =    0.250E+00
 TOTAL ENERGY(DFT)(AU)(  8) -9.9500000000000E+01     DE (AU)   -1.000E-02
 * OPT END - CONVERGED * E(AU):  -9.950000000000E+01  POINTS    2 *
"""
    found = witness(text.encode())
    assert found.disagreements(Results(energy_total=-99.75)) == []
    assert [one.quantity for one in found.disagreements(Results(energy_total=-99.5))] == ["energy / Ha"]
