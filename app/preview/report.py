"""Printing in CRYSTAL's own line notation, so that one reader serves both. Each line is flushed: others read along."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import spglib
from numpy.typing import NDArray

from app import __version__
from app.crystal.constants import HARTREE_EV
from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import Bulk
from app.crystal.structures.fort34 import External

_STARS = " " + "*" * 79
_STARTED = time.monotonic()


def line(text: str = "") -> None:
    """Print one line at once, so that a reader follows."""
    print(text, flush=True)


def boxed(text: str) -> None:
    """Print a line between stars."""
    line(f" *{text:^77}*")


def banner(engine: str) -> None:
    """The first lines say what this is, and what it is not."""
    line(_STARS)
    boxed("")
    boxed(f"CRYSTALDECK PREVIEW ENGINE {__version__} ({engine})")
    boxed("THIS IS NOT CRYSTAL. NUMBERS ARE COMPUTED BY PYSCF WITH DENSITY FITTING")
    boxed("AND DIFFER FROM CRYSTAL'S BY SOME MILLIHARTREE OR MORE. NOT FOR PUBLICATION.")
    boxed("")
    line(_STARS)


def started(title: str) -> None:
    """Print the start of the program, and the title of the deck."""
    line(f" EEEEEEEEEE STARTING  DATE {_date()}")
    line(f" {title}")
    line()


def ended() -> None:
    """Print the program's final lines."""
    stage("END")
    line(f" EEEEEEEEEE TERMINATION  DATE {_date()}")


def stage(name: str) -> None:
    """Print the end of a stage with its elapsed and CPU time in s."""
    line(f" {'T' * 30} {name:<11} TELAPSE {time.monotonic() - _STARTED:11.2f} TCPU {time.process_time():11.2f}")


def refused(message: str) -> None:
    """Print why the deck is refused, and the stage ERR."""
    line(f" ERROR **** PREVIEW **** {message}")
    stage("ERR")


def _date() -> str:
    return datetime.now(UTC).strftime("%d %m %Y TIME %H:%M:%S.0")


def remark(text: str) -> None:
    """Print an information line."""
    line(f" INFORMATION **** PREVIEW **** {text}")


def geometry(structure: Bulk | External, heading: str = "GEOMETRY FOR WAVE FUNCTION") -> None:
    """The tables of cells and atoms."""
    lattice, numbers, positions = structure.primitive
    line(f" {heading} - DIMENSIONALITY OF THE SYSTEM    3")
    line(_STARS)
    line(f" PRIMITIVE CELL - CENTRING CODE 0/0 VOLUME= {abs(np.linalg.det(lattice)):12.6f} - DENSITY  0.000 g/cm^3")
    _cell(cell_parameters(lattice))
    line(f" ATOMS IN THE ASYMMETRIC UNIT {len(structure.numbers):4d} - ATOMS IN THE UNIT CELL: {len(numbers):4d}")
    line("     ATOM                 X/A                 Y/B                 Z/C    ")
    line(_STARS)
    first = 0
    starts = set()
    for count in structure.multiplicities:
        starts.add(first)
        first += count
    for index, (number, position) in enumerate(zip(numbers, positions, strict=True)):
        flag = "T" if index in starts else "F"
        x, y, z = position - np.round(position - 1e-9)
        line(f" {index + 1:6d} {flag} {number:3d} {SYMBOLS[number].upper():<2} {x:20.12E}{y:20.12E}{z:20.12E}")
    line()
    conventional = structure.cell if isinstance(structure, Bulk) else _conventional(lattice, numbers, positions)
    line(f" CRYSTALLOGRAPHIC CELL (VOLUME= {_volume(conventional):20.8f})")
    _cell(conventional)
    line()


