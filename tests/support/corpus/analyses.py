"""What analyses of the density leave: critical points and powder patterns in the output, BOLTZTRA's files, maps of fort.25."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.corpus.paper import Paper

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Critical:
    """A critical point; position in bohr."""

    signature: int
    position: Triple
    fractions: Triple
    density: float
    laplacian: float
    kinetic: float = 0.05
    virial: float = -0.2


def critical_point(paper: Paper, number: int, point: Critical, of_laplacian: bool = False) -> None:
    """A critical point of the density, or of the Laplacian with its sign changed."""
    values = (point.density, 1.1e-15, point.laplacian)
    if of_laplacian:
        values = (-point.laplacian, 1.1e-15, point.density)
    title = "PROPERTIES (-LAP,GLAP,RHO)" if of_laplacian else "PROPERTIES (RHO,GRHO,LAP)"
    paper.line(f" CP N. {number:6d}", " *********", "")
    paper.line(f" CP TYPE                        :  (3,{point.signature:+d})")
    for name, three in (
        ("COORD(AU)  (X  Y  Z)", point.position), ("COORD FRACT. CONV. CELL", point.fractions), (title, values),
    ):  # fmt: skip
        paper.line(f" {name:<31}:{_twelve(three)}")
    paper.line(f" {'KINETIC ENERGY DENSITIES (G,K)':<31}:{_twelve((point.kinetic, 0.0125))}")
    paper.line(f" {'VIRIAL DENSITY':<31}:{_twelve((point.virial,))}", f" {'ELF(PAA)':<31}:{_twelve((0.75,))}", "")


def _twelve(values: Sequence[float]) -> str:
    return "".join(f"{value:12.4E}" for value in values)


def powder_pattern(paper: Paper, rows: Sequence[tuple[float, float, float, float]], rule: bool = False) -> None:
    """Angles and intensities."""
    paper.line("    2THETA    INTENS  INTENS-LP INTENS-LP-DW", *(["  " + "-" * 44] if rule else []), "")
    paper.line(*(f"{angle:10.4f} {bare:9.3f} {lp:10.3f} {dw:12.3f}" for angle, bare, lp, dw in rows), "")


TITLES = {
    "1/Ohm/m": "Electrical conductivity", "V/K": "Seebeck coefficient", "W/m/K": "Thermal conductivity",
    "A/m/K": "Sigma times Seebeck",
}  # fmt: skip


def transport(
    unit: str, temperatures: Sequence[float], potentials: Sequence[float],
    spins: Sequence[Sequence[Sequence[Sequence[float]]]], carriers: float = 0.25,
) -> str:  # fmt: skip
    """One of BOLTZTRA's files; `spins` hold a tensor for each temperature and potential."""
    open_shell = len(spins) - 1
    lines = [
        f"# {open_shell} {TITLES[unit]} in {unit}",
        "# Mu (eV), T (K), N(#carriers), tensor",
        "# Volume (cm^3) 1.25E-22",
    ]
    for number, tensors in enumerate(spins):
        if number:
            lines.append("# Beta")
        for temperature, rows in zip(temperatures, tensors, strict=True):
            lines.append(f"# T(K) = {temperature:9.3f} Npoints = {len(potentials):5d}")
            for potential, tensor in zip(potentials, rows, strict=True):
                cells = (potential, temperature, carriers, *tensor)
                lines.append("".join(f"{value:16.7E}" for value in cells))
    return "\n".join(lines) + "\n"


def plane_map(
    values: Sequence[Sequence[float]], corners: Sequence[Triple], steps: tuple[float, float], cosine: float = 0.0,
    state: int = 0,
) -> str:  # fmt: skip
    """A block MAPN of fort.25, with an atom and the lattice behind it; `values` by place along A→B, then along B→C."""
    a, b, c = corners
    rows, columns = len(values), len(values[0])
    flat = [values[i][j] for j in range(columns) for i in range(rows)]
    lines = [f"-%-{state}MAPN{rows:5d}{columns:5d}" + _fixed((*steps, cosine)), _fixed((*a, *b))]
    lines.append(_fixed(c) + f"    {1:4d}{3:4d}")
    lines += [_fixed(flat[place : place + 6]) for place in range(0, len(flat), 6)]
    lines.append("  12 MG" + "".join(f"{part:20.12E}" for part in (0.0, 0.0, 0.0)))
    lines += ["".join(f"{part:20.12E}" for part in row) for row in ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 4.0))]
    return "\n".join(lines) + "\n"


def _fixed(values: Sequence[float]) -> str:
    return "".join(f"{value:12.5E}" for value in values)
