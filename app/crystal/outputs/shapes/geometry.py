"""Lines of the geometry and its optimisation."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "point": (
        ("COORDINATE AND CELL OPT", "COORDINATE OPT", "CELL OPT"),
        r"^ *(?:COORDINATE AND CELL|COORDINATE|CELL) OPTIMIZATION - POINT +(?P<pt>\d+)",
    ),
    "criterion": (
        ("MAX GRADIENT", "RMS GRADIENT", "MAX DISPLAC.", "RMS DISPLAC."),
        r"^ *(?:MAX|RMS) (?:GRADIENT|DISPLAC\.) ",
    ),
    "opt_end": (
        "OPT END",
        rf"OPT END - (?P<oe_how>CONVERGED|FAILED) *\* *E\(AU\): *(?P<oe_e>{NUMBER}) +POINTS +(?P<oe_n>\d+)",
    ),
    "dimension": (
        ("GEOMETRY FOR WAVE FUNCTION", "FINAL OPTIMIZED GEOMETRY"),
        r"(?P<geo>GEOMETRY FOR WAVE FUNCTION|FINAL OPTIMIZED GEOMETRY) - DIMENSIONALITY OF THE SYSTEM +(?P<dim>\d)",
    ),
    "primitive": (
        "PRIMITIVE CELL",
        rf"^ *PRIMITIVE CELL(?: - CENTRING CODE[^=]*= *(?P<vol>{NUMBER})(?: - DENSITY +(?P<density>{NUMBER}) g/cm)?)?",
    ),
    "conventional": ("CRYSTALLOGRAPHIC CELL (VOLUME=", r"^ *CRYSTALLOGRAPHIC CELL \(VOLUME="),
    "lattice": ("DIRECT LATTICE VECTORS CARTESIAN", r"^ *DIRECT LATTICE VECTORS CARTESIAN COMPONENTS \(ANGSTROM\)"),
    "cell": ("A  ", r"^ +A +B +C +AL[Pp]HA +BETA +GAMMA(?P<cell_volume> +VOLUME)? *$"),
    "atoms": ("ATOM  ", r"^ +ATOM +(?:X/A|X\(ANGSTROM\)) +(?:Y/B|Y\(ANGSTROM\)) +(?:Z/C|Z\(ANGSTROM\))"),
    "conv_coords": ("COORDINATES IN THE CRYSTALLOGRAPHIC", r"COORDINATES IN THE CRYSTALLOGRAPHIC CELL"),
    "started": ("EEEEEEEEEE STARTING", r"^ *EEEEEEEEEE STARTING +DATE"),
}
