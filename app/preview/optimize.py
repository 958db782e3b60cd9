"""OPTGEOM: cell and atoms of small crystals, along the totally symmetric directions, with numerical derivatives.

PySCF has no analytic gradient for the cell of a density-fitted crystal, so each coordinate is moved both ways and the two
energies give its slope. Steps are those of BFGS, limited in length. Symmetry leaves few coordinates (one for rock salt),
which is what makes this affordable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.crystal.constants import BOHR
from app.crystal.structures.fort34 import External, found_symmetry
from app.preview import report
from app.preview.refusal import Refusal, not_implemented

STEP = 0.04
"""bohr by which a coordinate is moved to feel its slope."""
FIRST_CURVATURE = 0.8
"""Ha/bohr², of a typical ionic crystal; better ones come from the steps."""
LONGEST = 0.4
"""bohr that one step may go along a coordinate."""
MAX_COORDINATES = 12
Array = NDArray[np.float64]


@dataclass
class Orders:
    """What an OPTGEOM block asks for; thresholds in atomic units, as CRYSTAL has them."""

    cell: bool = False
    atoms: bool = True
    points: int = 100
    gradient: float = 0.0003
    displacement: float = 0.0012
    energy: int = 7
    remarks: list[str] = field(default_factory=list)


def set_keyword(orders: Orders, keyword: str, numbers: Callable[[int], list[float]]) -> None:
    """Take one keyword of the block; `numbers` reads its records.

    Raises:
        Refusal: it is not implemented.
    """
    match keyword:
        case "FULLOPTG":
            orders.cell = orders.atoms = True
        case "ATOMONLY":
            orders.cell, orders.atoms = False, True
        case "CELLONLY":
            orders.cell, orders.atoms = True, False
        case "MAXCYCLE":
            orders.points = int(numbers(1)[0])
        case "TOLDEG":
            [orders.gradient] = numbers(1)
        case "TOLDEX":
            [orders.displacement] = numbers(1)
        case "TOLDEE":
            orders.energy = int(numbers(1)[0])
        case "FINALRUN" | "MAXTRADIUS":
            numbers(1)
            orders.remarks.append(f"{keyword} IS READ BUT NOT USED")
        case "ONELOG" | "HESSIDEN" | "HESSMOD1" | "HESSMOD2" | "NOXYZ":
            pass
        case _:
            raise not_implemented(f"OPTGEOM {keyword}")


Coordinate = tuple[Array, Array]
"""A strain (3, 3) and displacements of the atoms (n, 3) in bohr, for one unit of the coordinate in bohr."""


def coordinates_of(structure: External, orders: Orders) -> list[Coordinate]:
    """The totally symmetric directions: strains of the cell, then displacements of the atoms."""
    lattice, numbers, positions = structure.primitive
    operators = list(found_symmetry(lattice, numbers, positions, 3).operators)
    atoms = len(numbers)
    coordinates: list[Coordinate] = []
    if orders.cell:
        length = float(np.linalg.norm(lattice, axis=1).max()) / BOHR
        strains = [_symmetric(pair) for pair in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
        averaged = [np.mean([r @ s @ r.T for r, _ in operators], axis=0).ravel() for s in strains]
        for basis in _independent(np.array(averaged)):
            strain = basis.reshape(3, 3)
            coordinates.append((strain / np.abs(strain).max() / length, np.zeros((atoms, 3))))
    if orders.atoms:
        moves = _averaged_moves(lattice, numbers, positions, operators)
        for basis in _independent(moves):
            coordinates.append((np.zeros((3, 3)), basis.reshape(atoms, 3) / np.abs(basis).max()))
    if len(coordinates) > MAX_COORDINATES:
        raise Refusal(f"{len(coordinates)} COORDINATES TO OPTIMISE: THE PREVIEW ENGINE TAKES UP TO {MAX_COORDINATES}")
    return coordinates


def _symmetric(pair: tuple[int, int]) -> Array:
    strain = np.zeros((3, 3))
    strain[pair] = strain[pair[::-1]] = 1.0
    return strain


def _averaged_moves(
    lattice: Array, numbers: list[int], positions: Array, operators: list[tuple[Array, Array]]
) -> Array:
    """Each Cartesian displacement of each atom, averaged over the group; the drift of the whole cell taken out."""
    atoms = len(numbers)
    places = positions @ lattice
    inverse = np.linalg.inv(lattice)
    moves = np.zeros((3 * atoms, atoms, 3))
    for rotation, shift in operators:
        for index in range(atoms):
            image = (rotation @ places[index] + shift - places) @ inverse
            partner = int(np.argmin(np.linalg.norm((image - np.round(image)) @ lattice, axis=1)))
            for axis in range(3):
                moves[3 * index + axis, partner] += rotation[:, axis]
    moves -= moves.mean(axis=1, keepdims=True)
    averaged: Array = moves.reshape(3 * atoms, 3 * atoms) / len(operators)
    return averaged


def _independent(rows: Array) -> Array:
    """An orthogonal basis of the space that the rows span."""
    _, values, vectors = np.linalg.svd(rows)
    basis: Array = vectors[: int(np.sum(values > 1e-6))]
    return basis


def moved(structure: External, coordinates: list[Coordinate], amounts: Array) -> External:
    """The structure with each coordinate changed by so many bohr."""
    strain = sum((q * c[0] for q, c in zip(amounts, coordinates, strict=True)), np.zeros((3, 3)))
    shift = sum((q * c[1] for q, c in zip(amounts, coordinates, strict=True)), np.zeros((len(structure.numbers), 3)))
    deform = np.eye(3) + strain
    lattice = structure.vectors @ deform.T
    places = structure.places @ deform.T + shift * BOHR
    return External(3, tuple(map(tuple, lattice.tolist())), structure.numbers, tuple(map(tuple, places.tolist())))


def optimise(structure: External, orders: Orders, energy_of: Callable[[External, bool], float]) -> External:
    """Go to the nearest minimum; `energy_of(structure, shown)` computes an energy in hartree.

    Raises:
        Refusal: too many coordinates.
    """
    coordinates = coordinates_of(structure, orders)
    kind = "COORDINATE AND CELL" if orders.cell and orders.atoms else "CELL" if orders.cell else "COORDINATE"
    hessian = FIRST_CURVATURE * np.eye(len(coordinates))
    amounts = before = slopes = np.zeros(len(coordinates))
    last = energy = float("nan")
    for point in range(1, orders.points + 1):
        report.line(f" {kind} OPTIMIZATION - POINT {point:4d}")
        energy = energy_of(structure, True)
        if not coordinates:
            report.remark("SYMMETRY LEAVES NOTHING TO OPTIMISE")
            return _converged(structure, energy, point)
        slopes = _slopes(structure, coordinates, energy_of)
        if point > 1:
            hessian = _updated(hessian, amounts, slopes - before)
        rms, step = (float(np.sqrt(np.mean(values**2))) for values in (slopes, amounts))
        done = rms < orders.gradient
        _report_gradient("MAX", float(np.abs(slopes).max()), 1.5 * orders.gradient, done)
        _report_gradient("RMS", rms, orders.gradient, done)
        settled = point > 1 and abs(energy - last) < 10.0**-orders.energy and step < orders.displacement
        if done or settled:
            return _converged(structure, energy, point)
        amounts = np.clip(-np.linalg.solve(hessian, slopes), -LONGEST, LONGEST)
        before, last, structure = slopes, energy, moved(structure, coordinates, amounts)
    report.line(f" * OPT END - FAILED * E(AU): {energy:20.12E} POINTS {orders.points:4d} *")
    return structure


def _updated(hessian: Array, step: Array, change: Array) -> Array:
    """BFGS; left as it is where the curvature along the step is not positive."""
    along = float(step @ change)
    if along < 1e-8:
        return hessian
    pushed = hessian @ step
    better: Array = hessian + np.outer(change, change) / along - np.outer(pushed, pushed) / float(step @ pushed)
    return better


def _report_gradient(name: str, value: float, threshold: float, done: bool) -> None:
    report.line(f" {name} GRADIENT {value:13.6f}  THRESHOLD {threshold:21.6f} CONVERGED {_word(done)}")


def _word(done: bool) -> str:
    return "YES" if done else "NO"


def _converged(structure: External, energy: float, point: int) -> External:
    report.line(f" * OPT END - CONVERGED * E(AU): {energy:20.12E} POINTS {point:4d} *")
    return structure


def _slopes(structure: External, coordinates: list[Coordinate], energy_of: Callable[[External, bool], float]) -> Array:
    """Central differences along each coordinate, Ha/bohr."""
    slopes = []
    for index in range(len(coordinates)):
        amounts = np.zeros(len(coordinates))
        amounts[index] = STEP
        above = energy_of(moved(structure, coordinates, amounts), False)
        below = energy_of(moved(structure, coordinates, -amounts), False)
        slopes.append((above - below) / (2 * STEP))
    return np.array(slopes)
