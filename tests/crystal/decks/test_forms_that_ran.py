"""Forms of records that were seen to run, or that the manual has: no error. The numbers are invented."""

from __future__ import annotations

import pytest

from app.crystal.decks.blocks import UNKNOWN_KEYWORD, is_unknown
from app.crystal.decks.checker import check_deck
from app.crystal.decks.model import Finding
from app.crystal.decks.reading import read_deck

ROCKSALT = "rock salt\nCRYSTAL\n0 0 0\n225\n5.01\n2\n11 0. 0. 0.\n9 .5 .5 .5\n"
NAMED = "BASISSET\nSTO-3G\nSHRINK\n4 8\nTOLDEE\n10\nEND\n"
WRITTEN = "END\n11 3\n1 0 3 2. 1.\n1 1 3 8. 1.\n1 1 1 1. 1.\n9 2\n1 0 3 2. 1.\n1 1 3 7. 1.\n99 0\nEND\n"
WRITTEN += "SHRINK\n4 8\nTOLDEE\n10\nEND\n"
MOLECULE = "two atoms\nMOLECULE\n1\n2\n6 0. 0. 0.\n8 0. 0. 1.15\n"
SHEET = "t\nSLAB\n77\n2.5\n1\n6 0.33333 0.66667 0.\n"
OLD_CORE = ROCKSALT.replace("11 0.", "211 0.") + WRITTEN.replace(
    "11 3\n1 0 3 2. 1.\n1 1 3 8. 1.\n1 1 1 1. 1.\n",
    "211 1\nINPUT\n1. 0 1 1 0 0\n1.5 10. 0\n0.9 4. 0\n0 1 1 1. 1.\n0.3 1. 1.\n",
)
NET = "NEWK\n6 12\n1 0\n"


def errors(text: str, role: str | None = None) -> list[Finding]:
    return [finding for finding in check_deck(text, role) if finding.severity == "error"]


def rocksalt(geometry: str = "", scf: str = "") -> str:
    return ROCKSALT + geometry + NAMED.replace("END\n", f"{scf}END\n")


