"""The deck checker: what an experienced colleague would tell a CRYSTAL user before the job is submitted.

The form of records is checked while a deck is read; the rules between them follow here, from `rules`. An error is what
CRYSTAL refuses or what makes the result meaningless; a warning is what experts avoid; a note is worth knowing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from app.crystal.decks.model import Deck, Finding
from app.crystal.decks.reading import oversize, read_deck
from app.crystal.decks.rules.basis import check_basis
from app.crystal.decks.rules.files import check_files, check_text, check_title
from app.crystal.decks.rules.geometry import check_calculations, check_geometry, check_relaxation
from app.crystal.decks.rules.hamiltonian import (
    check_functional,
    check_repeats,
    check_scf,
    check_shrink,
    check_spin,
    check_tolerances,
)
from app.crystal.decks.rules.properties import check_properties

MAX_FINDINGS = 300
"""Findings of one deck that are listed."""
RANK = {"error": 0, "warning": 1, "note": 2}
_D12_RULES: tuple[Callable[[Deck], Iterator[Finding]], ...] = (
    check_title,
    check_geometry,
    check_relaxation,
    check_calculations,
    check_basis,
    check_repeats,
    check_shrink,
    check_tolerances,
    check_scf,
    check_functional,
    check_spin,
)
_D3_RULES: tuple[Callable[[Deck], Iterator[Finding]], ...] = (check_properties,)


def check_deck(text: str, role: str | None = None, files: Collection[str] | None = None) -> list[Finding]:
    """Findings of one deck, in the order of their lines.

    Args:
        role: `d12` or `d3`; None: by its first keyword.
        files: names of files that will lie beside the deck; None: not known, then no file is missed.
    """
    if reason := oversize(text):
        return [Finding(1, "error", "deck", f"cannot be read: {reason}", "Split it, or remove what is not needed.")]
    deck = read_deck(text, "d12" if role == "d12" else "d3" if role == "d3" else None)
    findings = [*deck.findings, *check_text(deck)]
    for rule in _D3_RULES if deck.role == "d3" else _D12_RULES:
        findings += rule(deck)
    if files is not None:
        findings += check_files(deck, files)
    return _first(sorted(dict.fromkeys(findings), key=lambda finding: finding.line))


def _first(findings: list[Finding]) -> list[Finding]:
    """At most `MAX_FINDINGS`, errors before all others; what is left out is counted."""
    if len(findings) <= MAX_FINDINGS:
        return findings
    kept = sorted(findings, key=lambda finding: RANK[finding.severity])[:MAX_FINDINGS]
    rest = len(findings) - len(kept)
    more = Finding(findings[-1].line, "note", "", f"{rest} more findings are not listed", "Correct the first ones.")
    return [*sorted(kept, key=lambda finding: finding.line), more]
