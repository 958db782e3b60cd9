"""Vibrations and answers to fields in the small cases, and the recorded outputs against plain searches of their text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.crystal.outputs.reader import read_output
from app.crystal.properties.phonon_dos import read_phonon_dos

OUTPUTS = Path(__file__).parents[4] / "shared" / "cases" / "outputs"


def case(name: str) -> bytes:
    path = OUTPUTS / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside the project")
    return path.read_bytes()


def results_of(name: str) -> dict[str, Any]:
    return read_output(case(name)).as_dict()


def test_longitudinal_modes_beside_transverse_ones() -> None:
    results = results_of("lo_to_table.out")
    assert results["frequencies_cm1"] == [[1, 3, 0.0], [4, 6, 200.0], [7, 9, 250.0]]
    assert results["modes"][2]["ir_intensity"] == 800.0
    assert [(one["first"], one["last"], one["frequency_cm1"]) for one in results["longitudinal_modes"]] == [
        (7, 9, 500.0)
    ]


def test_the_small_cell_of_phonons() -> None:
    cell = results_of("supercell_phonons.out")["phonon_cell"]
    assert (cell["energy"], cell["atoms"], len(cell["geometry"]["atoms"])) == (-100.0, 2, 2)


def test_columns_of_crystal14() -> None:
    assert results_of("cphf_crystal14.out")["dielectric"]["electronic"] == [[3, 0, 0], [0, 3, 0], [0, 0, 4]]


def test_density_of_phonon_states() -> None:
    found = read_phonon_dos(case("phonon_dos.PHONDOS").decode())
    assert (found.wavenumbers.tolist(), found.names) == ([0.0, 2.0, 4.0], ["total"])


def test_recorded_charges_and_strengths_against_plain_searches(recorded: Path) -> None:
    text = (recorded / "c22-dryice-ir/spec_dryIceIR.out").read_text(errors="replace")
    found = read_output(text.encode()).as_dict()["polarisation"]
    charges = re.findall(r"ATOM +\d+ +\w+ +DYNAMIC CHARGE +(\S+)\n\n.*\n +1 +(\S+) +(\S+) +(\S+)\n", text)
    assert [[one["charge"], *one["tensor"][0]] for one in found["born_charges"]] == [
        list(map(float, row)) for row in charges
    ]
    modes = re.findall(r"^ {1,3}(\d+) {7}[ -]?\d\.\d{5} +\S+ +\S+$", text, re.MULTILINE)
    assert [one["mode"] for one in found["oscillator_strengths"]] == list(map(int, modes)) != []


def test_recorded_modes_against_plain_searches(recorded: Path) -> None:
    for path in sorted(recorded.glob("*/*.out")):
        text = path.read_text(errors="replace")
        rows = re.findall(
            r"^ +(\d+)- +(\d+) +-?0\.\d{4}E[-+]\d\d +(-?\d+\.\d+) .*\) +[AI] \( +(\d+\.\d+)\)", text, re.MULTILINE
        )
        found = read_output(text.encode()).as_dict()["modes"] or []
        if rows:
            assert [[one["first"], one["last"], one["frequency_cm1"]] for one in found] == [
                [int(first), int(last), float(value)] for first, last, value, _ in rows
            ]
            known = any(float(row[3]) for row in rows)
            assert [one["ir_intensity"] for one in found] == [float(row[3]) if known else None for row in rows]
