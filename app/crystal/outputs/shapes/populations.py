"""Lines of electrons by atom, and of what each nucleus is: ghosts and pseudopotentials."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "spin_sum": (("ALPHA+BETA EL", "ALPHA-BETA EL"), r"ALPHA(?P<sum_sign>[+-])BETA ELECTRONS"),
    "charges": ("TOTAL ATOMIC CHARGES", r"^ *TOTAL ATOMIC CHARGES"),
    "spins": ("TOTAL ATOMIC SPINS", r"^ *TOTAL ATOMIC SPINS"),
    "population": ("MULLIKEN POPULATION ANALYSIS - NO.", r"MULLIKEN POPULATION ANALYSIS - NO\. OF ELECTRONS"),
    # Behind it stands how many they are; below it each with its atomic number, as in `   1(  8)   7(  8)` (executed, CRYSTAL09).
    "ghosts": ("ATOMS TRANSFORMED INTO GHOSTS", r"ATOMS TRANSFORMED INTO GHOSTS *:(?P<ghosts>[ \d]*)"),
    # Executed, CRYSTAL09 and 17; the same words are expected where the pseudopotential is one of the program's own.
    "effective_charge": (
        "ATOMIC NUMBER",
        rf"^ *ATOMIC NUMBER +(?P<ecp_z>\d+), NUCLEAR CHARGE +(?P<ecp_charge>{NUMBER}).*PSEUDOPOTENTIAL",
    ),
}
