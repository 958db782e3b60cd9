"""Cells and atoms as the program prints them, in three, two, one and no periodic directions."""

from __future__ import annotations

from tests.support.corpus.crystals import Structure
from tests.support.corpus.paper import Paper

_CELL_HEAD = "         A              B              C           ALPHA      BETA       GAMMA "
_COLUMNS = {
    3: "     ATOM                 X/A                 Y/B                 Z/C    ",
    2: "     ATOM                 X/A                 Y/B             Z(ANGSTROM)",
    1: "     ATOM              X/A             Y(ANGSTROM)         Z(ANGSTROM)   R(ANGS)",
    0: "     ATOM             X(ANGSTROM)         Y(ANGSTROM)         Z(ANGSTROM)",
}
"""Headings of the table of atoms, by dimension."""


def geometry(
    paper: Paper, structure: Structure, heading: str = "GEOMETRY FOR WAVE FUNCTION", old: bool = False
) -> None:
    """What stands once at the beginning, and once more behind an optimisation, with its vectors."""
    if structure.dimension:
        paper.line(" GCALCO - MAX INDICES DIRECT LATTICE VECTOR    14    14    14", "")
    paper.line(f" {heading} - DIMENSIONALITY OF THE SYSTEM    {structure.dimension}")
    paper.line(" (NON PERIODIC DIRECTION: LATTICE PARAMETER FORMALLY SET TO 500)")
    cells(paper, structure, old)
    if structure.dimension:
        _vectors(paper, structure)
    paper.line(" CARTESIAN COORDINATES - PRIMITIVE CELL")
    paper.headed(" *      ATOM          X(ANGSTROM)         Y(ANGSTROM)         Z(ANGSTROM)")
    for index, site in enumerate(structure.sites, start=1):
        x, y, z = structure.cartesian(site)
        paper.line(f" {index:4d}   {site.number:3d} {site.symbol:<2}  {x:20.12E}{y:20.12E}{z:20.12E}")
    paper.line()


def cells(paper: Paper, structure: Structure, old: bool = False) -> None:
    """The tables that each point of an optimisation repeats."""
    paper.rule()
    if structure.dimension:
        paper.line(" LATTICE PARAMETERS (ANGSTROMS AND DEGREES) - BOHR = 0.5291772083 ANGSTROM")
        volume = f" - CENTRING CODE {structure.centring}/0 VOLUME= {structure.volume:12.6f} - DENSITY  1.000 g/cm^3"
        paper.line(" PRIMITIVE CELL" + (volume if structure.dimension == 3 else ""))
        _cell(paper, structure.cell)
        paper.rule()
    _atoms(paper, structure, old)
    if structure.conventional:
        _conventional(paper, structure)
    paper.line(" T = ATOM BELONGING TO THE ASYMMETRIC UNIT", "")


def _cell(paper: Paper, cell: tuple[float, ...]) -> None:
    a, b, c, alpha, beta, gamma = cell
    paper.line(_CELL_HEAD, f" {a:14.8f} {b:14.8f} {c:14.8f} {alpha:12.6f} {beta:10.6f} {gamma:10.6f}")


def _atoms(paper: Paper, structure: Structure, old: bool) -> None:
    given = sum(site.given for site in structure.sites)
    paper.line(f" ATOMS IN THE ASYMMETRIC UNIT {given:4d} - ATOMS IN THE UNIT CELL: {len(structure.sites):4d}")
    paper.line(_COLUMNS[structure.dimension])
    paper.rule()
    for index, site in enumerate(structure.sites, start=1):
        flag, (x, y, z) = "T" if site.given else "F", site.place
        if structure.dimension == 1:
            radius = (y * y + z * z) ** 0.5
            paper.line(
                f" {index:3d} {flag} {site.number:3d} {site.symbol:<2}  {x:19.11E}{y:19.11E}{z:19.11E} {radius:7.3f}"
            )
        else:
            width = 4 if old else 7
            paper.line(f"{index:{width}d} {flag} {site.number:3d} {site.symbol:<2}  {x:20.12E}{y:20.12E}{z:20.12E}")
    paper.line()


def _conventional(paper: Paper, structure: Structure) -> None:
    a, b, c = structure.conventional[:3]
    paper.line(" TRANSFORMATION MATRIX PRIMITIVE-CRYSTALLOGRAPHIC CELL", " 1.0000" * 9, "")
    paper.rule()
    paper.line(f" CRYSTALLOGRAPHIC CELL (VOLUME={a * b * c:21.8f})")
    _cell(paper, structure.conventional)
    paper.line("", " COORDINATES IN THE CRYSTALLOGRAPHIC CELL", _COLUMNS[3])
    paper.rule()
    for index, site in enumerate(structure.sites, start=1):
        # Read as atoms of the cell they would be twice as many.
        x, y, z = (part / 2 for part in site.place)
        paper.line(f"{index:7d} T {site.number:3d} {site.symbol:<2}  {x:20.12E}{y:20.12E}{z:20.12E}")
    paper.line()


def _vectors(paper: Paper, structure: Structure) -> None:
    paper.line(" DIRECT LATTICE VECTORS CARTESIAN COMPONENTS (ANGSTROM)")
    paper.line("          X                    Y                    Z")
    for row in structure.lattice:
        paper.line("".join(f"{part:21.12E}" for part in row))
    paper.line("", "")


def external(structure: Structure) -> str:
    """A fort.34 that knows no symmetry but the identity."""
    lines = [
        f"{structure.dimension} 1 1",
        *(" ".join(f"{part:.12E}" for part in row) for row in structure.lattice),
        "1",
    ]
    lines += ["1.0 0.0 0.0", "0.0 1.0 0.0", "0.0 0.0 1.0", "0.0 0.0 0.0", str(len(structure.sites))]
    for site in structure.sites:
        lines.append(f"{site.number} " + " ".join(f"{part:.12E}" for part in structure.cartesian(site)))
    return "\n".join(lines) + "\n"
