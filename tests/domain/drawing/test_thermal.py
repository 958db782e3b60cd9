"""Quasi-harmonic tables as charts: one for each quantity, one line for each pressure."""

from __future__ import annotations

from typing import Any

from app.domain.drawing.thermal import MOST_CHARTS, thermal_charts, thermal_columns


def table(pressure: float | None, columns: list[str], rows: list[list[float | None]]) -> dict[str, Any]:
    return {"title": "THERMAL", "order": None, "pressure_gpa": pressure, "columns": columns, "rows": rows}


def test_each_quantity_has_a_chart_with_a_line_for_each_pressure() -> None:
    columns = ["T(K)", "V(A^3)", "K(GPa)"]
    tables = [
        table(0.0, columns, [[10.0, 19.0, 160.0], [20.0, 19.5, 150.0]]),
        table(5.0, columns, [[10.0, 18.0, 170.0], [20.0, 18.5, None]]),
    ]
    charts = thermal_charts(tables)
    assert [title for title, _ in charts] == ["Thermal: V(A^3)", "Thermal: K(GPa)"]
    volume, modulus = (chart for _, chart in charts)
    assert (volume.x_label, volume.y_label) == ("T / K", "V(A^3)")
    assert [series.name for series in volume.series] == ["0 GPa", "5 GPa"]
    assert [len(series.points) for series in modulus.series] == [2, 1]
    # Higher values stand higher up.
    assert volume.series[0].points[0].y < volume.series[1].points[0].y


def test_what_is_not_over_temperature_is_not_drawn() -> None:
    assert thermal_charts([table(None, ["V(A^3)", "P(GPa)"], [[19.0, 1.0]])]) == []
    assert thermal_charts([{"title": "THERMAL"}, table(None, ["T(K)", "V"], [[10.0, None]])]) == []


def test_there_are_not_more_charts_than_a_page_holds() -> None:
    columns = ["T(K)", *(f"X{place}" for place in range(40))]
    assert len(thermal_charts([table(None, columns, [[1.0] * 41])])) == MOST_CHARTS


def test_tables_stand_below_each_other_with_a_column_for_each_heading() -> None:
    tables = [table(0.0, ["T(K)", "V"], [[10.0, 19.0], [20.0, None]]), table(5.0, ["T(K)", "K"], [[10.0, 160.0]])]
    assert thermal_columns(tables) == {
        "table": ["THERMAL"] * 3, "order": [None] * 3, "pressure_gpa": [0.0, 0.0, 5.0],
        "T(K)": [10.0, 20.0, 10.0], "V": [19.0, None, None], "K": [None, None, 160.0],
    }  # fmt: skip
