"""How a crystal answers: elastic constants with their averages, dielectric tensors, volumes, stress."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.corpus.paper import Paper

_NAMES = ("K_V", "G_V", "K_R", "G_R", "K", "G", "E", "v")


def elastic(
    paper: Paper,
    constants: Sequence[Sequence[float]],
    averages: Sequence[float | None] = (),
    unit: str = "GPa",
    compliance: Sequence[Sequence[float]] = (),
    velocities: Sequence[tuple[Sequence[float], Sequence[float]]] = (),
) -> None:
    """The upper triangle of the constants, nine digits wide, its inverse, eight averages (None is printed as stars), and by
    direction the velocities of three waves."""
    paper.line(f" SYMMETRIZED ELASTIC CONSTANTS FOR CUBIC CASE, IN {unit}", "")
    _triangle(paper, constants, 3)
    inverse = "TPa^-1" if unit == "GPa" else "HARTREE^-1"
    paper.line("", f" ELASTIC MODULI (COMPLIANCE TENSOR), IN {inverse}", "")
    _triangle(paper, compliance, 4)
    if averages:
        paper.line("", " BULK MODULUS K, SHEAR MODULUS G, YOUNG MODULUS E AND POISSON RATIO v", "")
        paper.line("".join(f"{name:>8}" for name in _NAMES), "")
        digits = (2, 2, 2, 2, 2, 2, 2, 3)
        shown = ("*" * 7 if value is None else f"{value:.{n}f}" for value, n in zip(averages, digits, strict=True))
        paper.line("".join(f"{text:>8}" for text in shown), "")
    if velocities:
        paper.line(" SEISMIC VELOCITIES BY CHRISTOFFEL EQUATION (km/s)", "")
        paper.line("       WAVE VECTOR                Vp        Vs1       Vs2", "")
        for (x, y, z), waves in velocities:
            paper.line(f" [{x:6.3f} {y:6.3f} {z:6.3f}]      " + "".join(f"{wave:10.3f}" for wave in waves))
        paper.line()


def _triangle(paper: Paper, matrix: Sequence[Sequence[float]], digits: int) -> None:
    for place, row in enumerate(matrix):
        paper.line(" | " + " " * 9 * place + "".join(f"{value:9.{digits}f}" for value in row[place:]) + " |")


def dielectric(paper: Paper, tensor: Sequence[Sequence[float]], volume: float = 200.0) -> None:
    """The electrons' answer, by component."""
    paper.line(" POLARIZABILITY (ALPHA), DIELECTRIC (EPSILON) AND FIRST-ORDER ELECTRIC")
    paper.line(" SUSCEPTIBILITY (CHI(1)) TENSORS (INDEPENDENT COMPONENTS)", "")
    paper.line("  FR.(eV) COMP.   ALPHA(Re,Im)           EPSILON(Re,Im)                CHI(1)")
    for i in range(3):
        for j in range(i, 3):
            value, own = tensor[i][j], tensor[i][j] - (i == j)
            alpha = own * volume / 12.566
            paper.line(f"  0.000   {'XYZ'[i]}{'XYZ'[j]} {alpha:12.4f} {0:12.4f} {value:12.4f} {0:12.4f} {own:12.4f}")
    paper.line("", " DIELECTRIC TENSOR", "")


def vibrational(paper: Paper, tensor: Sequence[Sequence[float]]) -> None:
    paper.line(" SUM TENSOR OF THE VIBRATIONAL CONTRIBUTIONS TO THE STATIC DIELECTRIC     TENSOR", "")
    for row in tensor:
        paper.line(f"        {row[0]:10.5f} {row[1]:10.5f} {row[2]:10.5f}")
    paper.line()


