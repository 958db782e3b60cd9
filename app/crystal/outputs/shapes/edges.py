"""Lines of the electronic state after a cycle: band edges, gaps, Fermi energies."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "gap": (
        ("DIRECT ENERGY BAND", "INDIRECT ENERGY BAND"),
        rf"(?P<gap_kind>INDIRECT|DIRECT) ENERGY BAND GAP: *(?P<gap_v>{NUMBER})",
    ),
    "valence": ("TOP OF VALENCE", "^ *TOP OF VALENCE BANDS"),
    "virtual": ("BOTTOM OF VIRTUAL", "^ *BOTTOM OF VIRTUAL BANDS"),
    # CRYSTAL06 prints the top of the valence bands in the same line; locked states name the shifter there (executed).
    "insulating": (
        "INSULATING STATE",
        rf"^ *INSULATING STATE(?: - TOP OF VALENCE BANDS \(A\.U\.\) *(?P<old_top>{NUMBER}))?"
        rf"(?: - LEVEL SHIFTER +(?P<shift>{NUMBER}))?",
    ),
    "conducting": ("POSSIBLY CONDUCTING", rf"POSSIBLY CONDUCTING STATE - EFERMI *\([AU.]+\) *(?P<ef>{NUMBER})"),
    "altered": ("LOCKING - FERMI", r"LOCKING - FERMI ENERGY ALTERED"),
    "shifting": ("EIGENVALUE LEVEL SHIFT", rf"EIGENVALUE LEVEL SHIFTING OF +(?P<shifting>{NUMBER}) +HARTREE"),
    "spin": (("ALPHA  ", "BETA  "), r"^ +(?P<spin_name>ALPHA|BETA) +ELECTRONS"),
    "final_gap": (
        ("BAND GAP:", "ALPHA BAND GAP:", "BETA BAND GAP:"),
        rf"^ *(?:(?P<fg_spin>ALPHA|BETA) +)?BAND GAP: *(?P<fg_v>{NUMBER}) +eV",
    ),
}
