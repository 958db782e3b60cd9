"""CPHF: polarizability and dielectric tensors in the columns of each version, β and χ(2), Born charges, oscillator strengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.corpus.paper import Paper, scientific

Rows = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Response:
    """At one frequency in eV: α and ε, each with its imaginary part where there is one."""

    frequency: float
    alpha: Rows
    epsilon: Rows | None = None
    alpha_imaginary: Rows | None = None
    epsilon_imaginary: Rows | None = None


def linear(
    paper: Paper, responses: Sequence[Response], components: Sequence[str] = ("XX", "XY", "XZ", "YY", "YZ", "ZZ")
) -> None:
    """As from CRYSTAL17 on: each row begins with its frequency. Without ε the columns end with α."""
    with_epsilon = responses[0].epsilon is not None
    _heading(paper, with_epsilon)
    columns = "           EPSILON(Re,Im)                CHI(1)" if with_epsilon else ""
    paper.line(f"  FR.(eV) COMP.   ALPHA(Re,Im){columns}")
    for response in responses:
        for axes in components:
            row = f"  {response.frequency:5.3f}   {axes}{_pair(response.alpha, response.alpha_imaginary, axes)}"
            if response.epsilon is not None:
                chi = _at(response.epsilon, axes) - (axes[0] == axes[1])
                row += f"{_pair(response.epsilon, response.epsilon_imaginary, axes)} {chi:12.4f}"
            paper.line(row)
        paper.line()
    paper.line(" DIELECTRIC TENSOR" if with_epsilon else " END OF CPHF", "")


def linear14(
    paper: Paper, response: Response, components: Sequence[str] = ("XX", "XY", "XZ", "YY", "YZ", "ZZ")
) -> None:
    """CRYSTAL14: no frequency, and ε without an imaginary part."""
    _heading(paper, response.epsilon is not None)
    columns = "         EPSILON       CHI(1)" if response.epsilon is not None else ""
    paper.line(f"  COMPONENT    ALPHA(REAL, IMAGINARY){columns}")
    for axes in components:
        row = f"     {axes} {_at(response.alpha, axes):13.4f} {_part(response.alpha_imaginary, axes):13.4f}"
        if response.epsilon is not None:
            value = _at(response.epsilon, axes)
            row += f" {value:13.4f} {value - (axes[0] == axes[1]):13.4f}"
        paper.line(row)
    paper.line("", " DIELECTRIC TENSOR" if response.epsilon is not None else "")


def _heading(paper: Paper, with_epsilon: bool) -> None:
    if with_epsilon:
        paper.line(" POLARIZABILITY (ALPHA), DIELECTRIC (EPSILON) AND FIRST-ORDER ELECTRIC")
        paper.line(" SUSCEPTIBILITY (CHI(1)) TENSORS (INDEPENDENT COMPONENTS)", "")
    else:
        paper.line(" POLARIZABILITY (ALPHA) TENSOR (INDEPENDENT COMPONENTS)", "")


def _at(rows: Rows, axes: str) -> float:
    return rows["XYZ".index(axes[0])]["XYZ".index(axes[1])]


def _part(rows: Rows | None, axes: str) -> float:
    return _at(rows, axes) if rows is not None else 0.0


def _pair(real: Rows, imaginary: Rows | None, axes: str) -> str:
    return f" {_at(real, axes):12.4f} {_part(imaginary, axes):12.4f}"


def second_order(paper: Paper, components: Mapping[str, tuple[float, float]], unit: str = "PM/V") -> None:
    """β and χ(2) by component."""
    paper.line(" FIRST HYPERPOLARIZABILITY (BETA) AND SECOND ELECTRIC SUSCEPTIBILITY (CHI(2))")
    paper.line(" TENSORS (INDEPENDENT COMPONENTS)", "")
    paper.line(f"  COMPONENT         BETA     CHI(2)({unit})", "")
    for axes, (beta, chi) in components.items():
        paper.line(f"     {axes} {beta:15.4f} {chi:15.4f}")
    paper.line("", " END OF CPHF", "")


def born(paper: Paper, charges: Sequence[tuple[str, Rows]]) -> None:
    """A tensor for each atom; the dynamic charge is a third of its trace. A vector for each mode follows."""
    paper.line(" ATOMIC BORN CHARGE TENSOR (UNITS OF e, ELECTRON CHARGE).", " DYNAMIC CHARGE = 1/3 * TRACE .", "")
    for number, (symbol, tensor) in enumerate(charges, start=1):
        charge = sum(tensor[axis][axis] for axis in range(3)) / 3
        paper.line(f" ATOM {number:3d} {symbol:<2} DYNAMIC CHARGE {charge:12.6f}", "")
        paper.line("              1           2           3")
        for axis, row in enumerate(tensor, start=1):
            paper.line(f"   {axis}   " + "".join(_fortran(value) for value in row))
        paper.line()
    paper.line(" BORN CHARGE VECTOR IN THE BASIS OF NORMAL MODES (UNITS OF e*M_E**(-1/2) ).", "")
    paper.line(" MODE         X              Y              Z")
    for mode in range(1, 3 * len(charges) + 1):
        paper.line(f"{mode:4d} " + "".join(f" {scientific(mode * part, 5, 14)}" for part in (1e-3, -2e-3, 0.0)))
    paper.line()


def _fortran(value: float) -> str:
    """One digit before the point, twelve wide: numbers may touch."""
    return f"{value:12.4E}"


def oscillators(paper: Paper, strengths: Sequence[tuple[int, Rows]], total: Rows) -> None:
    """A tensor for each mode that is active, then their sum."""
    paper.line(" " + "H" * 78, " VIBRATIONAL CONTRIBUTIONS TO THE STATIC DIELECTRIC TENSOR (OSCILLATOR")
    paper.line(" STRENGTHS) ARE PURE NUMBERS. THEY ARE COMPUTED FOR EACH nth MODE AS:", "")
    paper.line("  V              CELL VOLUME (BOHR**3) [L**3]", " " + "H" * 78, "")
    paper.line(" MODE      CARTESIAN AXES SYSTEM", "")
    for mode, tensor in strengths:
        for axis, row in enumerate(tensor):
            paper.line((f"{mode:4d}    " if not axis else " " * 8) + "".join(f"{value:11.5f}" for value in row))
        paper.line()
    paper.line(" SUM TENSOR OF THE VIBRATIONAL CONTRIBUTIONS TO THE STATIC DIELECTRIC     TENSOR", "")
    _tensor(paper, total)


def static(paper: Paper, from_input: Rows, whole: Rows) -> None:
    """With DIELTENS: the tensor of the deck, and the static one."""
    paper.line(" HIGH FREQUENCY DIELECTRIC     TENSOR (FROM INPUT)", "")
    _tensor(paper, from_input)
    paper.line(" STATIC DIELECTRIC     TENSOR", "")
    _tensor(paper, whole)


def _tensor(paper: Paper, rows: Rows) -> None:
    for row in rows:
        paper.line("        " + "".join(f"{value:11.5f}" for value in row))
    paper.line()
