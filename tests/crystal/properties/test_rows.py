"""Numbers in rows: those that touch, those without a letter for the exponent, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.properties.bands import BandError, read_bands
from app.crystal.properties.dos import DosError, read_dos
from app.crystal.properties.rows import numbers_in
from tests.support.corpus.figures import dos_file


def test_numbers_that_touch() -> None:
    assert numbers_in("  0.1250E+01-0.5000E+00-.25 3 1.5D-02") == [1.25, -0.5, -0.25, 3.0, 0.015]
    assert numbers_in("1.50000-101-2.50000+100") == [1.5e-101, -2.5e100]
    assert numbers_in("") == []


@pytest.mark.parametrize(
    "text", ["1.0x", "****", "NaN", "1.0 Infinity", "1.0E+999", "--1", "1.0.5", "0.5.5E+01", "E+05"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        numbers_in(text)


def test_files_of_rows() -> None:
    head = "# NKPT     2 NBND     2 NSPIN     1\n"
    found = read_bands(f"{head} 0.00000E+00-0.12500E+00-0.25000E+00\n 0.10000E+00-0.50000E+00 0.25000E+00\n")
    assert found.energies.tolist() == [[[-0.125, -0.5], [-0.25, 0.25]]]
    for wrong in ("NaN", "*************"):
        with pytest.raises(BandError):
            read_bands(f"{head} 0.0 {wrong} 1.0\n 0.1 0.5 0.5\n")
        with pytest.raises(DosError):
            read_dos(f"# NEPTS 1 NPROJ 1 NSPIN 1\n 0.0 {wrong}\n")


def test_values_of_both_signs() -> None:
    """Overlap populations are written as densities are; of two spins the signs are not known."""
    text = dos_file([-0.5, 0.5], [[[1.0, -2.0]]], -0.25)
    assert read_dos(text, signed=True).densities.tolist() == [[[1.0, -2.0]]]
    both = dos_file([-0.5, 0.5], [[[1.0, -2.0]], [[1.0, 2.0]]], -0.25)
    with pytest.raises(DosError, match="signs"):
        read_dos(both, signed=True)
    assert read_dos(both).densities.shape == (2, 1, 2)


@given(st.lists(st.floats(-1e80, 1e80), min_size=1, max_size=8))
def test_any_row_is_read_back(values: list[float]) -> None:
    written = [float(f"{value:.5E}") for value in values]
    assert numbers_in("".join(f"{value:+.5E}" for value in written)) == written
