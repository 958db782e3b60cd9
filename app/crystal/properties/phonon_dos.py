"""Densities of phonon states: PHONDOS.DAT, in the form of DOSS.DAT, but in cm⁻¹ and without spins."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from app.crystal.properties.dos import MAX_NUMBERS, DosError

_HEAD = re.compile(r"#\s*NEPTS\s+(\d+)\s+NPROJ\s+(\d+)(?:\s+NSPIN\s+(\d+))?")
_WAVENUMBERS = re.compile(r"XAXIS\s+LABEL\s+\"[^\"]*\(?CM-1\)?", re.IGNORECASE)
_TOLERANCE = 2e-3
"""Of the largest density: numbers are printed with four or five digits."""


@dataclass(frozen=True)
class PhononDos:
    """Wavenumbers in cm⁻¹, and densities (projection, wavenumber) in states/(cm⁻¹·cell) with a name for each projection."""

    wavenumbers: np.ndarray
    densities: np.ndarray
    names: list[str]


def is_phonon_dos(text: str) -> bool:
    """Whether a file is about phonons: its axis is one of wavenumbers."""
    return _WAVENUMBERS.search(text[:2000]) is not None


def read_phonon_dos(text: str) -> PhononDos:
    """The contents of a PHONDOS.DAT.

    Raises:
        DosError
    """
    head = _HEAD.search(text[:2000])
    if head is None:
        raise DosError("it does not begin with NEPTS and NPROJ")
    if not is_phonon_dos(text):
        raise DosError("its axis is not one of wavenumbers in cm⁻¹")
    points, count = int(head[1]), int(head[2])
    # The number of spins is printed as 0: phonons have none.
    if not (points and count) or points * (count + 1) > MAX_NUMBERS:
        raise DosError(f"{points} wavenumbers of {count} projections are implausible")
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "@", "&")))
    try:
        rows = [[float(part.replace("D", "E")) for part in line.split()] for line in lines]
    except ValueError as error:
        raise DosError(str(error)) from error
    if len(rows) != points or any(len(row) != count + 1 for row in rows):
        raise DosError(f"it has {len(rows)} of {points} rows: the file is truncated")
    table = np.array(rows)
    if not np.isfinite(table).all():
        raise DosError("it holds values that are no numbers")
    return PhononDos(table[:, 0], table[:, 1:].T, _names(table[:, 1:].T))


def _names(densities: np.ndarray) -> list[str]:
    """The total is the column that all others add up to: which one it is, the file does not say."""
    count = len(densities)
    if count == 1:
        return ["total"]
    whole, largest = densities.sum(axis=0), abs(densities).max()
    totals = [
        place for place in range(count) if np.allclose(2 * densities[place], whole, rtol=0, atol=_TOLERANCE * largest)
    ]
    if len(totals) != 1:
        return [f"column {place}" for place in range(1, count + 1)]
    others = iter(range(1, count))
    return ["total" if place == totals[0] else f"projection {next(others)}" for place in range(count)]
