"""Physical constants, once for the whole program. Source: CODATA 2018."""

from __future__ import annotations

HARTREE_EV = 27.211386245988
"""One hartree in eV."""
BOHR = 0.529177210903
"""One bohr in Å."""
HARTREE_PER_SQUARE_ANGSTROM = 435.9744722207
"""One hartree per Å² in J/m²."""
