"""Lines of pressure, stress and forces.

The contribution of external stress and the stress tensor are known from executed outputs, the words of the deck from the manual:
EXTPRESS is followed by the pressure in hartree/bohr³.
"""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "external_work": (
        "TOTAL ENERGY CORRECTED: EXT",
        rf"TOTAL ENERGY CORRECTED: EXTERNAL STRESS CONTRIBUTION *= *(?P<work>{NUMBER})",
    ),
    "external_word": (("EXTPRESS", "EXTSTRESS"), r"^ *(?P<load>EXTPRESS|EXTSTRESS) *$"),
    "stress": ("STRESS TENSOR, IN HARTREE", r"^ *STRESS TENSOR, IN HARTREE/BOHR\^3"),
    "stress_pressure": ("PRESSURE IN GIGAPASCAL", rf"^ *PRESSURE IN GIGAPASCAL: *(?P<gpa>{NUMBER})"),
    "stress_enthalpy": ("ENTHALPY:", rf"^ *ENTHALPY: *(?P<enthalpy>{NUMBER})"),
    "cell_gradient": ("GRADIENT WITH RESPECT TO THE CELL", r"GRADIENT WITH RESPECT TO THE CELL PARAMETER"),
    # CRYSTAL06 prints no unit.
    "forces": ("CARTESIAN FORCES ", r"^ *CARTESIAN FORCES (?:IN HARTREE/BOHR )?\(ANALYTICAL\)"),
}
