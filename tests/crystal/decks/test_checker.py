"""The deck checker: silent on decks without a fault, and right about the line of every fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.crystal.decks.annotations import annotate
from app.crystal.decks.checker import check_deck
from app.crystal.decks.model import Finding
from app.crystal.decks.reading import read_deck
from app.errors import InvalidInput
from app.library.templates import TemplateLibrary
from tests.crystal.decks.random_decks import objections
from tests.support.corpus import CORPUS
from tests.support.mutations import missed

LIBRARY = TemplateLibrary()
EXPECTED = Path(__file__).parent / "expected"
TYPED = sorted(path for path in (CORPUS / "decks").iterdir() if path.name != "four-tolerances.d12")
"""Decks as people type them, with comments, blanks and numbers in every form."""
RANDOM_DECKS = 150
"""`python -m tests.crystal.decks.random_decks 5000` makes more."""


def errors(text: str, role: str | None = None, **options: Any) -> list[Finding]:
    return [finding for finding in check_deck(text, role, **options) if finding.severity == "error"]


@pytest.mark.parametrize("path", TYPED, ids=lambda path: path.name)
def test_a_deck_without_a_fault_has_no_error(path: Path) -> None:
    assert errors(path.read_text(), path.suffix.lstrip(".")) == []


def test_what_a_typed_deck_says_is_read() -> None:
    deck = read_deck((CORPUS / "decks/molecule.d12").read_text())
    assert (deck.geometry.kind, len(deck.geometry.atoms), deck.basis_name) == ("MOLECULE", 3, "def2-SVP")
    deck = read_deck((CORPUS / "decks/rutile-opt.d12").read_text())
    optimisation = deck.find("OPTGEOM")
    assert optimisation is not None
    assert [(entry.name, entry.values) for entry in optimisation.entries] == [
        ("FULLOPTG", []), ("MAXCYCLE", [["60"]]), ("TOLDEG", [["0.0002"]]), ("TOLDEX", [["0.0008"]]), ("FINALRUN", [["4"]])
    ]  # fmt: skip
    deck = read_deck((CORPUS / "decks/graphene.d12").read_text())
    assert (deck.geometry.kind, deck.geometry.group, deck.geometry.cell) == ("SLAB", 77, [2.48])
    assert (deck.basis[0].charge, len(deck.basis[0].shells)) == (6, 3)
    assert next(entry.name for entry in deck.hamiltonian) == "DFT"
    quartz = read_deck((CORPUS / "decks/quartz-freq.d12").read_text())
    assert tuple(quartz.geometry.shift) == (0, 0, 16)


# -- random decks of the templates -----------------------------------------------------------------------------------------


@pytest.mark.no_cover  # Measured, it takes eight times as long; the other tests of the checker show the same lines.
def test_the_checker_finds_no_error_in_what_templates_write() -> None:
    assert objections(RANDOM_DECKS, seed=20261123) == []


# -- mutations ---------------------------------------------------------------------------------------------------------------


def test_every_mutation_is_caught_at_its_line() -> None:
    golden = sorted(path for path in EXPECTED.glob("*/*") if path.suffix in (".d12", ".d3"))
    tried, silent = missed([*golden, *TYPED])
    assert silent == [], "\n".join(silent)
    assert tried >= 200, tried


SCF = (EXPECTED / "scf-mgo-example" / "scf.d12").read_text()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("MgO\n", "\n", 1, "is empty"),
        ("CRYSTAL\n", "CRYSTEL\n", 2, "did you mean CRYSTAL"),
        ("\n225\n", "\n231\n", 4, "outside 1 to 230"),
        ("4.21\n", "-4.21\n", 5, "must be positive"),
        ("8 0.5 0.5 0.5", "8 0.0 0.0 0.04", 7, "of each other"),
        ("8 0.5 0.5 0.5", "80 0.5 0.5 0.5", 9, "no basis for Hg"),
        ("6 6 6 6 12", "6 6 6 6", 12, "needs 5 integers"),
        ("SHRINK\n2 2\n", "", 18, "needs SHRINK"),
        ("SHRINK\n2 2\n", "SHRINK\n0 0\n2 2 2\n", 13, "must be positive"),
        ("TOLDEE\n6\n", "TOLDEE\n6\nSPINLOCK\n2 5\n", 17, "open-shell"),
        ("FMIXING\n30\n", "FMIXING\n130\n", 19, "outside 0 to 99"),
        ("SHRINK\n", "FULLOPTG\nSHRINK\n", 13, "belongs in OPTGEOM"),
    ],
)
def test_faults_are_named_with_line_and_remedy(old: str, new: str, line: int, words: str) -> None:
    assert old in SCF
    found = errors(SCF.replace(old, new, 1))
    assert any(words in str(finding) for finding in found), found
    assert next(finding for finding in found if words in str(finding)).line == line


def test_a_shell_cannot_hold_more_than_it_can() -> None:
    deck = (CORPUS / "decks/magnesia.d12").read_text()
    found = errors(deck.replace("0 0 8  2.  1.", "0 0 8  3.  1."))
    assert any(
        finding.line == 11 and "3. electrons in a shell that holds at most 2" in str(finding) for finding in found
    ), found


def test_files_that_a_deck_reads_are_missed() -> None:
    deck = SCF.replace("SHRINK\n", "GUESSP\nSHRINK\n")
    assert errors(deck) == []
    assert "fort.20" in str(errors(deck, files=[])[0])
    assert errors(deck, files=["fort.20"]) == []
    external = "t\nEXTERNAL\nBASISSET\nSTO-3G\nSHRINK\n4 4\nEND\n"
    assert "fort.34" in str(errors(external, files=[])[0])
    assert "fort.9" in str(errors("NEWK\n4 4\n1 0\nEND\n", files=[])[0])


@pytest.mark.parametrize(
    ("deck", "words"),
    [
        ("DOSS\n1 100 1 10 1 14 0\n-1 1\nEND\n", "needs NEWK"),
        ("NEWK\n4 8\n1 0\nDOSS\n1 100 -1 -1 1 14 0\n0.5 -0.5\n-1 1\nEND\n", "window is empty"),
        ("BAND\nt\n1 4 20 1 8 1 0\n0 0 0  0 0 0\nEND\n", "ends where it begins"),
        ("BAND\nt\n1 4 20 9 8 1 0\n0 0 0  2 0 0\nEND\n", "not a range"),
        ("BAND\nt\n2 4 20 1 8 1 0\n0 0 0  2 0 0\nEND\n", "needs 6 integers"),
    ],
)
def test_faults_of_properties(deck: str, words: str) -> None:
    assert any(words in str(finding) for finding in errors(deck, "d3")), check_deck(deck, "d3")


def test_an_odd_number_of_electrons_is_a_fault_of_molecules_only() -> None:
    metal = SCF.replace("2\n12 0.0 0.0 0.0\n8 0.5 0.5 0.5", "1\n13 0.0 0.0 0.0")
    assert errors(metal) == []
    assert any("odd number" in str(finding) for finding in check_deck(metal))
    assert any("odd number" in str(f) for f in errors("t\nMOLECULE\n1\n1\n1 0 0 0\nBASISSET\nSTO-3G\nTOLDEE\n6\nEND\n"))


def test_hostile_text_is_only_text() -> None:
    for text in (
        "",
        "\n" * 10,
        "t\nCRYSTAL\n0 0 0\n225\n" + "9" * 400,
        "\x00\x01" * 50,
        "t\nCRYSTAL\n0 0 0\n1\n1 1 1 1 1 1\n99999999\n",
        "t\nSLAB\n1\n5 5 90\n1\n6 0 0 0\nEND\n6 1\n0 0 999999 2. 1.\n",
        "BAND\nt\n999999999 4 1 1 1 1 1\n",
        "t\n" * 5000,
    ):
        check_deck(text)
        check_deck(text, "d3")


def test_lines_know_their_meaning_and_their_findings() -> None:
    lines = annotate(SCF, "d12", check_deck(SCF.replace("6 6 6 6 12", "6 6 6 6 5")))
    by_text = {line.text: line for line in lines}
    assert "\n".join(line.text for line in lines) + "\n" == SCF
    assert "Monkhorst" in by_text["SHRINK"].meaning
    assert by_text["TOLINTEG"].severity == "warning"


def test_a_deck_with_an_error_is_not_submitted() -> None:
    answers = LIBRARY.get("scf").spec.example | {"basis_kind": "explicit", "basis_text": "12 1\n1 0 3 2. 0."}
    answers.pop("basis_set")
    with pytest.raises(InvalidInput, match=r"scf\.d12 line .* has no basis"):
        LIBRARY.render("scf", answers)
    shown = LIBRARY.try_render("scf", answers)
    assert shown.decks and shown.faults
