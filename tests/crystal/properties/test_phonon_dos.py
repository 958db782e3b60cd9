"""PHONDOS.DAT: wavenumbers and densities of phonon states, with the total found by its sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.properties.dos import DosError, read_dos
from app.crystal.properties.phonon_dos import is_phonon_dos, read_phonon_dos
from app.library.phonon_dos import read_picture
from tests.support.corpus import CORPUS
from tests.support.corpus.dynamics.phonons import density

PLACES = [0.0, 250.0, 500.0]
PARTS = ([0.0, 0.01, 0.0], [0.0, 0.02, 0.03])
TOTAL = [0.0, 0.03, 0.03]


def test_the_total_alone() -> None:
    found = read_phonon_dos(density(PLACES, [TOTAL]))
    assert (found.wavenumbers.tolist(), found.densities.tolist(), found.names) == (PLACES, [TOTAL], ["total"])


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ((TOTAL, *PARTS), ["total", "projection 1", "projection 2"]),
        ((*PARTS, TOTAL), ["projection 1", "projection 2", "total"]),
        ((PARTS[0], PARTS[1], [0.5, 0.5, 0.5]), ["column 1", "column 2", "column 3"]),
    ],
)
def test_the_total_is_the_column_that_the_others_add_up_to(columns: tuple[list[float], ...], names: list[str]) -> None:
    assert read_phonon_dos(density(PLACES, columns)).names == names


def test_two_columns_that_are_the_same_name_no_total() -> None:
    assert read_phonon_dos(density(PLACES, [TOTAL, TOTAL])).names == ["column 1", "column 2"]


def test_phonons_are_no_electrons_and_the_other_way_round() -> None:
    text = density(PLACES, [TOTAL])
    assert is_phonon_dos(text)
    with pytest.raises(DosError, match="of phonons, not of electrons"):
        read_dos(text)
    electrons = (CORPUS / "mgo-dos" / "main.DOSS").read_text()
    assert not is_phonon_dos(electrons)
    with pytest.raises(DosError, match="not one of wavenumbers"):
        read_phonon_dos(electrons)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing", "does not begin"),
        (density(PLACES, [TOTAL]).rsplit("\n", 2)[0] + "\n", "truncated"),
        (density(PLACES, [TOTAL]).replace("NEPTS     3", "NEPTS     0"), "implausible"),
        (density(PLACES, [TOTAL]).replace("NPROJ     1", "NPROJ 9999999"), "implausible"),
        (density(PLACES, [TOTAL]).replace("0.3000E-01", "**********"), "could not convert"),
        (density(PLACES, [TOTAL]).replace("0.3000E-01", "       NaN"), "no numbers"),
    ],
)
def test_what_is_no_density_says_why(text: str, why: str) -> None:
    with pytest.raises(DosError, match=why):
        read_phonon_dos(text)


def test_it_is_drawn_with_its_names() -> None:
    picture = read_picture(CORPUS / "graphene-phonons" / "main.PHONDOS")
    assert picture.chart is not None
    assert [line.name for line in picture.chart.series] == ["total", "projection 1", "projection 2"]
    assert picture.chart.x_label == "wavenumber / cm⁻¹"
    assert list(picture.columns()) == ["wavenumber_cm1", "total", "projection 1", "projection 2"]


VALUES = st.floats(0.0, 9.0).map(lambda value: float(f"{value:.3e}"))


@given(st.integers(1, 30), st.integers(1, 4), st.data())
def test_any_density_is_read_back(points: int, count: int, data: st.DataObject) -> None:
    columns = [data.draw(st.lists(VALUES, min_size=points, max_size=points)) for _ in range(count)]
    places = [float(10 * place) for place in range(points)]
    found = read_phonon_dos(density(places, columns))
    assert found.wavenumbers.tolist() == places
    assert np.allclose(found.densities, columns, rtol=1e-3, atol=0)
    assert len(found.names) == count
