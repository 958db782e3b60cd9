"""Convergence studies: in which order values stand, from which one on nothing changes, and of what there is no study."""

from __future__ import annotations

from app.domain.studies import study

ENERGIES = [-100.0, -104.9, -105.0, -105.0]


def test_numbers_stand_on_their_axis_in_their_order() -> None:
    found = study("shrink", [8, "2", 6, 4.0], "energy", [-105.0, -100.0, -105.0, -104.9], 1.0)
    assert found is not None
    assert (found.values, found.reached) == (["2", "4", "6", "8"], "4")
    assert found.differences[0] == 5.0
    first, second, third = (point.x for point in found.chart.series[0].points[:3])
    assert round(second - first, 6) == round(third - second, 6)
    assert [tick.text for tick in found.chart.x_ticks] == ["2", "4", "6", "8"]


def test_nets_are_named_not_added_up() -> None:
    """4 4 2 is no place on an axis of numbers, and neither is 10."""
    found = study("shrink", [[8, 8, 4], "2 2 1", "4 4 2"], "gap", [7000.0, 6000.0, 6995.0])
    assert found is not None
    assert [tick.text for tick in found.chart.x_ticks] == found.values == ["2 2 1", "4 4 2", "8 8 4"]
    assert (found.tolerance, found.reached) == (10.0, "4 4 2")


def test_one_factor_stands_for_three() -> None:
    found = study("shrink", [4, "2 2 1", "4 4 2"], "energy", [-105.0, -100.0, -104.9])
    assert found is not None
    assert found.values == ["2 2 1", "4 4 2", "4"]


def test_words_and_numbers_stand_side_by_side() -> None:
    found = study("guess", ["sto-3g", 3, "pob"], "volume", [9.3, 9.4, 9.3])
    assert found is not None
    assert found.values == ["3", "pob", "sto-3g"]


def test_of_tables_and_of_two_values_there_is_no_study() -> None:
    assert study("atoms", [[["Mg", 0, 0, 0]]] * 4, "energy", ENERGIES) is None
    assert study("shrink", [2, 4, 6, None], "energy", [-1.0, None, -1.0, -1.0]) is None