def _conventional(lattice: NDArray[np.float64], numbers: list[int], positions: NDArray[np.float64]) -> list[float]:
    """The conventional cell that spglib finds; the primitive one where it finds none."""
    dataset = spglib.get_symmetry_dataset((lattice.tolist(), positions.tolist(), numbers), symprec=1e-3)
    return cell_parameters(lattice if dataset is None else np.array(dataset.std_lattice))


def final_gap(gap: float | None) -> None:
    """The gap at the end of an optimisation."""
    if gap is not None:
        line(f" BAND GAP: {gap * HARTREE_EV:10.4f} eV")


def _cell(cell: Sequence[float]) -> None:
    line("         A              B              C           ALPHA      BETA       GAMMA ")
    a, b, c, alpha, beta, gamma = cell
    line(f" {a:14.8f} {b:14.8f} {c:14.8f} {alpha:12.6f} {beta:10.6f} {gamma:10.6f}")
    line(_STARS)


def cell_parameters(lattice: NDArray[np.float64]) -> list[float]:
    """a, b, c in Å and angles in degrees of lattice vectors in rows."""
    a, b, c = (float(np.linalg.norm(row)) for row in lattice)
    cosines = (lattice[1] @ lattice[2] / b / c, lattice[0] @ lattice[2] / a / c, lattice[0] @ lattice[1] / a / b)
    return [a, b, c, *(float(np.degrees(np.arccos(value))) for value in cosines)]


def _volume(cell: Sequence[float]) -> float:
    a, b, c = cell[:3]
    x, y, z = np.cos(np.radians(cell[3:]))
    return float(a * b * c * np.sqrt(1 - x * x - y * y - z * z + 2 * x * y * z))


def cycle(number: int, energy: float, change: float, test: float) -> None:
    """Print one SCF cycle; energies in hartree."""
    line(f" CYC {number:3d} ETOT(AU) {energy:.12E} DETOT {change:9.2E} tst {test:9.2E} PX  0.00E+00")


def bands_edges(energies: NDArray[np.float64], occupied: int) -> float:
    """State, edges and gap of closed-shell bands (k, band) in hartree; returns the top of the valence bands."""
    tops, bottoms = energies[:, occupied - 1], energies[:, occupied]
    top_k, bottom_k = int(np.argmax(tops)), int(np.argmin(bottoms))
    top, bottom = float(tops[top_k]), float(bottoms[bottom_k])
    if bottom <= top:
        line(f" POSSIBLY CONDUCTING STATE - EFERMI(AU) {(top + bottom) / 2:14.7E} (RES. CHARGE  0.00E+00;IT.  0)")
        return (top + bottom) / 2
    # Degenerate edges at several k points: direct if any pair meets.
    direct = bool(np.any((tops > top - 1e-6) & (bottoms < bottom + 1e-6)))
    kind = "DIRECT" if direct else "INDIRECT"
    if direct:
        top_k = bottom_k = int(np.argmax((tops > top - 1e-6) & (bottoms < bottom + 1e-6)))
    line(" INSULATING STATE")
    line(f" TOP OF VALENCE BANDS -    BAND {occupied:6d}; K {top_k + 1:4d}; EIG {top:14.7E} AU")
    line(f" BOTTOM OF VIRTUAL BANDS - BAND {occupied + 1:6d}; K {bottom_k + 1:4d}; EIG {bottom:14.7E} AU")
    line(f" {kind} ENERGY BAND GAP: {(bottom - top) * HARTREE_EV:8.4f} eV")
    return top


def scf_end(converged: bool, energy: float, cycles: int, change: float, hamiltonian: str) -> None:
    """Print how the SCF ended, and the total energy in hartree."""
    how = "CONVERGENCE ON ENERGY" if converged else "TOO MANY CYCLES"
    line()
    line(f" == SCF ENDED - {how:<21}      E(AU) {energy:.13E} CYCLES {cycles:3d}")
    line()
    line(f" TOTAL ENERGY({hamiltonian})(AU)({cycles:3d}) {energy:.13E} DE{change:8.1E} tester 0.0E+00")
