"""Frequencies: the table of displacements, modes with irreps and intensities, their vectors, dispersion, thermodynamics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.corpus.crystals import Structure
from tests.support.corpus.paper import Paper, scientific

_CM1 = 4.556335e-6
_THZ = 33.35641
_H = " " + "H" * 78


@dataclass(frozen=True)
class Mode:
    """A set of degenerate vibrations: how many, cm⁻¹, irrep, activities (`A` or `I`), km/mol, and Raman's powder intensity."""

    count: int
    frequency: float
    irrep: str
    ir: str = "I"
    raman: str = "I"
    intensity: float = 0.0
    powder: float | None = None


def asked(paper: Paper) -> None:
    paper.headed("                       FREQUENCY CALCULATION")


def begun(paper: Paper, calculations: int) -> None:
    paper.rule()
    paper.boxed("CALCULATION OF PHONON FREQUENCIES AT THE GAMMA POINT.".ljust(75))
    paper.rule()
    paper.line(
        "", " ATOMS ISOTOPIC MASS (AMU) FOR FREQUENCY CALCULATION ", "", "    1 C      12.0000    2 O      15.9949", ""
    )
    paper.line(f" NUMBER OF SCF+GRADIENT CALCULATIONS {calculations:13d}", "")


def displacements(paper: Paper, structure: Structure, energy: float, computed: int) -> None:
    """The central point, then a row for each displacement: some computed, the others from symmetry."""
    paper.line(_H, "                   FORCE CONSTANT MATRIX - NUMERICAL ESTIMATE", _H)
    paper.line(" MAX ABS(DGRAD): MAXIMUM ABSOLUTE GRADIENT DIFFERENCE WITH RESPECT TO THE CENTRAL POINT", "")
    paper.line("   ATOM      MAX ABS(DGRAD)       TOTAL ENERGY (AU)  N.CYC      DE       SYM")
    paper.line(f"    CENTRAL POINT      {energy:24.12E}    12     0.0000E+00     6")
    done = 0
    for index, site in enumerate(structure.sites, start=1):
        for axis in "XYZ" if site.given else "":
            name = f"{index:5d} {site.symbol:<2} D{axis}"
            if done < computed - 1:
                done += 1
                paper.line(
                    f"{name} {0.0011 * done:20.4E} {energy + 2e-7 * done:23.12E} {7:5d}     {2e-7 * done:10.4E}     1"
                )
            else:
                paper.line(f"{name}                   GENERATED FROM A PREVIOUS LINE")
    paper.line()


def modes(paper: Paper, found: Sequence[Mode], intensities: bool = True) -> None:
    paper.line(_H, " EIGENVALUES (EIGV) OF THE MASS WEIGHTED HESSIAN MATRIX AND HARMONIC FREQUENCIES.", _H, "")
    paper.line("    MODES         EIGV          FREQUENCIES     IRREP  IR   INTENS    RAMAN")
    paper.line("             (HARTREE**2)   (CM**-1)     (THZ)             (KM/MOL)")
    first = 1
    for mode in found:
        shown = f" {mode.ir} ({mode.intensity if intensities else 0.0:9.2f})   {mode.raman}"
        paper.line(f"{row(first, mode.count, mode.frequency)}  ({mode.irrep:<3})  {shown}")
        first += mode.count
    paper.line()


def row(first: int, count: int, frequency: float) -> str:
    """How a row of modes begins: numbers, eigenvalue, cm⁻¹, THz."""
    value = math.copysign((frequency * _CM1) ** 2, frequency)
    return f"{first:5d}-{first + count - 1:4d} {scientific(value, 4, 13)} {frequency:11.4f} {frequency / _THZ:9.4f}"


def raman(paper: Paper, found: Sequence[Mode]) -> None:
    """Powder intensities; what could not be computed is a NaN."""
    paper.line(" POLYCRYSTALLINE ISOTROPIC INTENSITIES (ARBITRARY UNITS)", "")
    paper.line("    MODES    FREQUENCIES           I_tot       I_par      I_perp", " " + "-" * 64)
    first = 1
    for mode in found:
        if mode.raman == "A":
            value = mode.powder
            parts = "".join(f"{'NaN' if value is None else f'{value * share:.2f}':>12}" for share in (1, 0.6, 0.4))
            paper.line(f"{first:5d}-{first + mode.count - 1:4d} {mode.frequency:11.4f} ({mode.irrep:<3}){parts}")
        first += mode.count
    paper.line()


