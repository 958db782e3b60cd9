"""Maps in a plane, as ECHG, POTM and CLAS leave them in fort.25 (blocks MAPN), with their contour lines.

The head holds the points along A→B and along B→C, the two steps in bohr and the cosine of their angle; the second and third
record the corners A, B and C in bohr, the number of atoms and the periodic directions; then come the values, six to a line, those
along A→B fastest (CRYSTAL manual, appendix on fort.25). An open shell has the map of the spins behind that of all electrons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.crystal.constants import BOHR
from app.crystal.properties.crgra import WIDTH, numbers_of, split_blocks

_FLAT = 0.9999
MAX_VALUES = 1_000_000
MOST_MAPS = 40
_NAMES = {
    "ECHG": ("electron density", "e/bohr³"),
    "POTM": ("electrostatic potential", "hartree/e"),
    "CLAS": ("classical electrostatic potential", "hartree/e"),
}
"""What a keyword of properties maps, and its unit."""


class MapError(ValueError):
    """The file holds no maps, or they are cut."""


@dataclass(frozen=True)
class PlaneMap:
    """Values by place along A→B and along B→C; corners in bohr, steps in bohr, and the cosine of their angle."""

    name: str
    unit: str
    corners: np.ndarray
    steps: tuple[float, float]
    cosine: float
    values: np.ndarray
    whole: tuple[float, float] | None = None
    """Of a thinner copy: how many values would reach to the corners, in its steps."""

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Å of each value in the plane: along B→C, and across it, from B.

        Raises:
            MapError: the corners are not where the steps lead.
        """
        a, b, c = self.corners
        sides = float(np.linalg.norm(a - b)), float(np.linalg.norm(c - b))
        spans = [step * (size - 1) for step, size in zip(self.steps, self.whole or self.values.shape, strict=True)]
        if not np.allclose(sides, spans, rtol=0.02):
            raise MapError("the corners of a map are not where its steps lead")
        cosine = float((a - b) @ (c - b)) / (sides[0] * sides[1])
        if abs(cosine) > _FLAT:
            raise MapError("the corners of a map lie on a line")
        from_b = sides[0] - self.steps[0] * np.arange(self.values.shape[0])[:, None]
        along = self.steps[1] * np.arange(self.values.shape[1])[None, :]
        sine = np.sqrt(1 - cosine**2)
        return (along + from_b * cosine) * BOHR, np.broadcast_to(from_b * sine * BOHR, self.values.shape)

    def thinned(self, most: int) -> PlaneMap:
        """Every second, third … value along each direction, so that no more than `most` are left along it."""
        strides = [-(-(size - 1) // (most - 1)) if size > most else 1 for size in self.values.shape]
        steps = (self.steps[0] * strides[0], self.steps[1] * strides[1])
        thin = self.values[:: strides[0], :: strides[1]]
        whole = [(size - 1) / stride + 1 for size, stride in zip(self.whole or self.values.shape, strides, strict=True)]
        return PlaneMap(self.name, self.unit, self.corners, steps, self.cosine, thin, (whole[0], whole[1]))


def read_maps(text: str, deck: str = "") -> list[PlaneMap]:
    """The maps of a fort.25 in their order; a last one that is cut is left out.

    Args:
        deck: of properties. It names what is mapped, where it asks for as many maps as there are.

    Raises:
        MapError: there is none.
    """
    maps, states = [], []
    try:
        pieces = split_blocks(text)
    except ValueError as error:
        raise MapError(str(error)) from error
    for head, lines in pieces:
        if head["kind"] == "MAPN" and (found := _map(head["rows"], head["columns"], head["numbers"], lines)):
            maps.append(found)
            states.append(int(head["state"]))
            if len(maps) > MOST_MAPS or sum(one.values.size for one in maps) > MAX_VALUES:
                raise MapError("so many maps are implausible")
    if not maps:
        raise MapError("it contains no maps, or they are truncated")
    names = _names(deck, states)
    return [
        PlaneMap(name, unit, one.corners, one.steps, one.cosine, one.values)
        for one, (name, unit) in zip(maps, names, strict=True)
    ]


def _map(rows: str, columns: str, numbers: str, lines: Sequence[str]) -> PlaneMap | None:
    """One map; None: it is cut."""
    try:
        shape = int(rows), int(columns)
        if min(shape) < 2 or shape[0] * shape[1] > MAX_VALUES:
            raise MapError(f"a map of {shape[0]} × {shape[1]} points is implausible")
        wanted = shape[0] * shape[1]
        first, second, cosine = numbers_of(numbers)
        last = 2 + -(-wanted // 6)
        if len(lines) < last or len(lines[last - 1].rstrip()) < WIDTH * ((wanted - 1) % 6 + 1):
            return None
        corners = np.array([*numbers_of(lines[0]), *numbers_of(lines[1][:36])]).reshape(3, 3)
        values = [value for line in lines[2:last] for value in numbers_of(line)]
    except MapError:
        raise
    except ValueError as error:
        raise MapError(f"a map is damaged: {error}") from error
    if len(values) != wanted:
        return None
    if first <= 0 or second <= 0 or not -1 < cosine < 1:
        raise MapError("the steps of a map are implausible")
    return PlaneMap("", "a.u.", corners, (first, second), cosine, np.array(values).reshape(shape[::-1]).T)


def _names(deck: str, states: Sequence[int]) -> list[tuple[str, str]]:
    """What each map shows; `map 1` and so on where the deck does not tell surely."""
    asked = [line.strip() for line in deck.split("\n") if line.strip() in _NAMES]
    wanted: list[tuple[str, str]] = []
    for keyword in asked:
        wanted.append(_NAMES[keyword])
        # Of an open shell the density of the spins, α − β, follows.
        if keyword == "ECHG" and len(wanted) < len(states) + 1 and states[len(wanted) - 1] % 2 == 1:
            wanted.append(("spin density", _NAMES["ECHG"][1]))
    if len(wanted) == len(states):
        return wanted
    return [(f"map {place}", "a.u.") for place in range(1, len(states) + 1)]
