"""Which lines of a CRYSTAL output say something, and what.

An output is mostly lines that are not needed. Each kind of line that matters begins with distinctive words, after blanks, stars
or equal signs; one pattern finds all such beginnings in a block, so that Python looks at few lines. Line shapes were taken from
published outputs of CRYSTAL06 to CRYSTAL23.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any

NUMBER = r"[-+]?\d+\.\d*(?:[EeDd][-+]?\d+)?"
_STAGE = "T" * 30
_SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "cycle": (
        "CYC ",
        rf"^ *CYC +(?P<cyc_n>\d+) +ETOT\(AU\) *(?P<cyc_e>{NUMBER}) *DETOT *(?P<cyc_d>{NUMBER})(?: *tst *(?P<cyc_t>{NUMBER}))?",
    ),
    "tolerance": (
        ("WEIGHT OF F(I)", "INFORMATION **** TOLDEE"),
        r"(?:CONVERGENCE ON ENERGY|FOR ENERGY MODIFIED:|TOTAL ENERGY SET TO) +(?:10\*\*- *)?(?P<toldee>\d+)",
    ),
    "limit": ("MAX NUMBER OF SCF", r"^ *MAX NUMBER OF SCF CYCLES +(?P<maxcyc>\d+) "),
    "elapsed": ((f"{_STAGE} END ", f"{_STAGE} ERR "), rf"^ *T{{20,}} (?P<el_stage>\w+) +TELAPSE +(?P<el_s>{NUMBER})"),
    "gap": (
        ("DIRECT ENERGY BAND", "INDIRECT ENERGY BAND"),
        rf"(?P<gap_kind>INDIRECT|DIRECT) ENERGY BAND GAP: *(?P<gap_v>{NUMBER})",
    ),
    "valence": ("TOP OF VALENCE", "^ *TOP OF VALENCE BANDS"),
    "virtual": ("BOTTOM OF VIRTUAL", "^ *BOTTOM OF VIRTUAL BANDS"),
    "insulating": ("INSULATING STATE", r"^ *INSULATING STATE"),
    "conducting": ("POSSIBLY CONDUCTING", rf"POSSIBLY CONDUCTING STATE - EFERMI\(AU\) *(?P<ef>{NUMBER})"),
    "spin": (("ALPHA  ", "BETA  "), r"^ +(?P<spin_name>ALPHA|BETA) +ELECTRONS"),
    "spin_sum": (("ALPHA+BETA EL", "ALPHA-BETA EL"), r"ALPHA(?P<sum_sign>[+-])BETA ELECTRONS"),
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
        ("D3 DISPERSION ENERGY", "GCP ENERGY"),
        rf"^ *(?P<dc_kind>D3 DISPERSION|GCP) ENERGY \(AU\) *(?P<dc_e>{NUMBER})",
    ),
    "total": ("TOTAL ENERGY(", rf"TOTAL ENERGY\((?P<tot_h>HF|DFT)\)\(AU\)\( *\d+\) *(?P<tot_e>{NUMBER})"),
    "point": (
        ("COORDINATE AND CELL OPT", "COORDINATE OPT", "CELL OPT"),
        r"^ *(?:COORDINATE AND CELL|COORDINATE|CELL) OPTIMIZATION - POINT +(?P<pt>\d+)",
    ),
    "criterion": (
        ("MAX GRADIENT", "RMS GRADIENT", "MAX DISPLAC.", "RMS DISPLAC."),
        r"^ *(?:MAX|RMS) (?:GRADIENT|DISPLAC\.) ",
    ),
    "opt_end": (
        "OPT END",
        rf"OPT END - (?P<oe_how>CONVERGED|FAILED) *\* *E\(AU\): *(?P<oe_e>{NUMBER}) +POINTS +(?P<oe_n>\d+)",
    ),
    "final_gap": (
        ("BAND GAP:", "ALPHA BAND GAP:", "BETA BAND GAP:"),
        rf"^ *(?:(?P<fg_spin>ALPHA|BETA) +)?BAND GAP: *(?P<fg_v>{NUMBER}) +eV",
    ),
    "dimension": (
        ("GEOMETRY FOR WAVE FUNCTION", "FINAL OPTIMIZED GEOMETRY"),
        r"(?P<geo>GEOMETRY FOR WAVE FUNCTION|FINAL OPTIMIZED GEOMETRY) - DIMENSIONALITY OF THE SYSTEM +(?P<dim>\d)",
    ),
    "primitive": ("PRIMITIVE CELL", rf"^ *PRIMITIVE CELL(?: - CENTRING CODE.*VOLUME= *(?P<vol>{NUMBER}))?"),
    "conventional": ("CRYSTALLOGRAPHIC CELL (VOLUME=", r"^ *CRYSTALLOGRAPHIC CELL \(VOLUME="),
    "lattice": ("DIRECT LATTICE VECTORS CARTESIAN", r"^ *DIRECT LATTICE VECTORS CARTESIAN COMPONENTS \(ANGSTROM\)"),
    "cell": ("A  ", r"^ +A +B +C +AL[Pp]HA +BETA +GAMMA(?P<cell_volume> +VOLUME)? *$"),
    "atoms": ("ATOM  ", r"^ +ATOM +(?:X/A|X\(ANGSTROM\)) +(?:Y/B|Y\(ANGSTROM\)) +(?:Z/C|Z\(ANGSTROM\))"),
    "conv_coords": ("COORDINATES IN THE CRYSTALLOGRAPHIC", r"COORDINATES IN THE CRYSTALLOGRAPHIC CELL"),
    "mesh": ("SHRINK. FACT.(MONKH.)", r"SHRINK\. FACT\.\(MONKH\.\) *(?P<mk>\d+ +\d+ +\d+)"),
    "freq_count": ("NUMBER OF SCF+GRADIENT", r"NUMBER OF SCF\+GRADIENT CALCULATIONS +(?P<fc>\d+)"),
    "freq_start": ("ATOM  ", r"^ *ATOM +MAX ABS\(DGRAD\) +TOTAL ENERGY"),
    "modes": ("MODES  ", r"^ +MODES +EIGV +FREQUENCIES"),
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
    "elastic": ("SYMMETRIZED ELASTIC", r"SYMMETRIZED ELASTIC CONSTANTS"),
    "averages": ("K_V ", r"^ *K_V +G_V +K_R"),
    "dielectric": ("POLARIZABILITY (ALPHA)", r"POLARIZABILITY \(ALPHA\), DIELECTRIC \(EPSILON\)"),
    "vib_dielectric": ("SUM TENSOR OF THE VIBRATIONAL", r"SUM TENSOR OF THE VIBRATIONAL CONTRIBUTIONS"),
    "volumes": ("SORTING VOLUMES", r"SORTING VOLUMES/ENERGIES"),
    "started": ("EEEEEEEEEE STARTING", r"^ *EEEEEEEEEE STARTING +DATE"),
    "ended": ("EEEEEEEEEE TERMINATION", r"^ *EEEEEEEEEE TERMINATION +DATE"),
    "banner": (("CRYSTAL0", "CRYSTAL1", "CRYSTAL2"), r"^ *\* +(?P<prog>CRYSTAL\d\d) +\*"),
    "release": ("public", r"^ *\* +public *: *(?P<rel>.*?) *\*"),
    "preview": ("CRYSTALDECK PREVIEW ENGINE", r"^ *\* +CRYSTALDECK PREVIEW ENGINE +(?P<pv>\S.*?) *\*"),
    "test_only": ("SIZE OF DENSITY MATRIX", r"SIZE OF DENSITY MATRIX EVALUATED"),
    "freq_asked": (
        ("CALCULATION OF PHONON FREQUENCIES", "FREQUENCY CALCULATION"),
        r"\* +CALCULATION OF PHONON FREQUENCIES|FREQUENCY CALCULATION",
    ),
    "error": (
        ("ERROR ****", "forrtl: severe"),
        r"ERROR \*\*\*\*|^forrtl: severe|oom_kill|Cannot allocate memory",
    ),
    "warning": ("WARNING ****", r"WARNING \*\*\*\*"),
}
"""Kind of line → how it begins, and its pattern. The first kind that fits is taken."""
_PATTERNS = {kind: re.compile(pattern) for kind, (_, pattern) in _SHAPES.items()}
_KINDS: dict[str, tuple[str, ...]] = {}
"""How a line begins → the kinds that it may be."""
for _kind, (_texts, _) in _SHAPES.items():
    for _text in (_texts,) if isinstance(_texts, str) else _texts:
        _KINDS[_text] = (*_KINDS.get(_text, ()), _kind)
_FOREIGN = ("oom_kill", "Cannot allocate memory")
"""What stands anywhere in lines that others than the program write, when it has come to its end."""
_END = 20_000
"""Characters at the end of a block in which they are looked for."""


def _beginnings(texts: Iterable[str]) -> str:
    """A pattern of all the texts, the longest that fits: shared beginnings are looked at once, which halves the time."""
    tree: dict[str, Any] = {}
    for text in texts:
        branch = tree
        for letter in text:
            branch = branch.setdefault(letter, {})
        branch[""] = {}
    return _branches(tree)


def _branches(tree: dict[str, Any]) -> str:
    parts = [re.escape(letter) + _branches(rest) for letter, rest in tree.items() if letter]
    if not parts:
        return ""
    joined = f"(?:{'|'.join(parts)})" if len(parts) > 1 else parts[0]
    return f"(?:{joined})?" if "" in tree else joined


_LINE = re.compile(rf"[ *=]*+(?P<begins>{_beginnings(_KINDS)})")
_ONLY_LAST = ("TOTAL ATOMIC CHARGES", "TOTAL ATOMIC SPINS")
"""Stages of the program and these tables are every third line that says something, and of a block only the last one counts."""
# That the pattern begins with a line end lets the search run over all else at the speed of C.
_BLOCK = re.compile(rf"\n([ *=]*+({_beginnings(set(_KINDS) - set(_ONLY_LAST))})[^\n]*)")
Handler = Callable[[Any, re.Match[str], str], None]
Rule = tuple[Callable[[str], re.Match[str] | None], tuple[tuple[int, Handler], ...]]
"""How to find out whether a line is of a kind, and whom to tell: the places of the sections, and their methods."""
Marked = tuple[int, str, str]
"""Where a line begins, the line, and the words by which it was found."""


def find_mark(line: str) -> tuple[str, re.Match[str]] | None:
    """The kind of a line, and what its pattern found; None for a line that says nothing."""
    begins = _LINE.match(line)
    for kind in _KINDS[begins["begins"]] if begins else ():
        if match := _PATTERNS[kind].search(line):
            return kind, match
    return None


def rules_of(sections: Sequence[type]) -> dict[str, list[Rule]]:
    """By the words that find a line: the kinds that it may be of, how to find out, and whose method `on_<kind>` takes it."""
    rules = {
        kind: tuple(
            (place, getattr(section, f"on_{kind}"))
            for place, section in enumerate(sections)
            if hasattr(section, f"on_{kind}")
        )
        for kind in _SHAPES
    }
    by_words = _KINDS | dict.fromkeys(_FOREIGN, ("error",)) | {_STAGE: ("elapsed",)}
    return {words: [(_PATTERNS[kind].search, rules[kind]) for kind in kinds] for words, kinds in by_words.items()}


def marked_lines(block: str) -> list[Marked]:
    """The lines of `block` that may say something, in their order. It begins with the end of the line before it."""
    matches = [(match.start(1), match[1], match[2]) for match in _BLOCK.finditer(block)]
    places = [(block.rfind(" TELAPSE"), _STAGE), *((block.rfind(words), words) for words in _ONLY_LAST)]
    for words in _FOREIGN:
        place = block.find(words, max(0, len(block) - _END))
        while place >= 0:
            places.append((place, words))
            place = block.find(words, place + 1)
    for place, words in places:
        if place >= 0:
            insort(matches, _line_around(block, place, words))
    return matches


def _line_around(block: str, place: int, words: str) -> Marked:
    start, end = block.rfind("\n", 0, place) + 1, block.find("\n", place)
    return start, block[start : end if end >= 0 else len(block)], words
