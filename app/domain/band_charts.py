"""A band structure as numbers that a page draws: energies over the path, in eV from the Fermi energy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.charts import Tick, nice_ticks

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 34
WINDOW = (-12.0, 12.0)
"""eV around the Fermi energy that are drawn where the bands reach further."""


@dataclass(frozen=True)
class BandChart:
    """Lines by spin, nodes of the path, ticks of the energy, and where the Fermi energy lies."""

    lines: list[tuple[int, str]]
    nodes: list[Tick]
    y_ticks: list[Tick]
    fermi: float
    window: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def band_chart(
    distances: Sequence[float], energies: Sequence[Sequence[Sequence[float]]], nodes: Sequence[tuple[float, str]]
) -> BandChart | None:
    """Bands as lines.

    Args:
        distances: along the path, one for each point; energies: eV from the Fermi energy by spin, band and point.
        nodes: where the lines of the path end, with their names.
    """
    flat = [value for spin in energies for band in spin for value in band]
    if not flat or len(distances) < 2 or distances[-1] <= distances[0]:
        return None
    low, high = max(min(flat), WINDOW[0]), min(max(flat), WINDOW[1])
    low, high = min(low, 0.0) - 0.5, max(high, 0.0) + 0.5

    def across(distance: float) -> float:
        return LEFT + (distance - distances[0]) / (distances[-1] - distances[0]) * (WIDTH - LEFT - RIGHT)

    def down(energy: float) -> float:
        return HEIGHT - BOTTOM - (energy - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for spin, bands in enumerate(energies):
        for band in bands:
            # What lies far outside is left out; what crosses the edge is cut there by the page's clip path.
            if max(band) < low or min(band) > high:
                continue
            points = zip(distances, band, strict=True)
            lines.append(
                (spin, " ".join(f"{across(x):.1f},{down(min(max(y, low - 9), high + 9)):.1f}" for x, y in points))
            )
    return BandChart(
        lines, [Tick(across(at), name) for at, name in nodes], [Tick(down(y), f"{y:g}") for y in nice_ticks(low, high, 8)],
        down(0.0), (low, high),
    )  # fmt: skip
