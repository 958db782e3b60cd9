"""CRYSTAL's internal basis-set library: names and the elements that each set covers.

Coverage as measured with CRYSTAL23 (1.0.1); CRYSTAL17 knows fewer sets and elements.
"""

from __future__ import annotations

from app.crystal.elements import SYMBOLS


def _elements(*ranges: tuple[int, int], without: tuple[int, ...] = ()) -> frozenset[int]:
    return frozenset(z for low, high in ranges for z in range(low, high + 1) if z not in without)


INTERNAL_SETS: dict[str, frozenset[int]] = {
    "STO-3G": _elements((1, 53)),
    "POB-DZVP-REV2": _elements((1, 35), without=(2, 10, 18)),
    "POB-TZVP": _elements((1, 38), (40, 42), (44, 53), (83, 83)),
    "POB-TZVP-REV2": _elements((1, 56), (72, 84), without=(2, 10, 18, 36, 43, 54)),
    "def2-mSVP": _elements((1, 80), (86, 86)),
}


COMPOSITE_SETS = {
    "PBEH3C": "def2-mSVP", "HSE3C": "def2-mSVP", "B973C": "mTZVP", "PBESOL03C": "SOLDEF2MSVP", "HSESOL3C": "SOLDEF2MSVP",
    "HF3C": "MINIX", "HFSOL3C": "SOLMINIX",
}  # fmt: skip
"""The basis set that belongs to a composite functional."""

MORE_SETS = ("6-21G*", "POB-DZVP", "POB-DZVPP", "def2-SVP", "MINIX", "mTZVP", "SOLMINIX", "SOLDEF2MSVP")
"""Further names of the internal library; which elements they cover was not measured."""


def coverage(name: str) -> str:
    """The elements of an internal set in words: `H, Li–Ar`."""
    covered = INTERNAL_SETS.get(name)
    if covered is None:
        return "coverage not measured"
    runs: list[list[int]] = []
    for z in sorted(covered):
        if runs and runs[-1][1] == z - 1:
            runs[-1][1] = z
        else:
            runs.append([z, z])
    return ", ".join(SYMBOLS[a] if a == b else f"{SYMBOLS[a]}–{SYMBOLS[b]}" for a, b in runs)


def uncovered(name: str, numbers: tuple[int, ...]) -> list[str]:
    """Symbols of the elements that the internal set lacks; empty for a set whose coverage is not known."""
    covered = INTERNAL_SETS.get(name)
    return [] if covered is None else [SYMBOLS[z] for z in sorted(set(numbers) - covered)]
