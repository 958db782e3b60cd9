"""Pressure, several volumes and elastic constants in the small cases."""

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


def test_enthalpy_under_pressure() -> None:
    results = results_of("extpress_enthalpy.out")
    assert (results["energy_total"], results["enthalpy"]) == (pytest.approx(-100.01), pytest.approx(-99.81))


def test_thermodynamics_by_volume() -> None:
    entries = results_of("qha_volumes_merged.out")["thermodynamics"]
    assert [(entry["volume"], entry["temperature"]) for entry in entries] == [(27, 10), (27, 20), (28, 10), (28, 20)]


def test_equation_of_state() -> None:
    results = results_of("eos_last_volume.out")
    assert (results["energy_total"], results["geometry"]["volume"]) == (-100.0, 27.0)
    fit = results["energy_volume"]["fit"]
    assert fit | {"form": ""} == {
        "form": "", "volume": 27.1, "energy": -100.001, "bulk_modulus": 150.0, "derivative": 4.0,
    }  # fmt: skip


def test_elastic_constants_of_a_slab() -> None:
    elasticity = results_of("elastic_slab.out")["elasticity"]
    assert elasticity["constants"] == [[4.0, 0.5, 0.0], [0.5, 4.0, 0.0], [0.0, 0.0, 1.75]]
    assert elasticity["unit"] == "hartree"
