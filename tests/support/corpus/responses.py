"""How a crystal answers: elastic constants with their averages, dielectric tensors, energies over volumes."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.corpus.paper import Paper

_NAMES = ("K_V", "G_V", "K_R", "G_R", "K", "G", "E", "v")


def elastic(paper: Paper, constants: Sequence[Sequence[float]], averages: Sequence[float | None]) -> None:
    """The upper triangle of the constants (GPa), nine digits wide, and eight averages; None is printed as stars."""
    paper.line(" SYMMETRIZED ELASTIC CONSTANTS FOR CUBIC CASE, IN GPa", "")
    for place, row in enumerate(constants):
        paper.line(" | " + " " * 9 * place + "".join(f"{value:9.3f}" for value in row[place:]) + " |")
    paper.line("", " ELASTIC MODULI (COMPLIANCE TENSOR), IN TPa^-1", "")
    paper.line(" BULK MODULUS K, SHEAR MODULUS G, YOUNG MODULUS E AND POISSON RATIO v", "")
    paper.line("".join(f"{name:>8}" for name in _NAMES), "")
    digits = (2, 2, 2, 2, 2, 2, 2, 3)
    shown = ("*" * 7 if value is None else f"{value:.{count}f}" for value, count in zip(averages, digits, strict=True))
    paper.line("".join(f"{text:>8}" for text in shown), "")


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


def volumes(paper: Paper, rows: Sequence[tuple[float, float]]) -> None:
    """An equation of state: Å³ and hartree, sorted."""
    paper.line(
        " SORTING VOLUMES/ENERGIES", " -------------------------", "", "      VOLUME (A^3)         ENERGY (a.u.)"
    )
    for volume, energy in rows:
        paper.line(f" {volume:13.5f} {energy:20.9f}")
    paper.line()
