"""Energy over volume: the Birch–Murnaghan fit, by ASE."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase.eos import EquationOfState
from ase.units import GPa

from app.crystal.constants import HARTREE_EV


def fit_eos(volumes: Sequence[float | None], energies: Sequence[float | None]) -> dict[str, float]:
    """The minimum of energy over volume.

    Args:
        volumes: Å³ per cell; energies: hartree per cell. Points without both are passed over.

    Returns:
        `volume` (Å³), `energy` (hartree), `bulk_modulus` (GPa) and `linear`, the cube root of the volume (Å).

    Raises:
        ValueError: fewer than five points, or no minimum among them.
    """
    points = [(v, e) for v, e in zip(volumes, energies, strict=True) if v is not None and e is not None]
    if len(points) < 5:
        raise ValueError(f"a fit needs at least five points, not {len(points)}")
    data = np.array(points)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            equation: Any = EquationOfState
            fitted = equation(data[:, 0].tolist(), (data[:, 1] * HARTREE_EV).tolist(), eos="birchmurnaghan")
            volume, energy, modulus = fitted.fit()
        except (RuntimeError, ValueError, TypeError) as error:
            raise ValueError(f"energy over volume has no minimum to fit ({error})") from error
    if not data[:, 0].min() * 0.9 <= volume <= data[:, 0].max() * 1.1 or modulus <= 0:
        raise ValueError("energy over volume has no minimum within the points")
    return {
        "volume": float(volume),
        "energy": float(energy) / HARTREE_EV,
        "bulk_modulus": float(modulus / GPa),
        "linear": float(volume) ** (1 / 3),
    }


def birch_murnaghan(volume: float, fit: Mapping[str, Any]) -> float:
    """Energy in hartree at a volume in Å³, by the third-order equation (F. Birch, Phys. Rev. 71, 809 (1947)).

    Args:
        fit: `volume` (Å³), `energy` (hartree), `bulk_modulus` (GPa) and `derivative`.
    """
    strain: float = (fit["volume"] / volume) ** (2 / 3)
    scale: float = 9 / 16 * fit["volume"] * fit["bulk_modulus"] * GPa / HARTREE_EV
    shape = (strain - 1) ** 3 * fit["derivative"] + (strain - 1) ** 2 * (6 - 4 * strain)
    energy: float = fit["energy"] + scale * shape
    return energy
