"""Modes in the columns of each version, longitudinal modes, Raman by direction, masses, supercells and k points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.support.corpus.paper import Paper, scientific
from tests.support.corpus.vibrations import Mode, row

Columns = Literal["all", "old", "irreps", "none"]
"""All of them; CRYSTAL98's, where the eigenvalue is called EV; irreps alone; frequencies alone."""


def modes(paper: Paper, found: Sequence[Mode], columns: Columns) -> None:
    """A table of modes at Γ."""
    head, units = ("EV  ", "(AU)       ") if columns == "old" else ("EIGV", "(HARTREE**2)")
    rest = {
        "all": "     IRREP  IR   INTENS    RAMAN",
        "old": "     IRREP  IR   INTENS    RAMAN",
        "irreps": "     IRREP",
    }
    paper.line(" EIGENVALUES (EIGV) OF THE MASS WEIGHTED HESSIAN MATRIX AND HARMONIC TRANSVERSE", "")
    paper.line(f"    MODES         {head}          FREQUENCIES{rest.get(columns, '')}")
    paper.line(
        f"             {units}   (CM**-1)     (THZ)" + ("             (KM/MOL)" if columns in ("all", "old") else "")
    )
    first = 1
    for mode in found:
        text = row(first, mode.count, mode.frequency)
        if columns != "none":
            text += f"  ({mode.irrep:<3})"
        if columns in ("all", "old"):
            text += f"   {mode.ir} ({mode.intensity:9.2f})   {mode.raman}"
        paper.line(text)
        first += mode.count
    paper.line()


@dataclass(frozen=True)
class Longitudinal:
    """First and last number, cm⁻¹, irrep, km/mol, and the distance from the transverse mode in cm⁻¹."""

    first: int
    last: int
    frequency: float
    irrep: str
    intensity: float
    shift: float


def longitudinal(
    paper: Paper, found: Sequence[Longitudinal], directions: Mapping[str, Sequence[float]] | None = None
) -> None:
    """The directions stand before the transverse modes in a real output; where they stand is the same to the reader."""
    if directions:
        paper.line(
            " SYMMETRY ADAPTED DIRECTIONS FOR LONGITUDINAL OPTICAL MODES", " IRREP       X           Y           Z"
        )
        for irrep, place in directions.items():
            paper.line(f"  {irrep:<3} " + "".join(f"{part:12.6f}" for part in place))
        paper.line()
    paper.line(" " + "H" * 78, " LONGITUDINAL OPTICAL (LO) PHONON CALCULATION REQUESTED. IN THOSE CASES")
    paper.line(" WHERE LO-TO SPLITTING OCCURS, LO FREQUENCIES AND IR INTENSITIES ARE LISTED.", " " + "H" * 78, "")
    paper.line("    MODES         EIGV          FREQUENCIES    IRREP IR INTENS       SHIFTS")
    paper.line("             (HARTREE**2)   (CM**-1)     (THZ)       (KM/MOL)  (CM**-1)   (THZ)")
    for mode in found:
        start = row(mode.first, mode.last - mode.first + 1, mode.frequency)
        paper.line(f"{start} ({mode.irrep:<3}) {mode.intensity:8.1f} {mode.shift:8.3f} {mode.shift / 33.35641:8.4f}")
    paper.line("", " OVERLAP BETWEEN THE EIGENVECTORS OF LO AND TO MODES.", "")


Intensity = float | None
"""Arbitrary units; what could not be computed is printed as NaN."""


def raman(
    paper: Paper,
    powder: Sequence[tuple[int, int, float, str, Sequence[Intensity]]],
    crystal: Sequence[tuple[int, int, float, str, Sequence[Intensity]]],
    conditions: str = "",
) -> None:
    """Both tables: in all, parallel and perpendicular of a powder; xx xy xz yy yz zz of a single crystal."""
    paper.line(" <RAMAN>", *([conditions] if conditions else []))
    paper.line(" POLYCRYSTALLINE ISOTROPIC INTENSITIES (ARBITRARY UNITS)", "")
    paper.line("    MODES    FREQUENCIES           I_tot     I_par    I_perp", " " + "-" * 64)
    _intensities(paper, powder, 10)
    paper.line(" SINGLE CRYSTAL DIRECTIONAL INTENSITIES (ARBITRARY UNITS)", "")
    paper.line("    MODES    FREQUENCIES          I_xx    I_xy    I_xz    I_yy    I_yz    I_zz", " " + "-" * 76)
    _intensities(paper, crystal, 8)
    paper.line(" <RAMAN>", "")


def _intensities(paper: Paper, rows: Sequence[tuple[int, int, float, str, Sequence[Intensity]]], width: int) -> None:
    for first, last, frequency, irrep, values in rows:
        shown = "".join(f"{'NaN' if value is None else f'{value:.2f}':>{width}}" for value in values)
        paper.line(f"{first:5d}-{last:4d} {frequency:13.4f} ({irrep:<3})" + shown)
    paper.line()


def masses(paper: Paper, atoms: Sequence[tuple[str, float]]) -> None:
    """Four atoms a line."""
    paper.line(" ATOMS ISOTOPIC MASS (AMU) FOR FREQUENCY CALCULATION ", "")
    for start in range(0, len(atoms), 4):
        shown = enumerate(atoms[start : start + 4], start=start + 1)
        paper.line("".join(f"{number:5d} {symbol:<2} {mass:11.4f}" for number, (symbol, mass) in shown))
    paper.line()


def supercell(paper: Paper, expansion: Sequence[Sequence[int]]) -> None:
    """How the supercell is made of the small cell."""
    paper.rule()
    paper.boxed("CALCULATION OF PHONON FREQUENCIES AT A SET OF K POINTS BY USING A SUPERCELL ".ljust(77))
    paper.boxed("SCHEME. THE FOLLOWING SUPERCELL HAS BEEN USED:".ljust(75))
    for line in expansion:
        paper.boxed("".join(f"{part:10.3f}" for part in line).ljust(77))
    paper.rule()


def points(paper: Paper, found: Sequence[tuple[Sequence[int], Sequence[float]]]) -> None:
    """k points in units of the shrinking factors, in any order; the very first has no heading of its columns."""
    for number, (place, frequencies) in enumerate(found, start=1):
        shown = "".join(f"{part:4d}" for part in place)
        paper.line(
            "",
            f"  DISPERSION K POINT NUMBER {number:5d} COORD:  {'C' if any(place) else 'R'}({shown} )    WEIGHT:    1.",
            "",
        )
        if number > 1:
            paper.line(
                "    MODES         EIGV          FREQUENCIES     IRREP",
                "             (HARTREE**2)   (CM**-1)     (THZ)",
            )
        for branch, frequency in enumerate(frequencies, start=1):
            paper.line(f"{row(branch, 1, frequency)}  (  1)")
        paper.line()


def density(wavenumbers: Sequence[float], columns: Sequence[Sequence[float]]) -> str:
    """PHONDOS.DAT: like DOSS.DAT, with 0 spins."""
    lines = [
        f"# NEPTS {len(wavenumbers):5d} NPROJ {len(columns):5d} NSPIN     0", "#", '@ XAXIS LABEL "ENERGY (CM-1)"',
        '@ YAXIS LABEL "DENSITY OF STATES (STATES/CM-1/CELL)"',
    ]  # fmt: skip
    for place, wavenumber in enumerate(wavenumbers):
        lines.append(
            "".join(scientific(value, 4, 12) for value in (wavenumber, *(column[place] for column in columns)))
        )
    return "\n".join(lines) + "\n"
