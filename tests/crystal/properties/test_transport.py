"""Transport coefficients: quantity and unit as the file tells them, and every number where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.properties.transport import COMPONENTS, TransportError, read_transport
from tests.support.corpus.analyses import transport


def tensors(width: int, temperatures: int = 2, potentials: int = 3, spins: int = 1) -> np.ndarray:
    return np.arange(spins * temperatures * potentials * width, dtype=float).reshape(
        spins, temperatures, potentials, width
    )


@pytest.mark.parametrize(
    ("unit", "quantity"), [("1/Ohm/m", "sigma"), ("V/K", "seebeck"), ("W/m/K", "kappa"), ("A/m/K", "sigma_s")]
)
def test_the_head_tells_quantity_and_unit(unit: str, quantity: str) -> None:
    found = read_transport(transport(unit, (300, 450.5), (-0.5, 0.0, 0.5), tensors(6).tolist()))
    assert (found.quantity, found.unit) == (quantity, unit)
    assert (found.temperatures, found.potentials.tolist()) == ([300, 450.5], [-0.5, 0.0, 0.5])
    assert found.values.tolist() == tensors(6).tolist()
    assert found.components == ("xx", "xy", "xz", "yy", "yz", "zz")
    # (0 + 3 + 5) / 3
    assert found.mean[0, 0, 0] == pytest.approx(8 / 3)
    assert found.carriers.tolist() == [[[0.25] * 3] * 2]


def test_both_spins() -> None:
    found = read_transport(transport("V/K", (300, 450), (-0.5, 0.0, 0.5), tensors(9, spins=2).tolist()))
    assert found.values.shape == (2, 2, 3, 9)
    assert found.values[1, 0, 0, 0] == tensors(9, spins=2)[1, 0, 0, 0]


def test_what_is_cut_is_refused() -> None:
    whole = transport("1/Ohm/m", (300, 450), (-0.5, 0.0, 0.5), tensors(6).tolist())
    # A file that ends between two temperatures is whole.
    between = whole.rindex("# T(K)")
    for size in range(0, len(whole), 7):
        if size == between:
            continue
        with pytest.raises(TransportError):
            read_transport(whole[:size])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("in 1/Ohm/m", "in furlongs"), ("  3.0000000E+02", "  3.1000000E+02"), ("5.0000000E+00", "NaN"), ("T(K) =", "T ="),
        ("5.0000000E+00", "*************"), ("5.0000000E+00", ""), (" -5.0000000E-01", " -5.5000000E-01"),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_refused(before: str, after: str) -> None:
    whole = transport("1/Ohm/m", (300, 450), (-0.5, 0.0, 0.5), tensors(6).tolist())
    assert before in whole
    with pytest.raises(TransportError):
        read_transport(whole.replace(before, after, 1))


@given(
    st.sampled_from(sorted(COMPONENTS)), st.integers(1, 2), st.integers(1, 4), st.integers(1, 6),
    st.sampled_from(["1/Ohm/m", "V/K", "W/m/K", "A/m/K"]), st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_tensors_are_read_back(width: int, spins: int, count: int, points: int, unit: str, chance: object) -> None:
    draw = np.random.default_rng(chance.getrandbits(32))  # type: ignore[attr-defined]
    values = draw.normal(0, 1e5, (spins, count, points, width))
    temperatures = [100.0 * (n + 1) for n in range(count)]
    potentials = np.linspace(-1, 1, points)
    found = read_transport(transport(unit, temperatures, potentials.tolist(), values.tolist()))
    assert np.allclose(found.values, values, rtol=1e-6)
    assert found.temperatures == temperatures
    assert np.allclose(found.potentials, potentials)
    assert len(found.components) == width
