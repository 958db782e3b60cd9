"""Rules for a deck of properties."""

from __future__ import annotations

from collections.abc import Iterator

from app.crystal.decks.model import Deck, Entry, Finding, finding_at
from app.crystal.records import number_of

MAX_SEGMENTS = 20
"""Segments of one BAND."""


def check_properties(deck: Deck) -> Iterator[Finding]:
    """DOSS has its NEWK, and BAND and DOSS have numbers that are possible."""
    seen: set[str] = set()
    for entry in deck.properties:
        if entry.name == "DOSS" and "NEWK" not in seen:
            yield finding_at(entry, "error", "needs NEWK before it", "Put NEWK with IS ISP and 1 0 before DOSS.")
        if entry.name in ("COOP", "COHP", "BOLTZTRA") and not {"NEWK", "RDFMWF"} & seen and not _own_mesh(entry):
            yield finding_at(
                entry, "warning", "usually needs NEWK before it", "Put NEWK with IS ISP and 1 0 before it."
            )
        seen.add(entry.name)
        if entry.name == "BAND" and len(entry.values) > 1:
            yield from _check_band(entry)
        if entry.name == "DOSS" and entry.values:
            yield from _check_doss(entry)


def _own_mesh(entry: Entry) -> bool:
    return any(inner.name == "NEWK" for inner in entry.entries)


def _check_band(entry: Entry) -> Iterator[Finding]:
    count, shrink, points, first, last = (int(part) for part in entry.values[1][:5])
    if count < 1:
        yield finding_at(entry, "error", "has no segment")
    if count > MAX_SEGMENTS:
        yield finding_at(
            entry,
            "error",
            f"has {count} segments; CRYSTAL takes at most {MAX_SEGMENTS}",
            "Split the path over two BAND.",
        )
    if shrink < 0:
        yield finding_at(entry, "error", f"the shrinking factor {shrink} must not be negative")
    if points < count:
        yield finding_at(entry, "error", f"{points} points are too few for {count} segments")
    if not 1 <= first <= last:
        yield finding_at(
            entry, "error", f"bands {first} to {last} are not a range", "First and last band, counted from 1."
        )
    for number, segment in enumerate(entry.values[2:], start=1):
        if segment[: len(segment) // 2] == segment[len(segment) // 2 :]:
            yield finding_at(entry, "error", f"segment {number} ends where it begins")


def _check_doss(entry: Entry) -> Iterator[Finding]:
    projections, points, first, last, _, polynomials = (int(part) for part in entry.values[0][:6])
    if abs(projections) > 15:
        yield finding_at(entry, "error", f"{projections} projections are too many", "At most 15 are possible.")
    if points < 2:
        yield finding_at(entry, "error", f"{points} points are too few")
    if not 0 <= polynomials <= 25:
        yield finding_at(entry, "error", f"{polynomials} Legendre polynomials are outside 0 to 25", "Usual: 10 to 14.")
    if first < 0 and last < 0:
        low, high = (number_of(part) for part in entry.values[1])
        if low >= high:
            yield finding_at(entry, "error", "the energy window is empty", "BMI BMA in hartree, BMI smaller.")
    elif not 1 <= first <= last:
        yield finding_at(
            entry, "error", f"bands {first} to {last} are not a range", "First and last band, or -1 -1 and a window."
        )
