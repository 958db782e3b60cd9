"""Lines of the program properties: what it tells of the wave function that it read. Shapes from executed outputs."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "properties": ("CRYSTAL - PROPERTIES", r"^ *CRYSTAL - PROPERTIES - TYPE OF CALCULATION"),
    "wave_method": (
        ("KOHN-SHAM HAMILTONIAN", "HARTREE-FOCK HAMILTONIAN"),
        r"^ *(?P<wave_method>KOHN-SHAM|HARTREE-FOCK) HAMILTONIAN",
    ),
    "wave_energy": (
        ("TOTAL ENERGY -", "TOTAL ENERGY  "),
        rf"^ *TOTAL ENERGY +(?P<wave_energy>{NUMBER}) +CONVERGENCE ON ENER",
    ),
    "wave_kinetic": ("KIN. ENERGY", rf"^ *KIN\. ENERGY +(?P<wave_kinetic>{NUMBER}) +VIR\. COEFF\."),
    "wave_fermi": (
        "N. OF SCF CYCLES",
        rf"^ *N\. OF SCF CYCLES +(?P<wave_cycles>\d+) +FERMI ENERGY +(?P<wave_fermi>{NUMBER})",
    ),
    "wave_shift": ("DE(K)", rf"^ *DE\(K\).*ENERGY LEVEL SHIFTING +(?P<wave_shift>{NUMBER})"),
    "band_range": ("ENERGY RANGE (A.U.)", rf"^ *ENERGY RANGE \(A\.U\.\).*EFERMI +(?P<band_fermi>{NUMBER})"),
}
