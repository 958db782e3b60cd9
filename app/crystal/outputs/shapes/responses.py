"""Lines of responses to strain and volume."""

from __future__ import annotations

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "elastic": ("SYMMETRIZED ELASTIC", r"SYMMETRIZED ELASTIC CONSTANTS"),
    "averages": ("K_V ", r"^ *K_V +G_V +K_R"),
    "volumes": ("SORTING VOLUMES", r"SORTING VOLUMES/ENERGIES"),
}
