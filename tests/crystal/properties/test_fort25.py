"""fort.25: whose numbers it holds, of which run and spin, and what of it is sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crystal.properties.bands import BandError
from app.crystal.properties.crgra import read_blocks, read_stretches
from app.crystal.properties.dos import DosError
from app.crystal.properties.fort25 import bands_of, dos_of, latest_bands, latest_dos
from tests.support.corpus.figures import block

GAMMA, X, M = (0, 0, 0), (4, 0, 4), (3, 3, 6)


def segment(
    start: Sequence[int], end: Sequence[int], shift: float = 0.0, *, state: int = 0, fermi: float = -0.25, points: int = 3,
    low: float = -0.625,
) -> str:  # fmt: skip
    """Two bands from one point to another, the upper one shifted."""
    values = [value for n in range(points) for value in (-0.5 + n / 8, 0.125 + shift + n / 16)]
    return block(state, "BAND", 2, points, 0.1, fermi, (low, 0.75), (*start, *end), values)


def density(number: int, values: Sequence[float], *, state: int = 0, orbitals: int = 5, fermi: float = -0.25) -> str:
    return block(state, "DOSS", 1, len(values), 0.125, fermi, (0.0, -1.0), (number, orbitals, 0, 0, 0, 0), values)


@pytest.mark.parametrize(("state", "spins"), [(0, 1), (2, 1), (1, 2), (3, 2)])
def test_the_state_tells_the_spins(state: int, spins: int) -> None:
    """A path that stands there twice is of two spins only where the shell is open."""
    found = bands_of(read_blocks(segment(GAMMA, X, state=state) + segment(GAMMA, X, 0.25, state=state)))
    assert found.energies.shape == (spins, 2, 3)
    # The Fermi energy is the zero.
    assert found.energies[-1, 1].tolist() == [0.625, 0.6875, 0.75]


def test_an_open_shell_without_its_second_spin_is_not_told() -> None:
    with pytest.raises(BandError, match="truncated"):
        bands_of(read_blocks(segment(GAMMA, X, state=1)))
    with pytest.raises(DosError, match="truncated"):
        dos_of(read_blocks(density(1, [0.0, 1.0], state=3)))


def test_the_last_run_counts_and_it_is_said_that_there_are_several() -> None:
    first, second = (segment(GAMMA, X, s) + segment(X, M, s) for s in (0.0, 0.125))
    latest = latest_bands(read_stretches(first + second))
    assert latest.value.energies[0, 1, 0] == 0.5
    assert [name for _, name in latest.value.nodes] == ["(0,0,0)", "(4,0,4)", "(3,3,6)"]
    assert latest.note == "it holds the bands of 2 runs, of which the last is shown"
    assert latest_bands(read_stretches(first)).note == ""


def test_runs_of_other_calculations_have_other_energies() -> None:
    """Another Fermi energy, another range: never one path of both."""
    text = segment(GAMMA, X) + segment(X, M) + segment(X, GAMMA, 0.5, fermi=-0.5, low=-0.75)
    latest = latest_bands(read_stretches(text))
    assert [name for _, name in latest.value.nodes] == ["(4,0,4)", "(0,0,0)"]
    assert "2 runs" in latest.note
    assert latest.value.fermi == -0.5


def test_runs_of_both_spins() -> None:
    run = "".join(segment(a, b, s, state=1) for s in (0.0, 0.25) for a, b in ((GAMMA, X), (X, M)))
    other = "".join(segment(M, GAMMA, s, state=1) for s in (0.5, 0.625))
    for text, count, top in ((run, 1, 0.25), (run + run, 2, 0.25), (run + other, 2, 0.625)):
        latest = latest_bands(read_stretches(text))
        assert latest.value.energies.shape[0] == 2
        assert latest.value.energies[1, 1, 0] == 0.125 + top + 0.25
        assert ("2 runs" in latest.note) == (count == 2)


def test_a_path_may_come_back_to_its_first_segment() -> None:
    """Γ–X, X–M, M–Γ, Γ–X is one path."""
    text = segment(GAMMA, X) + segment(X, M) + segment(M, GAMMA) + segment(GAMMA, X)
    latest = latest_bands(read_stretches(text))
    assert (len(latest.value.nodes), latest.note) == (5, "")


def test_a_run_that_was_cut_gives_way_to_the_one_before() -> None:
    whole = segment(GAMMA, X) + segment(X, M)
    later = segment(GAMMA, X, 0.25) + segment(X, M, 0.25)
    known = later.index("4\n") + 2
    for size in range(known, len(later) - 2):
        latest = latest_bands(read_stretches(whole + later[:size]))
        assert latest.value.energies[0, 1, 0] in (0.375, 0.625)
        assert len(latest.value.nodes) == 3
        assert "truncated" in latest.note
    # A run that died, and one that was appended later.
    assert latest_bands(read_stretches(later[:-20] + "\n" + whole)).value.energies[0, 1, 0] == 0.375
    with pytest.raises(BandError, match="truncated"):
        latest_bands(read_stretches(later[:-20]))
    # Whether the block that is cut continues the path or begins a new one is not known.
    with pytest.raises(BandError, match="truncated"):
        latest_bands(read_stretches(whole + later[:30]))
    # A cut density leaves the bands before it whole.
    both = latest_bands(read_stretches(whole + density(1, [0.0, 1.0])[:-5]))
    assert (len(both.value.nodes), both.note) == (3, "")


def test_phonons_are_never_electrons() -> None:
    """Their Fermi energy is exactly zero, and their values are wavenumbers."""
    values = [0.0, 0.0, 125.0, 40.0, 55.0, 310.0]
    blocks = read_blocks(block(1, "BAND", 3, 2, 0.1, 0.0, (0.0, 2000.0), (*GAMMA, *X), values))
    with pytest.raises(BandError, match="bands of phonons, not of electrons"):
        bands_of(blocks)
    found = bands_of(blocks, "phonons")
    assert (found.subject, found.fermi) == ("phonons", None)
    assert found.energies.tolist() == [[[0.0, 40.0], [0.0, 55.0], [125.0, 310.0]]]
    with pytest.raises(DosError, match="of phonons"):
        dos_of(read_blocks(block(0, "DOSS", 1, 3, 100.0, 0.0, (0.0, 0.0), (1, 6, 0, 0, 0, 0), [0.0, 1.0, 0.5])))
    # Neither is sure: a Fermi energy of zero, and values as electrons have them.
    with pytest.raises(BandError, match="is not known"):
        bands_of(read_blocks(segment(GAMMA, X, fermi=0.0)))


def test_densities_of_several_runs() -> None:
    first = density(1, [1.0, 2.0]) + density(2, [3.0, 5.0], orbitals=14)
    second = density(1, [1.5, 2.5]) + density(2, [3.5, 5.5]) + density(3, [5.0, 8.0], orbitals=14)
    latest = latest_dos(read_stretches(first + second))
    assert latest.value.densities.tolist() == [[[1.5, 2.5], [3.5, 5.5], [5.0, 8.0]]]
    assert "2 runs" in latest.note
    spins = density(1, [1.0, 2.0], state=1) + density(1, [-1.0, -3.0], state=1)
    assert dos_of(read_blocks(spins)).densities.tolist() == [[[1.0, 2.0]], [[1.0, 3.0]]]
    assert dos_of(read_blocks(spins + spins)).densities.shape == (2, 1, 2)
    # The same in a closed shell is two runs of one projection.
    assert dos_of(read_blocks(spins.replace("-%-1", "-%-2"))).densities.shape == (1, 1, 2)


def test_numbers_that_touch() -> None:
    text = block(0, "BAND", 2, 1, 0.1, -0.25, (-1.0, 1.0), (-1000, -1000, 10000, 12345, -1234, 0), [-0.5, 0.125])
    assert read_blocks(text)[0].integers == [-1000, -1000, 10000, 12345, -1234, 0]
    # An exponent of three digits pushes its letter out.
    tiny = density(1, [0.25, 0.5]).replace(" 2.50000E-01", " 2.50000-101")
    assert read_blocks(tiny)[0].values.tolist() == [2.5e-101, 0.5]


@pytest.mark.parametrize("part", ["************", "         NaN", "    Infinity", " 1.000E+9999"])
def test_what_is_no_finite_number_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="number"):
        read_blocks(density(1, [0.25, 0.5]).replace(" 5.00000E-01", part))


def test_too_many_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="implausible"):
        read_stretches(density(1, [0.25]) * 5001)
    huge = "-%-0BAND9999999999 0.00000E+00 1.31565E-01-1.47330E-01\n"
    with pytest.raises(ValueError, match="implausible"):
        read_stretches(huge)


@given(
    st.integers(1, 4), st.integers(1, 3), st.sampled_from([0, 1, 2, 3]), st.integers(1, 3),
    st.floats(-3, -0.001), st.randoms(use_true_random=False),
)  # fmt: skip
def test_any_bands_are_read_back(
    bands: int, segments: int, state: int, runs: int, fermi: float, chance: object
) -> None:
    draw = np.random.default_rng(chance.getrandbits(32))  # type: ignore[attr-defined]
    spins, points = 1 + state % 2, int(draw.integers(1, 8))
    energies = draw.normal(0, 20, (runs, spins, segments, points, bands))
    text = "".join(
        block(state, "BAND", bands, points, 0.1, fermi, (-9.0, 9.0), (n, 0, 0, n + 1, 0, 0), part.ravel().tolist())
        for run in energies for spin in run for n, part in enumerate(spin)
    )  # fmt: skip
    latest = latest_bands(read_stretches(text))
    wanted = energies[-1].reshape(spins, segments * points, bands).transpose(0, 2, 1)
    assert np.allclose(latest.value.energies + (latest.value.fermi or 0), wanted, rtol=2e-5, atol=2e-5)
    assert (f"of {runs} runs" in latest.note) == (runs > 1)


@given(
    st.integers(1, 4),
    st.integers(1, 12),
    st.sampled_from([0, 1, 2, 3]),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_any_densities_are_read_back(projections: int, points: int, state: int, runs: int, chance: object) -> None:
    draw = np.random.default_rng(chance.getrandbits(32))  # type: ignore[attr-defined]
    spins = 1 + state % 2
    values = np.abs(draw.normal(0, 50, (runs, spins, projections, points)))
    text = "".join(
        density(number, (one * (-1 if spin else 1)).tolist(), state=state, orbitals=number)
        for run in values for spin, rows in enumerate(run) for number, one in enumerate(rows, start=1)
    )  # fmt: skip
    latest = latest_dos(read_stretches(text))
    # The writer rounds to six digits behind the point.
    assert np.allclose(latest.value.densities, values[-1], rtol=2e-5, atol=1e-6)
    assert (f"of {runs} runs" in latest.note) == (runs > 1)
