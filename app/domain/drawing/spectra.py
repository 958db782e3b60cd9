"""Vibrational spectra: lines broadened to curves. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Shape = Literal["lorentzian", "gaussian"]
POINTS = 1200
MARGIN = 60.0
"""cm⁻¹ that are drawn beyond the last line."""


@dataclass(frozen=True)
class Spectrum:
    """A curve over wavenumbers (cm⁻¹), and the lines under it as (wavenumber, intensity)."""

    wavenumbers: list[float]
    intensities: list[float]
    lines: list[tuple[float, float]]


def broadened(
    lines: Sequence[tuple[float, float]],
    width: float,
    shape: Shape = "lorentzian",
    limits: tuple[float, float] | None = None,
) -> Spectrum:
    """Each line as a curve whose area is its intensity.

    Args:
        lines: wavenumber (cm⁻¹) and integrated intensity; those below 1 cm⁻¹ are translations and are left out.
        width: full width at half maximum, cm⁻¹.
        limits: the range that is computed; otherwise from 0 to somewhat beyond the last line.
    """
    known = [(at, height) for at, height in lines if at > 1.0]
    low, high = limits or (0.0, max((at for at, _ in known), default=1000.0) + MARGIN)
    grid = np.linspace(low, high, POINTS)
    curve = np.zeros(POINTS)
    for at, height in known:
        apart = grid - at
        if shape == "gaussian":
            spread = width / (2 * math.sqrt(2 * math.log(2)))
            curve += height * np.exp(-0.5 * (apart / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
        else:
            half = width / 2
            curve += height * (half / math.pi) / (apart**2 + half**2)
    return Spectrum([round(float(x), 3) for x in grid], [float(y) for y in curve], known)