def vectors(paper: Paper, structure: Structure, found: Sequence[Mode]) -> None:
    """Six modes side by side. The vectors are waves over all coordinates, each normalised: right in form, invented in kind."""
    frequencies = [mode.frequency for mode in found for _ in range(mode.count)]
    size = 3 * len(structure.sites)
    columns = [vector(place, size) for place in range(len(frequencies))]
    paper.line(" NORMAL MODES NORMALIZED TO CLASSICAL AMPLITUDES (IN BOHR)", "")
    for start in range(0, len(frequencies), 6):
        shown = range(start, min(start + 6, len(frequencies)))
        paper.line(" FREQ(CM**-1)" + "".join(f"{frequencies[place]:10.2f}" for place in shown), "")
        for index, site in enumerate(structure.sites):
            for axis in range(3):
                head = f" AT.{index + 1:4d} {site.symbol:<2} X" if not axis else f"            {'XYZ'[axis]}"
                paper.line(head + "".join(f"{columns[place][3 * index + axis]:10.4f}" for place in shown))
        paper.line()


def vector(place: int, size: int) -> list[float]:
    """Displacements of vibration number `place` (from 0), in bohr."""
    wave = [math.cos(math.pi * (place + 0.5) * (n + 0.5) / size) for n in range(size)]
    return [part * math.sqrt(2 / size) for part in wave]


def dispersion(paper: Paper, shrink: int, points: Sequence[tuple[tuple[int, ...], Sequence[float]]]) -> None:
    """Phonons along a path; the first point repeats the modes at Γ without their heading."""
    paper.headed(" *                              PHONON BANDS                                   *")
    for number, (place, frequencies) in enumerate(points, start=1):
        kind = "C" if any(place) else "R"
        shown = "".join(f"{part:4d}" for part in place)
        paper.line("", f"  DISPERSION K POINT NUMBER {number:5d} COORD:  {kind}({shown} )    WEIGHT:    1.", "")
        if number > 1:
            paper.line(
                "    MODES         EIGV          FREQUENCIES     IRREP",
                "             (HARTREE**2)   (CM**-1)     (THZ)",
            )
        for branch, frequency in enumerate(frequencies, start=1):
            paper.line(f"{row(branch, 1, frequency)}  (  1)")
        paper.line()


def supercell(paper: Paper, shrink: int) -> None:
    paper.rule()
    paper.boxed(f"WITH SHRINKING FACTORS: IS1 = {shrink:5d} IS2 = {shrink:5d} IS3 = {shrink:5d}".ljust(75))
    paper.rule()


@dataclass(frozen=True)
class Functions:
    """At one temperature (K) and pressure (MPa): hartree per cell; entropy and heat capacity in mHa/(cell·K)."""

    kelvin: float
    pressure: float
    thermal: float
    volume: float
    entropy: float
    capacity: float


def thermodynamics(paper: Paper, energy: float, zero_point: float, states: Sequence[Functions]) -> None:
    paper.line(
        " HARMONIC VIBRATIONAL CONTRIBUTIONS TO THERMODYNAMIC FUNCTIONS AT GIVEN", " TEMPERATURE AND PRESSURE:", ""
    )
    paper.line("                          AU/CELL             EV/CELL                 KJ/MOL")
    paper.line(_function("EL", energy), _function("E0", zero_point), "")
    for state in states:
        product = state.kelvin * state.entropy / 1000
        paper.line(f" AT (T = {state.kelvin:7.2f} K, P = {scientific(state.pressure, 8, 16)} MPA):", "")
        paper.line("                          AU/CELL             EV/CELL                 KJ/MOL")
        gibbs = energy + zero_point + state.thermal + state.volume - product
        for name, value in (("ET", state.thermal), ("PV", state.volume), ("TS", product),
                            ("ET+PV-TS", state.thermal + state.volume - product), ("EL+E0+ET+PV-TS", gibbs)):  # fmt: skip
            paper.line(_function(name, value))
        paper.line("", " OTHER THERMODYNAMIC FUNCTIONS:", "")
        paper.line("                      mHARTREE/(CELL*K)     mEV/(CELL*K)              J/(MOL*K)")
        paper.line(_function("ENTROPY", state.entropy), _function("HEAT CAPACITY", state.capacity), "")


def _function(name: str, value: float) -> str:
    return f" {name:<14}: {value:19.12f} {value * 27.211386:21.12f} {value * 2625.4996:20.8f}"
