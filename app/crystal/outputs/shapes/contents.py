"""Lines of what the cell holds: its group, atoms, electrons, orbitals."""

from __future__ import annotations

_COUNTS = ("N. OF ATOMS PER CELL", "NUMBER OF SHELLS", "NUMBER OF AO", "N. OF ELECTRONS PER CELL",
           "CORE ELECTRONS PER CELL", "N. OF SYMMETRY OPERATORS")  # fmt: skip

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    # Space and plane groups executed; line, rod and point groups by the manual.
    "group": (
        ("SPACE GROUP (", "TWO-SIDED PLANE GROUP", "ONE-SIDED PLANE GROUP", "LINE GROUP", "ROD GROUP", "POINT GROUP"),
        r"^ *(?:(?:TWO|ONE)-SIDED )?(?P<gr_kind>SPACE|PLANE|LINE|ROD|POINT) GROUP(?: N\. *(?P<gr_n>\d+))?"
        r"(?: \((?:NON)?CENTROSYMMETRIC\))? *: +(?P<gr_name>[A-Z\d].*?) *$",
    ),
    "operators": ("NUMBER OF SYMMETRY OPERATORS", r"^ *NUMBER OF SYMMETRY OPERATORS *: +(?P<operators>\d+)"),
    # properties, of open shells (executed).
    "unpaired": ("SPIN POLARIZED SYSTEM", r"SPIN POLARIZED SYSTEM: SUMMED SPIN DENSITY +(?P<unpaired>[-+.\d]+)"),
    "band_numbers": ("FROM BAND", r"^ *\* +FROM BAND +(?P<first_band>\d+) +TO BAND +(?P<last_band>\d+) +\*"),
    "count": (_COUNTS, rf"^ *(?P<count_of>{'|'.join(_COUNTS).replace('.', chr(92) + '.')}) +(?P<count>\d+)"),
}
