"""Lines of FREQCALC: frequencies, intensities, dispersion, thermodynamics."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "freq_count": ("NUMBER OF SCF+GRADIENT", r"NUMBER OF SCF\+GRADIENT CALCULATIONS +(?P<fc>\d+)"),
    "freq_start": ("ATOM  ", r"^ *ATOM +MAX ABS\(DGRAD\) +TOTAL ENERGY"),
    "modes": ("MODES  ", r"^ +MODES +(?:EIGV|EV) +FREQUENCIES"),
    "hessian": ("EIGENVALUES (EIGV) OF THE MASS", r"EIGENVALUES \(EIGV\) OF THE MASS"),
    "longitudinal": ("LONGITUDINAL OPTICAL (LO)", r"^ *LONGITUDINAL OPTICAL \(LO\)"),
    "lo_directions": ("SYMMETRY ADAPTED DIRECTIONS", r"SYMMETRY ADAPTED DIRECTIONS FOR LONGITUDINAL"),
    "phonon_supercell": ("SCHEME. THE FOLLOWING SUPERCELL", r"THE FOLLOWING SUPERCELL HAS BEEN USED"),
    "fragment": ("FREQUENCIES COMPUTED ON A FRAG", r"FREQUENCIES COMPUTED ON A FRAGMENT"),
    "isotopes": ("ATOMS ISOTOPIC MASS", r"ATOMS ISOTOPIC MASS \(AMU\)"),
    "dispersion": (
        "DISPERSION K POINT NUMBER",
        r"DISPERSION K POINT NUMBER +\d+ +COORD: +[RC]\( *(?P<dk>-?\d+(?: +-?\d+)*) *\) +WEIGHT: *(?P<dw>\d+\.\d*)",
    ),
    "shrinks": (
        "WITH SHRINKING FACTORS",
        r"WITH SHRINKING FACTORS: +IS1 = +(?P<is1>\d+) +IS2 = +(?P<is2>\d+) +IS3 = +(?P<is3>\d+)",
    ),
    "raman_part": ("<RAMAN>", r"<RAMAN>"),
    "raman": ("POLYCRYSTALLINE ISOTROPIC", r"POLYCRYSTALLINE ISOTROPIC INTENSITIES"),
    "raman_crystal": ("SINGLE CRYSTAL DIRECTIONAL", r"SINGLE CRYSTAL DIRECTIONAL INTENSITIES"),
    "vectors": ("NORMAL MODES NORMALIZED", r"NORMAL MODES NORMALIZED TO CLASSICAL AMPLITUDES"),
    "thermodynamics": ("HARMONIC VIBRATIONAL", r"HARMONIC VIBRATIONAL CONTRIBUTIONS TO THERMODYNAMIC"),
    "conditions": ("AT (T =", rf"^ *AT \(T = *(?P<kelvin>{NUMBER}) *K, P = *(?P<mpa>{NUMBER}) *MPA\)"),
    "freq_asked": (
        ("CALCULATION OF PHONON FREQUENCIES", "FREQUENCY CALCULATION"),
        r"\* +CALCULATION OF PHONON FREQUENCIES|FREQUENCY CALCULATION",
    ),
}
