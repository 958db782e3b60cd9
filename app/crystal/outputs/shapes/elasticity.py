"""Lines of elastic constants: crystals in GPa, slabs and polymers in hartree per cell."""

from __future__ import annotations

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "elastic": ("SYMMETRIZED ELASTIC", r"SYMMETRIZED ELASTIC CONSTANTS?(?:.*\bIN +(?P<elastic_unit>[A-Za-z/]+))?"),
    "compliance": (
        "ELASTIC MODULI (COMPLIANCE",
        r"ELASTIC MODULI \(COMPLIANCE TENSOR\)(?:.*\bIN +(?P<compliance_unit>\S+))?",
    ),
    "averages": ("K_V ", r"^ *K_V +G_V +K_R"),
    "velocities": ("SEISMIC VELOCITIES", r"SEISMIC VELOCITIES BY"),
}