D12 = {
    "elastcon-flag": ROCKSALT + "ELASTCON\nPREOPTGEOM\nSTEPSIZE\n0.008\nNUMDERIV\n3\nEND\n" + WRITTEN,
    "elastcon-flag-last": ROCKSALT + "ELASTCON\nPREOPTGEOM\nEND\n" + WRITTEN,
    "elastcon-pressure-restart2": rocksalt("ELASTCON\nPREOPTGEOM\nPRESSURE\n3.5\nRESTART2\nEND\n"),
    "eos-flag": rocksalt("EOS\nPREOPTGEOM\nRANGE\n0.94 1.06 7\nEND\n"),
    "eos-block": rocksalt("EOS\nPREOPTGEOM\nFULLOPTG\nEND\nRANGE\n0.94 1.06 7\nEND\n"),
    "relaxed-molecule": MOLECULE + "OPTGEOM\nFULLOPTG\nEND\nBASISSET\nSTO-3G\nTOLDEE\n7\nEND\n",
    "ghosts-by-name": MOLECULE + "BASISSET\nSTO-3G\nGHOSTS\n1\n1\nDFT\nPBE0\nEND\nTOLDEE\n8\nEND\n",
    "charged-by-name": MOLECULE + "BASISSET\nSTO-3G\nCHARGED\nUHF\nTOLDEE\n8\nEND\n",
    "ghosts-in-block": ROCKSALT + WRITTEN.replace("99 0\n", "99 0\nGHOSTS\n1\n2\n"),
    "charged-in-block": ROCKSALT
    + WRITTEN.replace("9 2\n1 0 3 2. 1.\n1 1 3 7. 1.\n99 0\n", "9 2\n1 0 3 2. 1.\n1 1 3 8. 1.\n99 0\nCHARGED\n"),
    "strained-bulk": rocksalt("ELASTIC\n-2\n0. 0.01 0.\n0.01 0. 0.\n0. 0. 0.\n"),
    "strained-polymer": "chain\nPOLYMER\n1\n4.1\n1\n6 0. 0. 0.\nELASTIC\n-2\n0.01\n" + NAMED,
    "eight-letters": rocksalt("SCELPHONO\n2 0 0\n0 2 0\n0 0 2\nFREQCALC\nDISPERSION\nEND\n", "MAXCYCLES\n80\n"),
    "real-step": rocksalt("FREQCALC\nSCANMODE\n2 -3 3 0.15\n4 6\nEND\n"),
    "scan-mode-beside": rocksalt("FREQCALC\nSCANMODE\n1 -3 3 .15\n4\nINTENS\nEND\n"),
    "qha": rocksalt("SCELPHONO\n2 0 0\n0 2 0\n0 0 2\nQHA\nTEMPERAT\n12 20 600\nSOMETHING\n3\nEND\n"),
    "anharm": MOLECULE + "ANHARM\n1\nISOTOPES\n1\n1 13.0\nNOGUESS\nEND\nBASISSET\nSTO-3G\nTOLDEE\n9\nEND\n",
    "photoelastic": rocksalt("PHOTOELA\nNUMDERIV\n3\nEND\n"),
    "hf3c": MOLECULE + "BASISSET\nMINIX\nHF3C\nEND\nTOLDEE\n8\nEND\n",
    "version-on-its-line": rocksalt(scf="DFTD3\nVERSION 3\nS8 0.7\nEND\n"),
    "functional-unknown": rocksalt(scf="DFT\nNEWFUN42\nEND\n"),
    "functional-mn15": rocksalt(scf="DFT\nMN15\nSPIN\nEND\n"),
    "counted-occupations": rocksalt(scf="FDOCCUP\n1\n1 4 2\n1 1 0 0 0\n"),
    "counted-angular": rocksalt(scf="DFT\nPBE0\nRADIAL\n1\n4.0\n75\nANGULAR\n2\n0.5 9999.0\n4 9\nEND\n"),
    "dynamic": rocksalt("CPHF\nDYNAMIC\n2\n0.01 0.05\nTHIRD\nEND\n"),
    "constrained": rocksalt("OPTGEOM\nATOMONLY\nLNGSFROZEN\n1\n1 2 0 0 0\nFIXDELTX\n0.1\nEXTSTRESS\n1 0 0\n0 1 0\n0 0 1\nEND\n"),
    "constant-volume": rocksalt("OPTGEOM\nCELLONLY\nCVOLOPT\nEND\n"),
    "options-on-one-line": rocksalt("SETPRINT\n2\n3 1 7 -2\n"),
    "end-with-words": rocksalt("OPTGEOM\nATOMONLY\nEND OPTGEOM\n", "DFT\nPBE0\nEND DFT\n").replace("END\n", "ENDSCF done\n"),
    "tabs-and-comments": rocksalt("OPTGEOM\t# relax\n\n# cell too\nFULLOPTG\nMAXCYCLE\n\t40 points\nEND\n"),
    "redundant-atom": ROCKSALT.replace("\n2\n", "\n3\n") + "9 0.5 0. 0.\n" + NAMED,
    "nonstandard-symbol": "pbnm\nCRYSTAL\n1 0 0\nP B N M\n5.3 5.4 7.6\n2\n20 0.01 0.04 0.25\n22 0. .5 0.\n" + NAMED,
    "symbol-not-known": "odd\nCRYSTAL\n1 0 0\nP 21/Q\n5.3 5.4 7.6 92.\n1\n20 0.01 0.04 0.25\n" + NAMED,
    "basis-after-end": ROCKSALT + "END\n" + NAMED,
    "end-after-basis": ROCKSALT + NAMED.replace("STO-3G\n", "STO-3G\nEND\n"),
    "molecule-of-a-crystal": ROCKSALT + "MOLECULE\n1\n1 0 0 0\nBASISSET\nSTO-3G\nTOLDEE\n8\nEND\n",
    "stopped": ROCKSALT + "TESTGEOM\nSTOP\n",
    "words-of-others-in-qha": rocksalt("QHA\nNUMDERIV\n2\nINTENS\nTOLDEG\n0.0001\nEND\n"),
    "basis-optimised": rocksalt(scf="OPTBASIS\nALPHA\n3\nEND\n"),
    "anharmonic-states": rocksalt("FREQCALC\nANHAPES\n2\n4 5\n0 1\n0.9\nVSCF\n4\nVCI\n6 8 0\nEND\n"),
    "cluster": rocksalt("CLUSTER\n0 0 0\n3 20 0\nHYDROSUB\n1\n1 2\n"),
    "real-matrix": rocksalt("SUPERCEL\n2. 0. 0.\n0. 2. 0.\n0. 0. 2.\n"),
    "kind-with-words": rocksalt().replace("CRYSTAL\n", "CRYSTAL   (rock salt)\n"),
    "matrix-on-one-line": rocksalt("SUPERCEL\n2 0 0 0 2 0 0 0 2\n"),
    "fixed-index": rocksalt(scf="FIXINDEX\nGUESSP\n"),
    "fixed-index-block": rocksalt(scf="FIXINDEX\nGEOM\nFRACTION\nEND\nGUESSP\n"),
    "old-pseudopotential": OLD_CORE,
    "external": "t\nEXTERNAL\nSUPERCEL\n2 0\n0 2\n" + NAMED,
    "dlv": "t\nDLVINPUT\n" + WRITTEN,
    "windows": rocksalt().replace("\n", "\r\n"),
    "ghost-zero": ROCKSALT.replace("9 .5", "0 .5") + WRITTEN.replace("9 2\n1 0 3 2. 1.\n1 1 3 7.", "0 2\n1 0 3 0. 1.\n1 1 3 0."),
}  # fmt: skip

