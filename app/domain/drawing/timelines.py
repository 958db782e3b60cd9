"""When things waited and ran, as bars over time: numbers that a page draws as SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, LEFT, ROW, TOP = 820, 190, 20, 24
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800, 604800)


@dataclass(frozen=True)
class Bar:
    """One stretch of time in one state; places in the picture's units, and the text shown on hover."""

    state: str
    x: float
    width: float
    words: str


@dataclass(frozen=True)
class Row:
    """One row of a timeline: its name, its height in pixels from the top, and its bars."""

    name: str
    y: float
    bars: list[Bar]


@dataclass(frozen=True)
class Timeline:
    """Rows of bars over a common axis of time, in pixels."""

    rows: list[Row]
    ticks: list[tuple[float, str]]
    width: int
    height: float
    left: int = LEFT
    row: int = ROW


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    for unit, size, below, small in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"


def timeline(
    rows: Sequence[tuple[str, Sequence[tuple[str, datetime, datetime]]]], begin: datetime, end: datetime
) -> Timeline | None:
    """Bars for rows of (state, from, to); None where there is nothing to draw."""
    if not rows:
        return None
    span = max((end - begin).total_seconds(), 1.0)
    scale = (WIDTH - LEFT - 10) / span

    def across(moment: datetime) -> float:
        return LEFT + min(max((moment - begin).total_seconds(), 0.0), span) * scale

    def bar(state: str, start: datetime, stop: datetime) -> Bar:
        words = f"{state}: {duration((stop - start).total_seconds())}"
        return Bar(state, across(start), max(across(stop) - across(start), 1.0), words)

    drawn = [
        Row(name, TOP + index * ROW, [bar(*bar_of_state) for bar_of_state in bars])
        for index, (name, bars) in enumerate(rows)
    ]
    step = next((size for size in STEPS if span / size <= 8), STEPS[-1])
    ticks = [(LEFT + place * step * scale, duration(place * step)) for place in range(int(span // step) + 1)]
    return Timeline(drawn, ticks, WIDTH, TOP + len(rows) * ROW + 6)
