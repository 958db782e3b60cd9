"""Lines of analyses of the density: TOPOND's critical points, and powder patterns.

Both are known from published readers of such outputs; the tables are read by their own titles, and nothing else is told of them.
"""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

_THREE = rf"(?P<x>{NUMBER}) *(?P<y>{NUMBER}) *(?P<z>{NUMBER})"
SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "critical": ("CP TYPE", r"^ *CP TYPE *: *\( *(?P<rank>\d) *, *(?P<signature>[-+]?\d) *\)"),
    "critical_place": ("COORD(AU)", rf"^ *COORD\(AU\) *\(X +Y +Z\) *: *{_THREE}"),
    "critical_fractions": ("COORD FRACT. CONV. CELL", rf"^ *COORD FRACT\. CONV\. CELL *: *{_THREE}"),
    "critical_density": ("PROPERTIES (RHO,GRHO,LAP)", rf"^ *PROPERTIES \(RHO,GRHO,LAP\) *: *{_THREE}"),
    "critical_laplacian": ("PROPERTIES (-LAP,GLAP,RHO)", rf"^ *PROPERTIES \(-LAP,GLAP,RHO\) *: *{_THREE}"),
    "critical_kinetic": ("KINETIC ENERGY DENSITIES", rf"^ *KINETIC ENERGY DENSITIES \(G,K\) *: *(?P<kinetic>{NUMBER})"),
    "critical_virial": ("VIRIAL DENSITY", rf"^ *VIRIAL DENSITY *: *(?P<virial>{NUMBER})"),
    "diffraction": ("2THETA", r"^ *2THETA +INTENS +INTENS-LP +INTENS-LP-DW"),
}
