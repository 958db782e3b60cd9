"""Names of the points of a band path: as the deck, BAND.DAT or fort.25 tell them, and no guesses.

The deck of properties has, behind BAND, a title that anybody may use for names (`G-X-U|K-G`), then the number of segments, the
shrinking factor and more, then a row of two points for each segment, which are six integers, or two names where the shrinking
factor is zero (CRYSTAL manual).
"""

from __future__ import annotations

import re

from app.crystal.properties.bands import Bands

_NAME = re.compile(r"(?:Γ|(?:[A-Z]|GAMMA|DELTA|LAMBDA|SIGMA)_?\d{0,2}'{0,2})")
_GREEK = {"G": "Γ", "GAMMA": "Γ"}
_PLACE = re.compile(r"\((-?\d+),(-?\d+),(-?\d+)\)")
MOST_SEGMENTS = 100


def name_nodes(bands: Bands, deck: str, beside: Bands | None = None) -> list[tuple[float, str]]:
    """The ends of a path's segments, each with the best name that is sure; empty where none is.

    Args:
        deck: of properties; beside: the same bands from another file, which may name the points.
    """
    nodes = _meaningful(bands.nodes)
    if not all(name for _, name in nodes) and beside is not None and len(beside.nodes) == len(nodes):
        nodes = [(at, name) for (at, _), (_, name) in zip(nodes, beside.nodes, strict=True)]
    title, points = _path_of(deck)
    if not all(name for _, name in nodes) and len(points) == len(nodes):
        nodes = [(at, name) for (at, _), name in zip(nodes, points, strict=True)]
    labels = _labels(title)
    if len(labels) == len(nodes) and all(_agree(label, name) for label, (_, name) in zip(labels, nodes, strict=True)):
        return [(at, label) for (at, _), label in zip(nodes, labels, strict=True)]
    return nodes


def _meaningful(nodes: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Without names where all are the same letter: CRYSTAL14 writes A for every point."""
    names = {name for _, name in nodes}
    return [(at, "") for at, _ in nodes] if len(nodes) > 1 and len(names) == 1 and names.pop().isalpha() else nodes


def _path_of(deck: str) -> tuple[str, list[str]]:
    """The title of the last BAND of a deck, and its points: `(0,0,0)/8`, or their names."""
    lines = [line.strip() for line in deck.split("\n")]
    places = [place for place, line in enumerate(lines) if line == "BAND" and place + 2 < len(lines)]
    if not places:
        return "", []
    title, head, rows = lines[places[-1] + 1], lines[places[-1] + 2], lines[places[-1] + 3 :]
    try:
        count, shrink = (int(part) for part in head.split()[:2])
    except ValueError:
        return title, []
    if not 0 < count <= min(MOST_SEGMENTS, len(rows)):
        return title, []
    points: list[str] = []
    for row in rows[:count]:
        ends = _ends(row, shrink)
        if ends is None:
            return title, []
        if not points:
            points.append(ends[0])
        elif ends[0] != points[-1]:
            points[-1] = f"{points[-1]}|{ends[0]}"
        points.append(ends[1])
    return title, points


def _ends(row: str, shrink: int) -> tuple[str, str] | None:
    parts = row.split()
    if shrink == 0:
        names = [_GREEK.get(part, part) for part in parts[:2]]
        return (names[0], names[1]) if len(names) == 2 and all(_NAME.fullmatch(part) for part in parts[:2]) else None
    if len(parts) < 6 or not all(re.fullmatch(r"-?\d+", part) for part in parts[:6]):
        return None
    first, last = ("({},{},{})/{}".format(*parts[start : start + 3], shrink) for start in (0, 3))
    return first, last


def _labels(title: str) -> list[str]:
    """The names in a title, if it is nothing but names."""
    parts = (title.split() or [""])[0].split("-")
    if not all(_NAME.fullmatch(name) for part in parts for name in part.split("|")):
        return []
    return ["|".join(_GREEK.get(name, name) for name in part.split("|")) for part in parts]


def _agree(label: str, name: str) -> bool:
    """Whether a name from a title may be that of a point: Γ is the origin, and no other point is."""
    names, places = label.split("|"), _PLACE.findall(name)
    if not places:
        return name in ("", label)
    origins = [not any(int(part) for part in place) for place in places]
    if len(places) == 1:
        # BAND.DAT tells one of the two points of a jump.
        return any((part == "Γ") == origins[0] for part in names)
    return [part == "Γ" for part in names] == origins
