"""Which lines of a CRYSTAL output say something, and what.

An output is mostly lines that nobody reads. Each kind of line that matters has a literal text in it, and searching a whole
block for a literal is a hundred times quicker than trying patterns on every line. Line shapes were taken from published
outputs of CRYSTAL06 to CRYSTAL23.
"""

from __future__ import annotations

import re

NUMBER = r"[-+]?\d+\.\d*(?:[EeDd][-+]?\d+)?"
_SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "cycle": ("ETOT(AU)", rf"^ *CYC +(?P<cyc_n>\d+) +ETOT\(AU\) *(?P<cyc_e>{NUMBER}) *DETOT *(?P<cyc_d>{NUMBER})"),
    "elapsed": ("TELAPSE", rf"^ *T{{20,}} (?P<el_stage>\w+) +TELAPSE +(?P<el_s>{NUMBER})"),
    "gap": ("ENERGY BAND GAP", rf"(?P<gap_kind>INDIRECT|DIRECT) ENERGY BAND GAP: *(?P<gap_v>{NUMBER})"),
    "valence": ("TOP OF VALENCE BANDS", rf"TOP OF VALENCE BANDS -.*K +(?P<tv_k>\d+); EIG *(?P<tv_e>{NUMBER})"),
    "virtual": ("BOTTOM OF VIRTUAL BANDS", rf"BOTTOM OF VIRTUAL BANDS -.*K +(?P<bv_k>\d+); EIG *(?P<bv_e>{NUMBER})"),
    "insulating": ("INSULATING STATE", r"^ *INSULATING STATE"),
    "conducting": ("POSSIBLY CONDUCTING STATE", rf"POSSIBLY CONDUCTING STATE - EFERMI\(AU\) *(?P<ef>{NUMBER})"),
    "spin": ("ELECTRONS", r"^ +(?P<spin_name>ALPHA|BETA) +ELECTRONS"),
    "scf_end": (
        "SCF ENDED",
        rf"== SCF ENDED - (?P<se_how>[A-Z ]+?) +E\(AU\) *(?P<se_e>{NUMBER}) +CYCLES +(?P<se_n>\d+)",
    ),
    "corrected": (
        "TOTAL ENERGY + ",
        rf"TOTAL ENERGY \+ (?P<cor_kind>DISP(?: \+ GCP)?|GCP) \(AU\) *(?P<cor_e>{NUMBER})",
    ),
    "total": ("TOTAL ENERGY(", rf"TOTAL ENERGY\((?P<tot_h>HF|DFT)\)\(AU\)\( *\d+\) *(?P<tot_e>{NUMBER})"),
    "point": ("OPTIMIZATION - POINT", r"^ *(?:COORDINATE AND CELL|COORDINATE|CELL) OPTIMIZATION - POINT +(?P<pt>\d+)"),
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
    "cell": ("GAMMA", r"^ +A +B +C +AL[Pp]HA +BETA +GAMMA(?P<cell_volume> +VOLUME)? *$"),
    "atoms": (("X/A", "X(ANGSTROM)"), r"^ +ATOM +(?:X/A|X\(ANGSTROM\)) +(?:Y/B|Y\(ANGSTROM\)) +(?:Z/C|Z\(ANGSTROM\))"),
    "conv_coords": ("COORDINATES IN THE CRYSTALLOGRAPHIC CELL", r"COORDINATES IN THE CRYSTALLOGRAPHIC CELL"),
    "mesh": ("SHRINK. FACT.(MONKH.)", r"SHRINK\. FACT\.\(MONKH\.\) *(?P<mk>\d+ +\d+ +\d+)"),
    "freq_count": ("NUMBER OF SCF+GRADIENT CALCULATIONS", r"NUMBER OF SCF\+GRADIENT CALCULATIONS +(?P<fc>\d+)"),
    "freq_start": ("MAX ABS(DGRAD)", r"^ *ATOM +MAX ABS\(DGRAD\) +TOTAL ENERGY"),
    "modes": (
        ("FREQUENCIES", "DISPERSION K POINT NUMBER"),
        r"^ +MODES +EIGV +FREQUENCIES|DISPERSION K POINT NUMBER +1 ",
    ),
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


def find_mark(line: str) -> tuple[str, re.Match[str]] | None:
    """The kind of a line, and what its pattern found; None for a line that says nothing."""
    for kind, (texts, pattern) in _MARKS.items():
        for text in texts:
            if text in line and (match := pattern.search(line)):
                return kind, match
    return None


def marked_lines(block: str) -> list[int]:
    """Where in `block` lines begin that may say something, in their order."""
    found = set()
    for texts, _ in _MARKS.values():
        for text in texts:
            position = block.find(text)
            while position >= 0:
                found.add(block.rfind("\n", 0, position) + 1)
                end = block.find("\n", position)
                position = block.find(text, end) if end >= 0 else -1
    return sorted(found)
