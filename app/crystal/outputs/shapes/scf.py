"""Lines of the SCF: cycles, and energies with their corrections."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "cycle": (
        "CYC ",
        rf"^ *CYC +(?P<cyc_n>\d+) +ETOT\(AU\) *(?P<cyc_e>{NUMBER}) *DETOT *(?P<cyc_d>{NUMBER})(?: *tst *(?P<cyc_t>{NUMBER}))?",
    ),
    "tolerance": (
        ("WEIGHT OF F(I)", "INFORMATION **** TOLDEE"),
        r"(?:CONVERGENCE ON ENERGY|FOR ENERGY MODIFIED:|TOTAL ENERGY SET TO) +(?:10\*\*- *)?(?P<toldee>\d+)",
    ),
    "limit": ("MAX NUMBER OF SCF", r"^ *MAX NUMBER OF SCF CYCLES +(?P<maxcyc>\d+) "),
    "scf_end": (
        "SCF ENDED",
        rf"== SCF ENDED - (?P<se_how>[A-Z ]+?) +E\(AU\) *(?P<se_e>{NUMBER}) +CYCLES +(?P<se_n>\d+)",
    ),
    # D3 and gCP executed; the other names by the manual: Grimme's D2 and D4, the short-range term of the 3c methods.
    "corrected": (
        "TOTAL ENERGY + ",
        rf"TOTAL ENERGY \+ (?P<cor_kind>[A-Z\d]+(?: \+ [A-Z\d]+)*) *\(AU\) *(?P<cor_e>{NUMBER})",
    ),
    "correction": (
        (
            "D2 DISPERSION ENERGY",
            "D3 DISPERSION ENERGY",
            "D4 DISPERSION ENERGY",
            "GRIMME DISPERSION ENERGY",
            "GCP ENERGY",
        ),
        rf"^ *(?P<dc_kind>(?:D[234]|GRIMME) DISPERSION|GCP) ENERGY *\(AU\) *(?P<dc_e>{NUMBER})",
    ),
    "total": ("TOTAL ENERGY(", rf"TOTAL ENERGY\((?P<tot_h>HF|DFT)\)\(AU\)\( *\d+\) *(?P<tot_e>{NUMBER})"),
    # With Fermi smearing a block stands before the total energy, which is the mean of E and F (executed, CRYSTAL14 and 17).
    "smeared": (
        (
            "FINITE TEMPERATURE",
            "TEMPERATURE      (T)",
            "ENERGY           (E)",
            "FREE ENERGY      (F)",
            "ELECTRON ENTROPY (S)",
            "(E(T)+F(T))/2",
        ),
        rf"^ *(?:FINITE TEMPERATURE (?:DFT|HF)|[A-Z()+/2 ]*\((?P<sm_name>T|E|F|S|E0)\) +(?P<sm_v>{NUMBER}))",
    ),
}
