"""Figures as numbers: what stands where, and that areas and limits are kept."""

from __future__ import annotations

import math

import pytest

from app.domain.drawing.bands import MOST_NUMBERS, BandSet, DosLine, electronic_chart, overlaid_chart
from app.domain.drawing.charts import spectrum_chart
from app.domain.drawing.spectra import broadened
from app.domain.drawing.tabular import as_csv

BANDS = [[[-5.0, -4.0, -3.0], [2.0, 3.0, 40.0]]]


def test_bands_and_densities_share_their_axis() -> None:
    dos = [DosLine("Mg", 0, [-5.0, 0.0, 5.0], [1.0, 0.5, 2.0]), DosLine("total", 0, [-5.0, 0.0, 5.0], [2.0, 1.0, 4.0])]
    found = electronic_chart([0.0, 1.0, 2.0], BANDS, [(0.0, "Γ"), (2.0, "X")], dos=dos)
    assert found is not None
    assert found.dos is not None
    assert found.names == ["Mg", "total"]
    assert found.dos.left > found.right
    # −5 eV is as high in one panel as in the other.
    first_band = float(found.lines[0][1].split(" ")[0].split(",")[1])
    first_density = float(found.dos.lines[0][2].split(" ")[0].split(",")[1])
    assert first_band == first_density
    assert [node.text for node in found.nodes] == ["Γ", "X"]


def test_a_window_cuts_and_two_spins_are_mirrored() -> None:
    both = [DosLine("total", spin, [-1.0, 0.0, 1.0], [1.0, 2.0, 1.0]) for spin in (0, 1)]
    found = electronic_chart([], [], [], dos=both, window=(-0.5, 0.5))
    assert found is not None
    assert found.dos is not None
    assert found.window == (-0.5, 0.5)
    assert found.dos.centre is not None
    up, down = (float(path.split(",")[0]) for _, _, path in found.dos.lines)
    assert up - found.dos.centre == pytest.approx(found.dos.centre - down, abs=0.2)
    assert electronic_chart([], [], []) is None


def test_bands_of_two_cells_meet_at_the_nodes() -> None:
    """The second path is twice as long up to X, and half as long from there on: it is drawn as long as the first one."""
    first = BandSet([0.0, 1.0, 2.0, 4.0], [[[-1.0, 0.0, -1.0, 0.0]]], [(0.0, "Γ"), (2.0, "X"), (4.0, "M")])
    second = BandSet(
        [0.0, 4.0, 4.5, 5.0], [[[-2.0, -1.0, 0.0, -2.0]], [[1.0] * 4]], [(0.0, "Γ"), (4.0, "X"), (5.0, "M")]
    )
    found = overlaid_chart([first, second])
    assert found is not None
    assert [place for place, _ in found.lines] == [0, 1, 1]
    across = [[float(pair.split(",")[0]) for pair in path.split(" ")] for _, path in found.lines]
    at = [round(node.at, 1) for node in found.nodes]
    assert [across[0][index] for index in (0, 2, 3)] == at
    assert [across[1][index] for index in (0, 1, 3)] == at
    assert across[1][2] == pytest.approx((at[1] + at[2]) / 2, abs=0.1)
    # The same energy is as high for both.
    heights = [
        float(path.split(" ")[index].split(",")[1]) for (_, path), index in zip(found.lines, (0, 1), strict=False)
    ]
    assert heights[0] == heights[1]
    assert overlaid_chart([]) is None


def test_many_bands_over_each_other_stay_small() -> None:
    distances = [0.01 * place for place in range(1001)]
    bands = [[math.sin(at + n) for at in distances] for n in range(40)]
    found = overlaid_chart([BandSet(distances, [bands], [(0.0, "Γ"), (5.03, "X"), (10.0, "M")])] * 3)
    assert found is not None
    assert len(found.lines) == 120
    assert sum(path.count(",") for _, path in found.lines) < 1.2 * MOST_NUMBERS
    # The node that no stride would meet is drawn.
    assert all(f"{found.nodes[1].at:.1f}," in path for _, path in found.lines)


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
def test_the_area_of_a_line_is_its_intensity(shape: str) -> None:
    found = broadened([(500.0, 20.0), (0.0, 5.0)], 8.0, shape, (0.0, 1000.0))  # type: ignore[arg-type]
    step = found.wavenumbers[1] - found.wavenumbers[0]
    assert sum(found.intensities) * step == pytest.approx(20.0, rel=0.02)
    assert found.lines == [(500.0, 20.0)]
    peak = max(found.intensities)
    inside = [x for x, y in zip(found.wavenumbers, found.intensities, strict=True) if y >= peak / 2]
    assert inside[-1] - inside[0] == pytest.approx(8.0, abs=2.0)
    chart = spectrum_chart(found, "x", "y")
    assert len(chart.sticks) == 1
    assert math.isclose(chart.sticks[0][0], chart.left + (chart.right - chart.left) / 2, abs_tol=0.5)


def test_csv_holds_no_formula() -> None:
    text = as_csv({"name": ["=1+1", "b"], "value": [1.5, None], "longer": [1, 2, 3]})
    assert text == "name,value,longer\n'=1+1,1.5,1\nb,,2\n,,3\n"
