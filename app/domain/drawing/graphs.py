"""Drawing graphs without circles: which node stands where, and how edges run. Numbers only; a page draws them as SVG. Pure.

Layers by the longest way from a source, order within a layer by the mean place of the neighbours (Sugiyama's method with
barycentres), which is enough for some dozens of nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NODE_WIDTH, NODE_HEIGHT = 190, 46
GAP_X, GAP_Y = 128, 20
MARGIN = 12
SWEEPS = 4
LIFT = 64
"""How far an edge that passes over other layers is bent upwards, so that it does not run behind their nodes."""


@dataclass(frozen=True)
class Place:
    """Where a node's box stands: its left upper corner."""

    x: float
    y: float
    width: float = NODE_WIDTH
    height: float = NODE_HEIGHT


@dataclass(frozen=True)
class Edge:
    """A line from one node to another: an SVG path, and where its words stand."""

    source: str
    target: str
    path: str
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Everything a page needs to draw a graph from left to right."""

    places: dict[str, Place]
    edges: list[Edge]
    width: float
    height: float


def draw(before: Mapping[str, Sequence[str]]) -> Drawing:
    """A drawing of a graph without circles.

    Args:
        before: for each node those that point to it.
    """
    layers = _layers(before)
    after: dict[str, list[str]] = {name: [] for name in before}
    for name, parents in before.items():
        for parent in parents:
            after[parent].append(name)
    _sort(layers, before, after)
    column_of = {name: column for column, layer in enumerate(layers) for name in layer}
    long = any(column_of[name] - column_of[parent] > 1 for name, parents in before.items() for parent in parents)
    tallest = max((len(layer) for layer in layers), default=0)
    head = LIFT * 0.5 if long else 0.0
    height = tallest * (NODE_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN + head
    places = {}
    for column, layer in enumerate(layers):
        own = len(layer) * (NODE_HEIGHT + GAP_Y) - GAP_Y
        top = head + (height - head - own) / 2
        for row, name in enumerate(layer):
            places[name] = Place(MARGIN + column * (NODE_WIDTH + GAP_X), top + row * (NODE_HEIGHT + GAP_Y))
    edges = [
        _edge(parent, name, places, LIFT if column_of[name] - column_of[parent] > 1 else 0)
        for name, parents in before.items()
        for parent in parents
    ]
    width = len(layers) * (NODE_WIDTH + GAP_X) - GAP_X + 2 * MARGIN if layers else 0
    return Drawing(places, edges, width, max(height, 0))


def _layers(before: Mapping[str, Sequence[str]]) -> list[list[str]]:
    depth: dict[str, int] = {}

    def deep(name: str) -> int:
        if name not in depth:
            depth[name] = 0
            depth[name] = 1 + max((deep(parent) for parent in before[name]), default=-1)
        return depth[name]

    layers: list[list[str]] = []
    for name in before:
        place = deep(name)
        while len(layers) <= place:
            layers.append([])
        layers[place].append(name)
    return layers


def _sort(layers: list[list[str]], before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> None:
    """Bring nodes near their neighbours, forth and back a few times."""
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        neighbours = before if forth else after
        order = range(1, len(layers)) if forth else range(len(layers) - 2, -1, -1)
        for index in order:
            known = {name: row for layer in layers for row, name in enumerate(layer)}
            places = {name: row for row, name in enumerate(layers[index])}

            def centre(
                name: str,
                near: Mapping[str, Sequence[str]] = neighbours,
                known: Mapping[str, int] = known,
                places: Mapping[str, int] = places,
            ) -> float:
                rows = [known[other] for other in near[name]]
                return sum(rows) / len(rows) if rows else float(places[name])

            layers[index].sort(key=centre)


def _edge(source: str, target: str, places: Mapping[str, Place], lift: float) -> Edge:
    start, end = places[source], places[target]
    x1, y1 = start.x + start.width, start.y + start.height / 2
    x2, y2 = end.x, end.y + end.height / 2
    bend = max((x2 - x1) / 2, 24) if not lift else GAP_X / 2
    path = f"M{x1:.0f},{y1:.0f} C{x1 + bend:.0f},{y1 - lift:.0f} {x2 - bend:.0f},{y2 - lift:.0f} {x2:.0f},{y2:.0f}"
    # The middle of the curve lies at three quarters of the lift.
    return Edge(source, target, path, (x1 + x2) / 2, (y1 + y2) / 2 - 0.75 * lift)