D3 = {
    "grids": "PPAN\nECH3\n55\nPOT3\n45\n6\nEND\n",
    "grids-of-a-slab": "ECH3\n55\nRANGE\n-6.\n6.\nPOT3\n45\n6\nSCALE\n2.5\nPPAN\nEND\n",
    "grids-of-a-molecule": "ECH3\n55\nSCALE\n2. 2. 2.\nPOT3\n45\n6\nRANGE\n-6. -6. -6.\n6. 6. 6.\nEND\n",
    "populations": NET
    + "COOP\n2 200 1 9 2 12 0\n-1 1\n-1 2\n2 3 4\n1 9\nCOHP\n1 200 -1 -1 2 12 0\n-0.8 0.3\n-1 1\n-1 2\nPPAN\nEND\n",
    "pattern": "XRDSPEC\n0 1.5406 90.\nPPAN\nEND\n",
    "profiles": NET + "PROF\n2 0 1 0\n18 3\nBIDIERD\n1 0 0\n20 0.1\n1 0 0\nEMDL\n1 20. 0.5 1 0 0\n1 0 0\nPPAN\nEND\n",
    "profiles-with-a-block": "PROF\n2 0 1 0\n18 3\nCP\n1 50. 50. 1\n1 0 0\n1.\nBR\n12. .2\nEND\nPPAN\nEND\n",
    "topology": "TOPO\nTRHO\n3\n1 2\nSEARCH\n0.1\nEND\n",
    "topology-then-end": "PPAN\nTOPO\nTRHO\n3\nEND\nEND\n",
    "transport-with-a-word-of-others": NET + "BOLTZTRA\nTRANGE\n100 800 50\nSMEAR\n0.1\nRELAXTIM\n12\nEND\nEND\n",
    "more-words": "ANBD\n4 0 0\n1 2 3 4\nPOTC\n0 1 0\n0. 0. 1.\nORBITALS\n3\nGRID3D\n20\nPPAN\nEND\n",
    "not-known-here": NET + "WHATISIT\n1 2 3\nDOSS\n0 100 1 9 1 12 0\nEND\n",
    "not-known-block": "WHATISIT\n1 2 3\nINNER\n4\nEND\nPPAN\nEND\n",
}


@pytest.mark.parametrize("name", D12)
def test_a_deck_that_can_run_has_no_error(name: str) -> None:
    assert errors(D12[name], "d12") == []


@pytest.mark.parametrize("name", D3)
def test_properties_that_can_run_have_no_error(name: str) -> None:
    assert errors(D3[name], "d3") == []


UNKNOWN_BLOCKS = [
    rocksalt("NEWTASK\n3\nALPHA\n0.1\nEND\n"),
    ROCKSALT + "NEWTASK\n3\nALPHA\n0.1\nEND\n" + WRITTEN,
    rocksalt("OPTGEOM\nFULLOPTG\nNEWTASK\n5 6\nBETA\nEND\nMAXCYCLE\n30\nEND\n"),
    ROCKSALT + "OPTGEOM\nFULLOPTG\nNEWTASK\n5 6\nBETA\nEND\nEND\n" + WRITTEN,
    ROCKSALT + "FREQCALC\nNEWTASK\n5 6\nINTENS\nINTCPHF\nEND\nEND\n" + WRITTEN,
    rocksalt(scf="NEWTASK\n1\nGAMMA\n2\nEND\nMAXCYCLE\n90\n"),
    rocksalt(scf="DFT\nPBE0\nNEWTASK\nEND\nMAXCYCLE\n90\n"),
]


@pytest.mark.parametrize("text", UNKNOWN_BLOCKS)
def test_a_word_that_is_not_known_is_a_note_and_reading_goes_on(text: str) -> None:
    found = check_deck(text, "d12")
    assert [f for f in found if f.severity == "error"] == []
    assert any(f.severity == "note" and f.keyword == "NEWTASK" and is_unknown(f) for f in found)
    deck = read_deck(text, "d12")
    assert deck.complete
    assert deck.find("SHRINK") is not None
    assert not [f for f in found if "not read" in f.message]


def test_a_title_may_begin_like_a_deck_of_properties() -> None:
    deck = "BAND gap of " + ROCKSALT + NAMED
    assert (read_deck(deck).role, errors(deck)) == ("d12", [])
    assert read_deck("\n# first\nBAND\nt\n1 4 20 1 8 1 0\n0 0 0  2 0 0\nEND\n").role == "d3"


