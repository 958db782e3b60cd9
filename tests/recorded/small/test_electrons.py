"""Fermi energies, charges, ends and numbers in the small cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.crystal.outputs.reader import read_output

OUTPUTS = Path(__file__).parents[4] / "shared" / "cases" / "outputs"


def results_of(name: str) -> dict[str, Any]:
    path = OUTPUTS / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside the project")
    return read_output(path.read_bytes()).as_dict()


def test_fermi_energies_that_are_not_told() -> None:
    shifted, earlier = results_of("levshift_fermi.out"), results_of("fermi_of_first_geometry.out")
    assert (shifted["fermi_energy"], shifted["gap_ev"]) == (None, None)
    assert (earlier["fermi_energy"], earlier["gap_ev"]) == (None, 7.8)


def test_charges_with_a_ghost() -> None:
    assert results_of("ghost_charges.out")["populations"]["charges"] == [-0.1, 0.1]


def test_an_abort_of_mpi() -> None:
    results = results_of("mpi_abort.out")
    assert (results["verdict"], results["diagnosis_code"]) == ("failed", "crash")


def test_numbers_without_a_leading_zero() -> None:
    results = results_of("no_leading_zero.out")
    assert results["populations"]["electrons"] == [0.515, 19.485]
    assert (results["optimization"]["max_gradient"], results["optimization"]["rms_gradient"]) == (0.000469, 0.000131)
