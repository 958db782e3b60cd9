"""What the program properties reads and computes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class WaveFunction:
    """The wave function that properties read, as it tells it. Energies in hartree per cell.

    `total_energy` is that of the last SCF; whether dispersion and other corrections are in it, the program does not tell.
    `fermi_energy` has three digits; None where a placeholder stands.
    """

    total_energy: float | None = None
    kinetic_energy: float | None = None
    scf_cycles: int | None = None
    fermi_energy: float | None = None
