"""Bands and densities of states as numbers that a page draws: energies in eV from the Fermi energy, on one axis. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.domain.drawing.charts import Box, Tick, nice_ticks

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 40
GAP, BESIDE = 40, 210
"""Between the two panels, and width of the second one."""
WINDOW = (-12.0, 12.0)
"""eV around the Fermi energy that are drawn where nothing else is asked for."""
MOST_NUMBERS = 4000
"""Points of all lines together, of several jobs: some 45 kB of a page."""
NARROWEST = 0.1


@dataclass(frozen=True)
class Panel:
    """The density of states: a line for each projection and spin, its name, and ticks of the density."""

    lines: list[tuple[int, str, str]]
    ticks: list[Tick]
    left: float
    right: float
    centre: float | None
    """Where the density is zero, in the middle of two spins."""


@dataclass(frozen=True)
class BandChart(Box):
    """Lines by spin, or by job where several are drawn; nodes of the path, ticks of the energy, and where the Fermi energy lies."""

    lines: list[tuple[int, str]]
    nodes: list[Tick]
    y_ticks: list[Tick]
    fermi: float
    window: tuple[float, float]
    dos: Panel | None = None
    names: list[str] = field(default_factory=list)
    """Of the projections, in the order of their line styles."""


@dataclass(frozen=True)
class BandSet:
    """Bands of one job: distance and energies (eV from the Fermi energy, by spin, band and point), and nodes of the path."""

    distances: Sequence[float]
    energies: Sequence[Sequence[Sequence[float]]]
    nodes: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class DosLine:
    """A projected density of states in states/(eV·cell), at the energies of the chart."""

    name: str
    spin: int
    energies: Sequence[float]
    densities: Sequence[float]


def electronic_chart(
    distances: Sequence[float],
    energies: Sequence[Sequence[Sequence[float]]],
    nodes: Sequence[tuple[float, str]],
    *,
    dos: Sequence[DosLine] = (),
    window: tuple[float, float] | None = None,
) -> BandChart | None:
    """Bands, densities of states beside them, or one of both.

    Args:
        distances: along the path, one for each point; energies: eV from the Fermi energy by spin, band and point.
        nodes: where the lines of the path end, with their names.
        window: eV; otherwise what there is, at most `WINDOW`.
    """
    flat = [value for spin in energies for band in spin for value in band]
    flat += [value for line in dos for value in (line.energies[0], line.energies[-1])] if not flat else []
    with_bands = bool(energies) and len(distances) > 1 and distances[-1] > distances[0]
    if not flat or not (with_bands or dos):
        return None
    low, high = window = _limits(flat, window)
    width = WIDTH + (BESIDE + GAP if with_bands and dos else 0)
    right = WIDTH - RIGHT

    down = _scale(window)
    lines: list[tuple[int, str]] = []
    ticks: list[Tick] = []
    if with_bands:
        scale = (right - LEFT) / (distances[-1] - distances[0])
        across = [LEFT + (distance - distances[0]) * scale for distance in distances]
        lines = _band_lines(across, energies, low, high, down)
        ticks = [Tick(LEFT + (at - distances[0]) * scale, name) for at, name in nodes]
    panel = None
    if dos:
        panel = _panel(dos, low, high, down, right + GAP if with_bands else LEFT, width - RIGHT)
    return _chart(lines, ticks, window, width, panel, list(dict.fromkeys(line.name for line in dos)))


def _scale(window: tuple[float, float]) -> Callable[[float], float]:
    """How far down in the picture an energy stands."""
    low, high = window
    return lambda energy: HEIGHT - BOTTOM - (energy - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _chart(
    lines: list[tuple[int, str]],
    nodes: list[Tick],
    window: tuple[float, float],
    width: int = WIDTH,
    dos: Panel | None = None,
    names: Sequence[str] = (),
) -> BandChart:
    down = _scale(window)
    return BandChart(
        lines,
        nodes,
        [Tick(down(y), f"{y:g}") for y in nice_ticks(*window, 8)],
        down(0.0),
        window,
        dos,
        list(names),
        width=width,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
    )


def overlaid_chart(sets: Sequence[BandSet]) -> BandChart | None:
    """Bands of several jobs over each other, both spins of one alike, on the path of the first.

    Cells differ in size, and so do the lengths of their paths: each stretch between two nodes is drawn as long as the first's.

    Args:
        sets: along the same nodes, in the same order.
    """
    if not sets or len(sets[0].nodes) < 2:
        return None
    own = [at for at, _ in sets[0].nodes]
    if own[-1] <= own[0]:
        return None
    low, high = window = _limits(
        [value for bands_of_job in sets for spin in bands_of_job.energies for band in spin for value in band], None
    )
    scale = (WIDTH - RIGHT - LEFT) / (own[-1] - own[0])

    down = _scale(window)
    lines: list[tuple[int, str]] = []
    for place, bands_of_job in enumerate(sets):
        stretched = _stretched(bands_of_job.distances, [at for at, _ in bands_of_job.nodes], own)
        kept = _thinned(bands_of_job, MOST_NUMBERS // len(sets), window)
        across = [LEFT + (stretched[index] - own[0]) * scale for index in kept]
        bands = [[[band[index] for index in kept] for band in spin] for spin in bands_of_job.energies]
        lines += [(place, path) for _, path in _band_lines(across, bands, low, high, down)]
    ticks = [Tick(LEFT + (at - own[0]) * scale, name) for at, name in sets[0].nodes]
    return _chart(lines, ticks, window)


def _stretched(distances: Sequence[float], nodes: Sequence[float], onto: Sequence[float]) -> list[float]:
    """The distances, with every stretch between two nodes as long as the one in `onto`."""
    stretched = []
    for distance in distances:
        place = min(max(bisect_right(nodes, distance) - 1, 0), len(nodes) - 2)
        length = nodes[place + 1] - nodes[place]
        share = (distance - nodes[place]) / length if length else 0.0
        stretched.append(onto[place] + share * (onto[place + 1] - onto[place]))
    return stretched


def _thinned(band_set: BandSet, most: int, window: tuple[float, float]) -> list[int]:
    """Places of the points that are drawn: all nodes, and so many others that the page stays small."""
    inside = sum(1 for spin in band_set.energies for band in spin if max(band) >= window[0] and min(band) <= window[1])
    stride = max(1, -(-len(band_set.distances) * inside // most))
    nodes = {at for at, _ in band_set.nodes}
    return [place for place, at in enumerate(band_set.distances) if place % stride == 0 or at in nodes]


def band_chart(
    distances: Sequence[float], energies: Sequence[Sequence[Sequence[float]]], nodes: Sequence[tuple[float, str]]
) -> BandChart | None:
    """Bands alone."""
    return electronic_chart(distances, energies, nodes)


def _limits(flat: Sequence[float], window: tuple[float, float] | None) -> tuple[float, float]:
    if window is not None and window[1] - window[0] >= NARROWEST:
        return window
    low, high = max(min(flat), WINDOW[0]), min(max(flat), WINDOW[1])
    return min(low, 0.0) - 0.5, max(high, 0.0) + 0.5


def _band_lines(
    across: Sequence[float],
    energies: Sequence[Sequence[Sequence[float]]],
    low: float,
    high: float,
    down: Callable[[float], float],
) -> list[tuple[int, str]]:
    lines = []
    margin = (high - low) / 2
    for spin, bands in enumerate(energies):
        for band in bands:
            # What lies far outside is left out; what crosses the edge is cut there by the page's clip path.
            if max(band) < low or min(band) > high:
                continue
            points = zip(across, band, strict=True)
            lines.append(
                (spin, " ".join(f"{x:.1f},{down(min(max(y, low - margin), high + margin)):.1f}" for x, y in points))
            )
    return lines


def _panel(
    dos: Sequence[DosLine], low: float, high: float, down: Callable[[float], float], left: float, right: float
) -> Panel:
    """Densities to the right, of the second spin to the left of a line in the middle."""
    inside = [[(e, d) for e, d in zip(line.energies, line.densities, strict=True) if low <= e <= high] for line in dos]
    most = max((density for points in inside for _, density in points), default=0.0) or 1.0
    both = any(line.spin for line in dos)
    centre = (left + right) / 2 if both else left
    scale = (right - centre) * 0.94 / most
    names = list(dict.fromkeys(line.name for line in dos))
    lines = []
    for line, points in zip(dos, inside, strict=True):
        sign = -1 if line.spin else 1
        path = " ".join(f"{centre + sign * density * scale:.1f},{down(energy):.1f}" for energy, density in points)
        lines.append((names.index(line.name), f"{line.name}{' β' if line.spin else ' α' if both else ''}", path))
    ticks = [Tick(centre + value * scale, f"{value:g}") for value in nice_ticks(0.0, most, 3)]
    if both:
        ticks += [Tick(centre - value * scale, f"{value:g}") for value in nice_ticks(0.0, most, 3) if value]
    return Panel(lines, ticks, left, right, centre if both else None)
