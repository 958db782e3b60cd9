"""Tables of the quasi-harmonic approximation as charts: one for each quantity over temperature, a line for each pressure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.drawing.charts import Chart, line_chart

MOST_CHARTS = 12
Points = list[tuple[float, float, str]]


def thermal_charts(tables: Sequence[Mapping[str, Any]]) -> list[tuple[str, Chart]]:
    """Title and chart by quantity, in the order of the tables. A table that is not over temperature is not drawn.

    Args:
        tables: `title`, `order`, `pressure_gpa`, `columns` and `rows`, whose first column is the temperature in K.
    """
    lines: dict[tuple[str, str], list[tuple[str, Points]]] = {}
    for table in tables:
        columns, rows = table.get("columns") or [], table.get("rows") or []
        if not columns or not columns[0].upper().startswith("T"):
            continue
        for place, name in enumerate(columns[1:], start=1):
            points = [
                (row[0], row[place], f"{row[0]:g} K: {row[place]:g}")
                for row in rows
                if row[0] is not None and row[place] is not None
            ]
            lines.setdefault((table["title"], name), []).append((_name(table), points))
    charts = [
        (f"{title.capitalize()}: {name}", line_chart(drawn, "T / K", name)) for (title, name), drawn in lines.items()
    ]
    return [(title, chart) for title, chart in charts if chart is not None][:MOST_CHARTS]


def thermal_columns(tables: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """All tables below each other: title, order of the polynomials, pressure in GPa, and a column for each heading."""
    headings = list(dict.fromkeys(name for table in tables for name in table["columns"]))
    columns: dict[str, list[Any]] = {name: [] for name in ("table", "order", "pressure_gpa", *headings)}
    for table in tables:
        for row in table["rows"]:
            cells = dict(zip(table["columns"], row, strict=True))
            columns["table"].append(table["title"])
            columns["order"].append(table["order"])
            columns["pressure_gpa"].append(table["pressure_gpa"])
            for name in headings:
                columns[name].append(cells.get(name))
    return columns


def _name(table: Mapping[str, Any]) -> str:
    parts = []
    if table.get("pressure_gpa") is not None:
        parts.append(f"{table['pressure_gpa']:g} GPa")
    if table.get("order") is not None:
        parts.append(f"order {table['order']}")
    return ", ".join(parts) or "computed"
