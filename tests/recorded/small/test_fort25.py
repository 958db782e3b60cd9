"""fort.25 of the small cases: of phonons, and of runs that were appended to each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.properties.bands import BandError
from app.crystal.properties.crgra import Stretch
from app.crystal.properties.fort25 import latest_bands, read_stretches

OUTPUTS = Path(__file__).parents[4] / "shared" / "cases" / "outputs"


def stretches(name: str) -> list[Stretch]:
    path = OUTPUTS / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside the project")
    return read_stretches(path.read_text())


def test_bands_of_phonons() -> None:
    found = stretches("fort25_phonon_bands.f25")
    assert latest_bands(found, "phonons").value.energies.max() == 270.0
    with pytest.raises(BandError, match="of phonons"):
        latest_bands(found)


def test_a_closed_shell_has_one_spin() -> None:
    found = latest_bands(stretches("fort25_twice_closed_shell.f25"))
    assert found.value.summary().spins == 1
    assert "2 runs" in found.note
