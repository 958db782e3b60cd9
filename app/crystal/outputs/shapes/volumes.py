"""Lines of several volumes: equations of state, quasi-harmonic tables.

Names and order of the fits and titles of the quasi-harmonic tables are known from readers of executed outputs; how a table's
columns are called is taken from its own heading.
"""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "volumes": ("SORTING VOLUMES", r"SORTING VOLUMES/ENERGIES"),
    "fitting": ("+++++++ FITTING", r"\+ FITTING (?P<which>.*?) *\+"),
    "fits": ("EQUATION OF STATE  ", r"EQUATION OF STATE +VOL\S* +E\S* +B"),
    "volume_word": (("EOS", "QHA"), r"^ *(?:EOS|QHA) *$"),
    "quasi_harmonic": ("QUASI-HARMONIC APPROX", r"QUASI-HARMONIC APPROXIMATION"),
    "thermal": (
        ("THERMAL PROPERTIES FROM", "LINEAR THERMAL EXPANSION OF", "PRESSURE-VOLUME-TEMPERATURE"),
        rf"^ *(?P<thermal>(?:THERMAL PROPERTIES FROM|LINEAR THERMAL EXPANSION OF|PRESSURE-VOLUME-TEMPERATURE)[A-Z \-]*?)"
        rf"(?: AT P *= *(?P<at_gpa>{NUMBER}) *(?:GPa|GPA))? *$",
    ),
    "strain": ("STRAIN MATRIX  ", r"^ *STRAIN MATRIX +\d+"),
}
