"""Physical constants, once for the whole program. Source: CODATA 2018."""

from __future__ import annotations

HARTREE_EV = 27.211386245988
"""One hartree in eV."""
BOHR = 0.529177210903
"""One bohr in Å."""
PROGRAM_BOHR = 0.5291772083
"""One bohr in Å as CRYSTAL prints and uses it: its lengths and volumes in Å are turned back by the same."""
HARTREE_PER_SQUARE_ANGSTROM = 435.9744722207
"""One hartree per Å² in J/m²."""
