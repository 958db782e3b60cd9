"""Which lines of a CRYSTAL output say something, and what.

An output is mostly lines that nobody reads. Each kind of line that matters has a literal text in it, and searching a whole
block for a literal is a hundred times quicker than trying patterns on every line. Line shapes were taken from published
outputs of CRYSTAL06 to CRYSTAL23.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NUMBER = r"[-+]?\d+\.\d*(?:[EeDd][-+]?\d+)?"
_SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "cycle": (
        "ETOT(AU)",
        rf"^ *CYC +(?P<cyc_n>\d+) +ETOT\(AU\) *(?P<cyc_e>{NUMBER}) *DETOT *(?P<cyc_d>{NUMBER})(?: *tst *(?P<cyc_t>{NUMBER}))?",
    ),
    "tolerance": ("CONVERGENCE ON ENERGY", r"CONVERGENCE ON ENERGY +10\*\*- *(?P<toldee>\d+)"),
    "limit": ("MAX NUMBER OF SCF CYCLES", r"^ *MAX NUMBER OF SCF CYCLES +(?P<maxcyc>\d+) "),
    "elapsed": ("TELAPSE", rf"^ *T{{20,}} (?P<el_stage>\w+) +TELAPSE +(?P<el_s>{NUMBER})"),
    "gap": ("ENERGY BAND GAP", rf"(?P<gap_kind>INDIRECT|DIRECT) ENERGY BAND GAP: *(?P<gap_v>{NUMBER})"),
    "valence": ("TOP OF VALENCE BANDS", rf"TOP OF VALENCE BANDS -.*K +(?P<tv_k>\d+); EIG *(?P<tv_e>{NUMBER})"),
    "virtual": ("BOTTOM OF VIRTUAL BANDS", rf"BOTTOM OF VIRTUAL BANDS -.*K +(?P<bv_k>\d+); EIG *(?P<bv_e>{NUMBER})"),
    "insulating": ("INSULATING STATE", r"^ *INSULATING STATE"),
    "conducting": ("POSSIBLY CONDUCTING STATE", rf"POSSIBLY CONDUCTING STATE - EFERMI\(AU\) *(?P<ef>{NUMBER})"),
    "spin": ("ELECTRONS", r"^ +(?P<spin_name>ALPHA|BETA) +ELECTRONS"),
    "spin_sum": (("ALPHA+BETA ELECTRONS", "ALPHA-BETA ELECTRONS"), r"ALPHA(?P<sum_sign>[+-])BETA ELECTRONS"),
    "charges": ("TOTAL ATOMIC CHARGES", r"^ *TOTAL ATOMIC CHARGES"),
    "spins": ("TOTAL ATOMIC SPINS", r"^ *TOTAL ATOMIC SPINS"),
    "population": ("MULLIKEN POPULATION ANALYSIS - NO.", r"MULLIKEN POPULATION ANALYSIS - NO\. OF ELECTRONS"),
    "scf_end": (
        "SCF ENDED",
        rf"== SCF ENDED - (?P<se_how>[A-Z ]+?) +E\(AU\) *(?P<se_e>{NUMBER}) +CYCLES +(?P<se_n>\d+)",
    ),
    "corrected": (
        "TOTAL ENERGY + ",
        rf"TOTAL ENERGY \+ (?P<cor_kind>DISP(?: \+ GCP)?|GCP) \(AU\) *(?P<cor_e>{NUMBER})",
    ),
    "correction": (
        ("D3 DISPERSION ENERGY (AU)", "GCP ENERGY (AU)"),
        rf"^ *(?P<dc_kind>D3 DISPERSION|GCP) ENERGY \(AU\) *(?P<dc_e>{NUMBER})",
    ),
    "total": ("TOTAL ENERGY(", rf"TOTAL ENERGY\((?P<tot_h>HF|DFT)\)\(AU\)\( *\d+\) *(?P<tot_e>{NUMBER})"),
    "point": ("OPTIMIZATION - POINT", r"^ *(?:COORDINATE AND CELL|COORDINATE|CELL) OPTIMIZATION - POINT +(?P<pt>\d+)"),
    "criterion": (
        "THRESHOLD",
        rf"^ *(?P<cr_of>MAX|RMS) (?P<cr_what>GRADIENT|DISPLAC\.) +(?P<cr_v>{NUMBER}) +THRESHOLD +(?P<cr_t>{NUMBER}) +"
        r"CONVERGED +(?P<cr_met>YES|NO)",
    ),
    "opt_end": (
        "OPT END",
        rf"OPT END - (?P<oe_how>CONVERGED|FAILED) *\* *E\(AU\): *(?P<oe_e>{NUMBER}) +POINTS +(?P<oe_n>\d+)",
    ),
    "final_gap": ("BAND GAP:", rf"^ *(?:(?P<fg_spin>ALPHA|BETA) +)?BAND GAP: *(?P<fg_v>{NUMBER}) +eV"),
    "dimension": (
        "DIMENSIONALITY OF THE SYSTEM",
        r"(?P<geo>GEOMETRY FOR WAVE FUNCTION|FINAL OPTIMIZED GEOMETRY) - DIMENSIONALITY OF THE SYSTEM +(?P<dim>\d)",
    ),
    "primitive": ("PRIMITIVE CELL", rf"^ *PRIMITIVE CELL(?: - CENTRING CODE.*VOLUME= *(?P<vol>{NUMBER}))?"),
    "conventional": ("CRYSTALLOGRAPHIC CELL (VOLUME=", r"^ *CRYSTALLOGRAPHIC CELL \(VOLUME="),
    "lattice": ("LATTICE VECTORS CARTESIAN", r"^ *DIRECT LATTICE VECTORS CARTESIAN COMPONENTS \(ANGSTROM\)"),
    "cell": ("GAMMA", r"^ +A +B +C +AL[Pp]HA +BETA +GAMMA(?P<cell_volume> +VOLUME)? *$"),
    "atoms": (("X/A", "X(ANGSTROM)"), r"^ +ATOM +(?:X/A|X\(ANGSTROM\)) +(?:Y/B|Y\(ANGSTROM\)) +(?:Z/C|Z\(ANGSTROM\))"),
    "conv_coords": ("COORDINATES IN THE CRYSTALLOGRAPHIC CELL", r"COORDINATES IN THE CRYSTALLOGRAPHIC CELL"),
    "mesh": ("SHRINK. FACT.(MONKH.)", r"SHRINK\. FACT\.\(MONKH\.\) *(?P<mk>\d+ +\d+ +\d+)"),
    "freq_count": ("NUMBER OF SCF+GRADIENT CALCULATIONS", r"NUMBER OF SCF\+GRADIENT CALCULATIONS +(?P<fc>\d+)"),
    "freq_start": ("MAX ABS(DGRAD)", r"^ *ATOM +MAX ABS\(DGRAD\) +TOTAL ENERGY"),
    "modes": ("FREQUENCIES", r"^ +MODES +EIGV +FREQUENCIES"),
    "dispersion": (
        "DISPERSION K POINT NUMBER",
        r"DISPERSION K POINT NUMBER +\d+ +COORD: +[RC]\( *(?P<dk>-?\d+(?: +-?\d+)*) *\) +WEIGHT: *(?P<dw>\d+\.\d*)",
    ),
    "shrinks": (
        "WITH SHRINKING FACTORS",
        r"WITH SHRINKING FACTORS: +IS1 = +(?P<is1>\d+) +IS2 = +(?P<is2>\d+) +IS3 = +(?P<is3>\d+)",
    ),
    "raman": ("POLYCRYSTALLINE ISOTROPIC", r"POLYCRYSTALLINE ISOTROPIC INTENSITIES"),
    "vectors": ("NORMAL MODES NORMALIZED", r"NORMAL MODES NORMALIZED TO CLASSICAL AMPLITUDES"),
    "thermodynamics": ("HARMONIC VIBRATIONAL", r"HARMONIC VIBRATIONAL CONTRIBUTIONS TO THERMODYNAMIC"),
    "conditions": ("AT (T =", rf"^ *AT \(T = *(?P<kelvin>{NUMBER}) *K, P = *(?P<mpa>{NUMBER}) *MPA\)"),
    "elastic": ("SYMMETRIZED ELASTIC CONSTANTS", r"SYMMETRIZED ELASTIC CONSTANTS"),
    "averages": ("K_V", r"^ *K_V +G_V +K_R"),
    "dielectric": ("POLARIZABILITY (ALPHA), DIELECTRIC", r"POLARIZABILITY \(ALPHA\), DIELECTRIC \(EPSILON\)"),
    "vib_dielectric": ("SUM TENSOR OF THE VIBRATIONAL", r"SUM TENSOR OF THE VIBRATIONAL CONTRIBUTIONS"),
    "volumes": ("SORTING VOLUMES/ENERGIES", r"SORTING VOLUMES/ENERGIES"),
    "started": ("STARTING", r"^ *EEEEEEEEEE STARTING +DATE"),
    "ended": ("TERMINATION", r"^ *EEEEEEEEEE TERMINATION +DATE"),
    "banner": ("CRYSTAL", r"^ *\* +(?P<prog>CRYSTAL\d\d) +\*"),
    "release": ("public", r"^ *\* +public *: *(?P<rel>.*?) *\*"),
    "preview": ("CRYSTALDECK PREVIEW ENGINE", r"^ *\* +CRYSTALDECK PREVIEW ENGINE +(?P<pv>\S.*?) *\*"),
    "test_only": ("SIZE OF DENSITY MATRIX EVALUATED", r"SIZE OF DENSITY MATRIX EVALUATED"),
    "freq_asked": (
        ("CALCULATION OF PHONON FREQUENCIES", "FREQUENCY CALCULATION"),
        r"\* +CALCULATION OF PHONON FREQUENCIES|FREQUENCY CALCULATION",
    ),
    "error": (
        ("ERROR ****", "forrtl: severe", "oom_kill", "Cannot allocate memory"),
        r"ERROR \*\*\*\*|^forrtl: severe|oom_kill|Cannot allocate memory",
    ),
    "warning": ("WARNING ****", r"WARNING \*\*\*\*"),
}
"""Kind of line → literal texts of which it holds one, and its pattern. The first kind that fits is taken."""
_MARKS = {
    kind: ((texts,) if isinstance(texts, str) else texts, re.compile(pattern))
    for kind, (texts, pattern) in _SHAPES.items()
}


def find_mark(line: str, kinds: Iterable[str] = _MARKS) -> tuple[str, re.Match[str]] | None:
    """The kind of a line, of those asked for, and what its pattern found; None for a line that says nothing."""
    for kind in kinds:
        texts, pattern = _MARKS[kind]
        for text in texts:
            if text in line and (match := pattern.search(line)):
                return kind, match
    return None


def marked_lines(block: str) -> list[tuple[int, list[str]]]:
    """Where in `block` lines begin that may say something, in their order, and of which kinds they may be."""
    found: dict[int, list[str]] = {}
    for kind, (texts, _) in _MARKS.items():
        for text in texts:
            position = block.find(text)
            while position >= 0:
                found.setdefault(block.rfind("\n", 0, position) + 1, []).append(kind)
                end = block.find("\n", position)
                position = block.find(text, end) if end >= 0 else -1
    return sorted(found.items())
