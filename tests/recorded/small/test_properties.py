"""Outputs of properties among the small cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.outputs.reader import read_output

OUTPUTS = Path(__file__).parents[4] / "shared" / "cases" / "outputs"


def test_title_and_energy() -> None:
    path = OUTPUTS / "properties_title.out"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the project")
    found = read_output(path.read_bytes())
    assert (found.title, found.energy_total, found.fermi_energy, found.wall_time_s) == (None, -100.0, -0.199, 1.0)
