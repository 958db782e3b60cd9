"""Decks made wrong on purpose, one fault in each, and whether the checker says so at the right line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from app.crystal.decks.checker import check_deck


def mutations(text: str) -> Iterator[tuple[str, int, str]]:
    """What was done, the line (from 1) at which it was done, and the deck that is wrong now."""
    lines = text.rstrip("\n").split("\n")
    numeric = [bool(line.split()) and all(_is_number(token) for token in line.split()) for line in lines]
    in_basis = _basis_lines(lines)
    for index, line in enumerate(lines):
        number = index + 1
        if line.strip()[:3] == "END":
            yield "dropped END", number, "\n".join(lines[:index] + lines[index + 1 :])
        elif numeric[index] and index > 1:
            tokens = line.split()
            yield "bad number", number, "\n".join([*lines[:index], " ".join(["1x", *tokens[1:]]), *lines[index + 1 :]])
            if index not in in_basis:
                yield "dropped record", number, "\n".join(lines[:index] + lines[index + 1 :])
        elif index > 1 and line.strip().isalpha() and len(line.strip()) > 5 and line.strip() != "BASISSET":
            word = line.strip()
            wrong = word[:2] + word[3] + word[2] + word[4:]
            if wrong != word:
                yield "misspelt", number, "\n".join([*lines[:index], wrong, *lines[index + 1 :]])
            if word in ("TOLINTEG", "SHRINK", "MAXCYCLE", "FMIXING") and lines.count("END") + text.count("BASISSET"):
                geometry = next(
                    i for i, other in enumerate(lines) if other.strip() in ("BASISSET", "OPTGEOM", "END", "FREQCALC")
                )
                moved = [lines[index], lines[index + 1]]
                yield (
                    "wrong block",
                    geometry + 1,
                    "\n".join(lines[:geometry] + moved + lines[geometry:index] + lines[index + 2 :]),
                )


def _is_number(token: str) -> bool:
    try:
        float(token.replace("D", "E"))
    except ValueError:
        return False
    return True


def _basis_lines(lines: list[str]) -> set[int]:
    end = next((i for i, line in enumerate(lines) if line.split()[:2] == ["99", "0"]), 0)
    start = max((i for i in range(end) if lines[i].strip()[:3] == "END"), default=0)
    return set(range(start, end + 1))


def missed(decks: Iterable[Path]) -> tuple[int, list[str]]:
    """How many faults were made in the decks, and those that nobody told of at their line."""
    tried, silent = 0, []
    for path in decks:
        role = path.suffix.lstrip(".")
        for what, line, deck in mutations(path.read_text()):
            tried += 1
            lines, found = deck.split("\n"), check_deck(deck, role)
            # Where a counted list lacks a record, that shows only where the list runs out.
            end = next((i for i in range(line, len(lines) + 1) if lines[i - 1].strip()[:1].isalpha()), line)
            right = {line - 1, line, line + 1} | ({end - 1, end} if what == "dropped record" else set())
            # Without the first of two records the second may pass for it: then what is left over is told.
            # A misspelt keyword is one that is not known here, and perhaps what the checker takes it for is wrong.
            told = [
                f
                for f in found
                if f.severity == "error"
                or "follows the numbers" in f.message
                or (what == "misspelt" and "is not known here" in f.message)
            ]
            if not any(finding.line in right for finding in told):
                silent.append(f"{path.parent.name}/{path.name} {what} {line}: {[f'{f.line} {f}' for f in told]}")
    return tried, silent
