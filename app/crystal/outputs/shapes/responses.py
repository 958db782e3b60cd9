"""Lines of responses to strain, fields and volume."""

from __future__ import annotations

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "elastic": ("SYMMETRIZED ELASTIC", r"SYMMETRIZED ELASTIC CONSTANTS"),
    "averages": ("K_V ", r"^ *K_V +G_V +K_R"),
    "dielectric": ("POLARIZABILITY (ALPHA)", r"POLARIZABILITY \(ALPHA\), DIELECTRIC \(EPSILON\)"),
    "vib_dielectric": ("SUM TENSOR OF THE VIBRATIONAL", r"SUM TENSOR OF THE VIBRATIONAL CONTRIBUTIONS"),
    "volumes": ("SORTING VOLUMES", r"SORTING VOLUMES/ENERGIES"),
}
