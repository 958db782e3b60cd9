"""What the invented outputs are about: cells and atoms, written down by hand so that no library decides on a digit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Vector = tuple[float, float, float]
SYMBOLS = {1: "H", 3: "LI", 6: "C", 7: "N", 8: "O", 11: "NA", 12: "MG", 14: "SI", 16: "S", 17: "CL", 26: "FE", 28: "NI"}
FAR = 500.0
"""Å: what the program prints for a direction that is not periodic."""


@dataclass(frozen=True)
class Site:
    """Conventional atomic number, place (fractional along periodic directions, else Å), whether it was given."""

    number: int
    place: Vector
    given: bool = True

    @property
    def symbol(self) -> str:
        return SYMBOLS.get(self.number % 100, "XX")


@dataclass(frozen=True)
class Structure:
    """`lattice` are the vectors of the primitive cell in Å; `conventional` and `centring` where they differ from it."""

    title: str
    dimension: int
    lattice: tuple[Vector, Vector, Vector]
    sites: tuple[Site, ...]
    conventional: tuple[float, ...] = ()
    centring: int = 1
    electrons: int = 20

    @property
    def cell(self) -> tuple[float, ...]:
        """a, b, c in Å, α, β, γ in degrees."""
        a, b, c = self.lattice
        angles = ((b, c), (a, c), (a, b))
        return (
            *map(_length, self.lattice),
            *(math.degrees(math.acos(_dot(u, v) / _length(u) / _length(v))) for u, v in angles),
        )

    @property
    def volume(self) -> float:
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = self.lattice
        return abs(ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx))

    def scaled(self, factor: float) -> Structure:
        """The same crystal with longer or shorter periodic axes."""
        lattice = tuple(
            tuple(part * factor for part in row) if axis < self.dimension else row
            for axis, row in enumerate(self.lattice)
        )
        conventional = (*(length * factor for length in self.conventional[:3]), *self.conventional[3:])
        return replace(self, lattice=lattice, conventional=conventional)  # type: ignore[arg-type]

    def lifted(self, rise: float) -> Structure:
        """The same slab with every atom above the middle higher, and every one below it lower."""
        sites = tuple(
            replace(
                site, place=(*site.place[:2], site.place[2] + math.copysign(rise, site.place[2]) * bool(site.place[2]))
            )
            for site in self.sites
        )
        return replace(self, sites=sites)

    def cartesian(self, site: Site) -> Vector:
        """In Å."""
        rows = self.lattice[: self.dimension]
        whole = [sum(site.place[k] * row[axis] for k, row in enumerate(rows)) for axis in range(3)]
        return tuple(whole[axis] + (site.place[axis] if axis >= self.dimension else 0.0) for axis in range(3))  # type: ignore[return-value]


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _length(a: Vector) -> float:
    return math.sqrt(_dot(a, a))


def _face_centred(a: float) -> tuple[Vector, Vector, Vector]:
    return (0.0, a / 2, a / 2), (a / 2, 0.0, a / 2), (a / 2, a / 2, 0.0)


def rock_salt(title: str, cation: int, anion: int, a: float) -> Structure:
    sites = (Site(cation, (0.0, 0.0, 0.0)), Site(anion, (-0.5, -0.5, -0.5)))
    return Structure(title, 3, _face_centred(a), sites, (a, a, a, 90.0, 90.0, 90.0), 5, cation + anion)


MGO = rock_salt("Magnesia, invented", 12, 8, 4.24)
NACL = rock_salt("Rock salt, invented", 11, 17, 5.66)


def _nickel_oxide() -> Structure:
    """Two nickel atoms that symmetry would make equal, held apart: their spins differ."""
    short, long = 2.96, 4.18
    lattice = ((short, 0.0, 0.0), (0.0, short, 0.0), (0.0, 0.0, long))
    places = ((28, (0.0, 0.0, 0.0)), (28, (-0.5, -0.5, -0.5)), (8, (0.0, 0.0, -0.5)), (8, (-0.5, -0.5, 0.0)))
    return Structure("Nickel oxide, invented", 3, lattice, tuple(Site(z, place) for z, place in places), electrons=72)


NIO = _nickel_oxide()
IRON = Structure(
    "Iron, invented", 3, ((-1.44, 1.44, 1.44), (1.44, -1.44, 1.44), (1.44, 1.44, -1.44)), (Site(26, (0.0, 0.0, 0.0)),),
    (2.88, 2.88, 2.88, 90.0, 90.0, 90.0), 2, 26,
)  # fmt: skip
GHOSTS = Structure(
    "Atoms with other cores, invented", 3, ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0)),
    (Site(264, (-0.5, 0.0, 0.0)), Site(108, (0.0, -0.5, 0.0)), Site(6, (0.0, 0.0, 0.0))), electrons=32,
)  # fmt: skip
GRAPHENE = Structure(
    "Graphene, invented", 2, ((1.24 * math.sqrt(3), -1.24, 0.0), (0.0, 2.48, 0.0), (0.0, 0.0, FAR)),
    (Site(6, (0.333333333333, -0.333333333333, 0.0)), Site(6, (-0.333333333333, 0.333333333333, 0.0), False)), electrons=12,
)  # fmt: skip
SLAB = Structure(
    "Three layers of iron, invented", 2, ((2.9, 0.0, 0.0), (0.0, 2.9, 0.0), (0.0, 0.0, FAR)),
    (Site(26, (-0.5, -0.5, 1.41)), Site(26, (0.0, 0.0, 0.0)), Site(26, (-0.5, -0.5, -1.41), False)), electrons=78,
)  # fmt: skip


def _quartz() -> Structure:
    """Alpha quartz by hand: silicon on its twofold axes, oxygen in general position."""
    a, c, u = 4.93, 5.43, 0.469
    third = 1 / 3
    x, y, z = 0.414, 0.268, 0.119 + 2 * third
    silicon = ((u, 0.0, 2 * third), (0.0, u, third), (-u, -u, 0.0))
    oxygen = (
        (x, y, z), (-y, x - y, z + 2 * third), (y - x, -x, z + third),
        (y, x, -z), (x - y, -y, third - z), (-x, y - x, 2 * third - z),
    )  # fmt: skip
    sites = [Site(14, place, not n) for n, place in enumerate(silicon)] + [
        Site(8, place, not n) for n, place in enumerate(oxygen)
    ]
    lattice = ((a * math.sqrt(3) / 2, -a / 2, 0.0), (0.0, a, 0.0), (0.0, 0.0, c))
    return Structure("Quartz, invented", 3, lattice, tuple(sites), electrons=90)


QUARTZ = _quartz()


def _dry_ice() -> Structure:
    """Four molecules along the diagonals of a cube."""
    a, x = 5.7, 0.118
    centres = ((0.0, 0.0, 0.0), (-0.5, 0.0, -0.5), (0.0, -0.5, -0.5), (-0.5, -0.5, 0.0))
    arms = ((x, x, x), (-x, -x, x), (-x, x, -x), (x, -x, -x))
    carbon = [Site(6, centre, not n) for n, centre in enumerate(centres)]
    oxygen = [
        Site(8, tuple(middle + sign * part for middle, part in zip(centre, arm, strict=True)), not n and sign > 0)  # type: ignore[arg-type]
        for sign in (1, -1) for n, (centre, arm) in enumerate(zip(centres, arms, strict=True))
    ]  # fmt: skip
    lattice = ((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, a))
    return Structure("Dry ice, invented", 3, lattice, tuple(carbon + oxygen), electrons=88)


DRY_ICE = _dry_ice()
UREA = Structure(
    "A molecule, invented", 0, ((FAR, 0.0, 0.0), (0.0, FAR, 0.0), (0.0, 0.0, FAR)),
    tuple(Site(z, place) for z, place in (
        (8, (0.0, 0.0, 1.22)), (6, (0.0, 0.0, 0.0)), (7, (0.0, 1.17, -0.71)), (7, (0.0, -1.17, -0.71)),
        (1, (0.0, 2.04, -0.21)), (1, (0.0, -2.04, -0.21)), (1, (0.0, 1.15, -1.72)), (1, (0.0, -1.15, -1.72)),
    )),
    electrons=32,
)  # fmt: skip


def _tube() -> Structure:
    """Two rings of six atoms, each turned by half a step against the other."""
    radius = 2.41
    sites = []
    for ring in range(2):
        for step in range(6):
            angle = math.radians(60 * step + 30 * ring + 7)
            sites.append(Site(6, (-0.5 * ring, radius * math.cos(angle), radius * math.sin(angle)), not sites))
    lattice = ((2.48, 0.0, 0.0), (0.0, FAR, 0.0), (0.0, 0.0, FAR))
    return Structure("A tube, invented", 1, lattice, tuple(sites), electrons=72)


TUBE = _tube()
S2 = Structure(
    "Two sulphur atoms, invented", 0, ((FAR, 0.0, 0.0), (0.0, FAR, 0.0), (0.0, 0.0, FAR)),
    (Site(16, (0.0, 0.0, 0.96)), Site(16, (0.0, 0.0, -0.96), False)), electrons=32,
)  # fmt: skip
