"""Lines of the SCF: cycles, energies, band gaps and edges, populations."""

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
    "final_gap": (
        ("BAND GAP:", "ALPHA BAND GAP:", "BETA BAND GAP:"),
        rf"^ *(?:(?P<fg_spin>ALPHA|BETA) +)?BAND GAP: *(?P<fg_v>{NUMBER}) +eV",
    ),
}
