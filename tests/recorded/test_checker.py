"""The deck checker on recorded decks: silent where they ran, right about every fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.crystal.decks.checker import check_deck
from app.crystal.decks.model import Finding
from app.crystal.decks.reading import read_deck
from tests.support.mutations import missed


def errors(text: str, role: str | None = None, **options: Any) -> list[Finding]:
    return [finding for finding in check_deck(text, role, **options) if finding.severity == "error"]


def real_decks(folder: Path) -> list[Path]:
    found = [path for pattern in ("*/*.d12", "*/*.d3", "*/INPUT*") for path in folder.glob(pattern)]
    assert len(found) >= 25
    return sorted(found)


def test_no_real_deck_has_an_error(recorded: Path) -> None:
    for path in real_decks(recorded):
        assert errors(path.read_text(encoding="latin-1")) == [], path


def test_what_a_real_deck_says_is_read(recorded: Path) -> None:
    deck = read_deck((recorded / "c17-s2-molecule-opt/INPUT").read_text())
    assert (deck.geometry.kind, len(deck.geometry.atoms), deck.basis[0].charge) == ("MOLECULE", 2, 16)
    optimisation = deck.find("OPTGEOM")
    assert optimisation is not None
    assert [(entry.name, entry.values) for entry in optimisation.entries] == [
        ("PRINTOPT", []), ("MAXCYCLE", [["100"]]), ("FINALRUN", [["4"]])
    ]  # fmt: skip
    deck = read_deck((recorded / "c17-graphene-band/graphene.d12").read_text())
    assert (deck.geometry.kind, deck.geometry.group, deck.geometry.cell) == ("SLAB", 77, [2.46])
    assert next(entry.name for entry in deck.hamiltonian) == "DFT"


def test_every_mutation_is_caught_at_its_line(recorded: Path) -> None:
    wanted = (
        "c14-mgo-hf-scf/mgo.d12",
        "c17-graphene-band/graphene.d12",
        "c17-mgo-tutorial/mgo_optgeom.d12",
        "c22-molecule-pbe0-d3-gcp/mole-scf.d12",
        "c17-mgo-doss-dft/mgo_DOSS.d3",
        "c17-mgo-spin-band/mgo_SPIN_BAND.d3",
    )
    tried, silent = missed(recorded / name for name in wanted)
    assert silent == [], "\n".join(silent)
    assert tried >= 200, tried


def test_a_shell_cannot_hold_more_than_it_can(recorded: Path) -> None:
    deck = (recorded / "c14-mgo-hf-scf/mgo.d12").read_text()
    found = errors(deck.replace(" 0  0  8  2.  1.", " 0  0  8  3.  1."))
    assert any(
        finding.line == 11 and "3. electrons in a shell that holds at most 2" in str(finding) for finding in found
    )