def test_a_similar_keyword_is_only_suggested() -> None:
    [note] = [f for f in check_deck(rocksalt(scf="FMIXNIG\n40\n"), "d12") if f.keyword == "FMIXNIG"]
    assert (note.severity, note.message, note.remedy) == ("note", f"{UNKNOWN_KEYWORD}; did you mean FMIXING?", "")


def test_a_redundant_atom_is_a_warning_and_counts_once() -> None:
    found = check_deck(D12["redundant-atom"], "d12")
    assert [(f.line, f.severity) for f in found if "symmetry image" in f.message] == [(9, "warning")]


def test_a_relaxed_molecule_is_told_at_most_a_note() -> None:
    assert {f.severity for f in check_deck(D12["relaxed-molecule"], "d12")} <= {"note"}


MISSED = [
    ("raman-without-cphf", rocksalt("FREQCALC\nINTENS\nINTRAMAN\nEND\n"), "error", "needs INTCPHF"),
    ("raman-without-intens", rocksalt("FREQCALC\nINTRAMAN\nINTCPHF\nEND\nEND\n"), "error", "needs INTENS"),
    ("spectrum-without-intens", rocksalt("FREQCALC\nIRSPEC\nEND\nEND\n"), "warning", "without INTENS"),
    ("d3-without-parameters", rocksalt(scf="DFT\nPBESOLXC-D3\nEND\n"), "error", "no parameters for D3"),
    ("3c-elsewhere", rocksalt(scf="DFT\nHSE3C\nEND\n"), "warning", "belongs to the basis set def2-mSVP"),
    ("hf3c-elsewhere", rocksalt(scf="HF3C\nEND\n"), "warning", "belongs to the basis set MINIX"),
    ("cubic-shrink", rocksalt().replace("4 8\n", "0 8\n4 4 6\n"), "error", "not equal along"),
    ("sheet-shrink", SHEET + NAMED.replace("4 8\n", "0 8\n4 6 1\n"), "error", "not equal along"),
    ("supercell-too-late", rocksalt("FREQCALC\nDISPERSI\nEND\nSCELPHONO\n2 0 0\n0 2 0\n0 0 2\n"), "error", "comes too late"),
    ("bands-without-dispersion", rocksalt("FREQCALC\nBANDS\n4 10\n1\n0 0 0 2 0 2\nEND\n"), "warning", "without DISPERSI"),
    ("pressure-on-a-fixed-cell", rocksalt("OPTGEOM\nATOMONLY\nEXTPRESS\n0.001\nEND\n"), "warning", "the cell is fixed"),
    ("dispersion-twice", rocksalt(scf="DFT\nPBE-D3\nEND\nGRIMME\n1.05 20. 25.\n1\n9 0.75 1.3\n"), "warning", "second dispersion"),
    ("elastcon-block", rocksalt("ELASTCON\nPREOPTGEOM\nFULLOPTG\nEND\nNUMDERIV\n3\nEND\n"), "warning", "is a flag within"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "severity", "words"), MISSED)
def test_what_goes_wrong_is_told(name: str, text: str, severity: str, words: str) -> None:
    assert any(f.severity == severity and words in f.message for f in check_deck(text, "d12")), check_deck(text, "d12")


MESHES = [
    ("0 0 0\n136\n4.6 2.96", "4 4 6", True),
    ("0 0 0\n136\n4.6 2.96", "4 6 6", False),
    ("0 0 0\n194\n3.2 5.2", "8 8 4", True),
    ("0 0 0\n194\n3.2 5.2", "8 4 8", False),
    ("0 0 0\n143\n5.2 5.2", "8 6 4", False),
    ("0 0 0\n167\n4.8 13.", "6 6 4", False),
    ("0 0 0\n62\n5.1 6.2 7.3", "6 5 4", True),
    ("0 0 0\n14\n5.1 6.2 7.3 99.", "6 5 4", True),
    ("0 0 0\n65\n5.1 6.2 7.3", "6 5 4", False),
    ("0 0 0\n230\n11.", "4 4 2", False),
]


@pytest.mark.parametrize(("cell", "factors", "fits"), MESHES)
def test_factors_are_equal_along_directions_that_symmetry_makes_equal(cell: str, factors: str, fits: bool) -> None:
    deck = f"t\nCRYSTAL\n{cell}\n1\n22 0.125 0.0625 0.17\n" + NAMED.replace("4 8\n", f"0 8\n{factors}\n")
    assert any("not equal along" in str(finding) for finding in errors(deck)) is not fits


def test_a_band_has_at_most_twenty_segments() -> None:
    row = "0 0 0  2 0 0\n"
    assert errors("BAND\nt\n20 4 200 1 9 1 0\n" + 20 * row + "END\n") == []
    assert "at most 20" in str(errors("BAND\nt\n21 4 200 1 9 1 0\n" + 21 * row + "END\n"))