def volumes(
    paper: Paper, rows: Sequence[tuple[float, float]], fits: Sequence[tuple[str, Sequence[float]]] = ()
) -> None:
    """An equation of state: Å³ and hartree, sorted; fits by name: V0, E0, B0 (GPa) and, but for polynomials, B'."""
    paper.line(
        " SORTING VOLUMES/ENERGIES", " -------------------------", "", "      VOLUME (A^3)         ENERGY (a.u.)"
    )
    for volume, energy in rows:
        paper.line(f" {volume:13.5f} {energy:20.9f}")
    paper.line()
    if fits:
        paper.line(" +++++++ FITTING USING ALL POINTS +++++++", "")
        paper.line(" EQUATION OF STATE             VOL(A^3)        E(AU)       BM(GPa)   BM PRIME", " " + "-" * 79)
        for name, (volume, energy, bulk, *derivative) in fits:
            last = "".join(f"{value:9.2f}" for value in derivative)
            paper.line(f" {name:25}{volume:14.4f}{energy:18.8f}{bulk:9.2f}{last}")
        paper.line("")


def thermal(
    paper: Paper, title: str, columns: Sequence[str], rows: Sequence[Sequence[float | None]], order: int | None = None
) -> None:
    """A table of the quasi-harmonic approximation; None is printed as stars."""
    paper.line("", f" {title}", " " + "*" * 79, "")
    if order is not None:
        paper.line(f" ORDER OF POLYNOMIALS: {order}", "")
    paper.line("".join(f"{column:>16}" for column in columns), "")
    for row in rows:
        paper.line("".join(f"{'*' * 8 if value is None else f'{value:.4f}':>16}" for value in row))
    paper.line("", " " + "*" * 79)


def load_work(paper: Paper, work: float) -> None:
    """What a pressure from outside adds to the energy that is printed next: three digits."""
    digits = f"{abs(work):.2e}"
    mantissa, exponent = float(digits.partition("e")[0]) / 10, int(digits.partition("e")[2]) + 1
    sign = "-" if work < 0 else " "
    paper.line(f" TOTAL ENERGY CORRECTED: EXTERNAL STRESS CONTRIBUTION =   {sign}{mantissa:.3f}E{exponent:+03d}", "")


def stress(
    paper: Paper,
    forces: Sequence[Sequence[float]],
    gradient: Sequence[Sequence[float]],
    tensor: Sequence[Sequence[float]],
    pressure: float | None,
    enthalpy: float = 0.0,
) -> None:
    """Forces, the gradient by the cell, the stress tensor in atomic units, its pressure in GPa and the enthalpy."""
    paper.line("", " CARTESIAN FORCES IN HARTREE/BOHR (ANALYTICAL)")
    paper.line("   ATOM                     X                   Y                   Z")
    for place, row in enumerate(forces, start=1):
        paper.line(f"{place:4d}{12:4d}          " + "".join(f"{value:20.12E}" for value in row))
    paper.line("", " RESULTANT FORCE    " + "".join(f"{0.0:20.12E}" for _ in range(3)), "", " CELL PART", "")
    paper.line(" GRADIENT WITH RESPECT TO THE CELL PARAMETER IN HARTREE/BOHR", "ORDER: -D/DA1X, -D/DA1Y, -D/DA1Z")
    paper.line("       -D/DA2X, -D/DA2Y, -D/DA2Z", "       -D/DA3X, -D/DA3Y, -D/DA3Z")
    paper.line(*("".join(f"{value:20.12E}" for value in row) for row in gradient), "")
    paper.line("STRESS TENSOR, IN HARTREE/BOHR^3:", "ORDER: 11 12 13", "       21 22 23", "       31 32 33")
    paper.line(*("".join(f"{value:20.12E}" for value in row) for row in tensor), "")
    if pressure is None:
        paper.line("STRESS TENSOR DOES NOT CORRESPOND TO", "HYDROSTATIC PRESSURE, NO PRESSURE COMPUTED!", "")
        return
    paper.line("PRESSURE FROM THE STRESS TENSOR,", f"IN HARTREE/BOHR^3:  {pressure / 29421.0:.5E}")
    paper.line(f"PRESSURE IN GIGAPASCAL: {pressure:11.4E}", f"ENTHALPY: {enthalpy:.13E}", "")
