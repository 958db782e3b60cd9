"""Band structures as CRYSTAL writes them: BAND.DAT, in the form that xmgrace reads.

Columns: distance along the path, then one energy relative to the Fermi energy for each band, hartree. Of a spin-polarised
calculation the second spin follows as a block of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.crystal.outputs.facts.electrons import BandSummary
from app.crystal.properties.rows import numbers_in

_HEAD = re.compile(r"#\s*NKPT\s+(\d+)\s+NBND\s+(\d+)\s+NSPIN\s+(\d+)")
_PANEL = re.compile(r"#\s+(\d+)\s+(\S.*?)\s*$")
_FERMI = re.compile(r"#\s*EFERMI \(HARTREE\)\s+(\S+)")
MAX_NUMBERS = 5_000_000
OCCUPIED = 1e-5
"""Hartree above the Fermi energy up to which a level counts as occupied: BAND.DAT has five digits."""

_WHOLE = 0.01
"""Electrons: a difference of spins that is farther from a whole number belongs to a metal."""


class BandError(ValueError):
    """The file is no BAND.DAT, or is cut."""

    def __init__(self, words: str, *, absent: bool = False) -> None:
        super().__init__(words)
        self.absent = absent
        """The file is whole, and holds other things."""


@dataclass(frozen=True)
class Bands:
    """Energies (spin, band, k point) relative to the Fermi energy, hartree; distances along the path, 1/bohr."""

    distances: np.ndarray
    energies: np.ndarray
    nodes: list[tuple[float, str]]
    """Ends of the path's lines: distance, and the point as `(i,j,k)/shrink` or a letter, which may say nothing: see `paths`."""
    fermi: float | None
    subject: str = "electrons"
    """Or `phonons`: those are wavenumbers in cm⁻¹, and have no Fermi energy."""

    def summary(self, filled: Sequence[int] = ()) -> BandSummary:
        """Edges and mean energies on the absolute scale of the calculation, hartree.

        Args:
            filled: how many of these bands the electrons fill, by spin (see `filled_bands`); otherwise the Fermi energy decides.
        """
        shift = self.fermi or 0.0
        counted = len(filled) == len(self.energies) and all(0 <= count <= self.energies.shape[1] for count in filled)
        valence, conduction = self._edges(filled) if counted else self._edges_by_fermi_energy()
        return BandSummary(
            count=self.energies.shape[1],
            spins=self.energies.shape[0],
            points=self.energies.shape[2],
            fermi_energy=self.fermi,
            valence_top=None if valence is None else valence + shift,
            conduction_bottom=None if conduction is None else conduction + shift,
            filled=list(filled) if counted else [],
            means=[float(mean) + shift for mean in self.energies[0].mean(axis=1)],
        )

    def _edges(self, filled: Sequence[int]) -> tuple[float | None, float | None]:
        """Top of what is filled and bottom of what is empty, of both spins; none where they overlap, or touch within the digits."""
        pairs = list(zip(self.energies, filled, strict=True))
        top = max((float(spin[:count].max()) for spin, count in pairs if count), default=None)
        bottom = min((float(spin[count:].min()) for spin, count in pairs if count < len(spin)), default=None)
        if top is not None and bottom is not None and bottom - top <= OCCUPIED:
            return None, None
        return top, bottom

    def _edges_by_fermi_energy(self) -> tuple[float | None, float | None]:
        flat = self.energies.reshape(-1, self.energies.shape[-1])
        top = flat.max(axis=1)
        occupied = top <= OCCUPIED
        # A band that crosses the Fermi energy makes a metal: no edges.
        if np.any((flat.min(axis=1) < -OCCUPIED) & ~occupied):
            return None, None
        valence = float(top[occupied].max()) if occupied.any() else None
        conduction = float(flat[~occupied].min()) if (~occupied).any() else None
        return valence, conduction


def filled_bands(electrons: int | None, unpaired: float | None, first: int | None, spins: int) -> list[int]:
    """How many bands of a file electrons fill, by spin; empty where that is not known, or where one would be half filled.

    Args:
        electrons: per cell; unpaired: α − β of them, which only two spins need; first: number of the first band of the file.
    """
    if electrons is None or first is None:
        return []
    difference = unpaired if spins == 2 else 0.0
    if difference is None or abs(difference - round(difference)) > _WHOLE or (electrons + round(difference)) % 2:
        return []
    alpha = (electrons + round(difference)) // 2
    counts = [alpha, electrons - alpha][:spins]
    return [count - first + 1 for count in counts] if min(counts) >= first - 1 else []


def read_bands(text: str) -> Bands:
    """The contents of a BAND.DAT.

    Raises:
        BandError
    """
    head = _HEAD.search(text[:2000])
    if head is None:
        raise BandError("it does not begin with NKPT, NBND and NSPIN")
    points, count, spins = (int(part) for part in head.groups())
    if not (points and count and spins) or points * (count + 1) * spins > MAX_NUMBERS:
        raise BandError(f"{points} points of {count} bands are implausible")
    rows: list[list[float]] = []
    panels: list[tuple[int, str]] = []
    fermi = None
    for line in text.splitlines():
        if line.startswith("#"):
            if match := _PANEL.match(line):
                if not rows:
                    panels.append((int(match.group(1)), match.group(2)))
            elif match := _FERMI.match(line):
                fermi = _number(match.group(1))
        elif line.strip() and not line.startswith(("@", "&")):
            rows.append(_row(line))
    if len(rows) != points * spins or any(len(row) != count + 1 for row in rows):
        raise BandError(f"it has {len(rows)} of {points * spins} rows: the file is truncated")
    table = np.array(rows).reshape(spins, points, count + 1)
    distances = table[0, :, 0]
    nodes = [(float(distances[min(place, points) - 1]), name) for place, name in panels if place >= 1]
    return Bands(distances, table[:, :, 1:].transpose(0, 2, 1), nodes, fermi)


def _row(line: str) -> list[float]:
    try:
        return numbers_in(line)
    except ValueError as error:
        raise BandError(str(error)) from error


def _number(text: str) -> float:
    numbers = _row(text)
    if len(numbers) != 1:
        raise BandError(f"{text[:20]!r} is not a number")
    return numbers[0]
