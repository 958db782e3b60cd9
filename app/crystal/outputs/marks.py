"""Which lines of a CRYSTAL output say something, and what.

An output is mostly lines that are not needed. Each kind of line that matters begins with distinctive words, after blanks, stars
or equal signs; one pattern finds all such beginnings in a block, so that Python looks at few lines. `shapes`
knows them by subject.
"""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.crystal.outputs.shapes import SHAPES
from app.crystal.outputs.shapes.words import STAGE

_PATTERNS = {kind: re.compile(pattern) for kind, (_, pattern) in SHAPES.items()}
_KINDS: dict[str, tuple[str, ...]] = {}
"""How a line begins → the kinds that it may be."""
for _kind, (_texts, _) in SHAPES.items():
    for _text in (_texts,) if isinstance(_texts, str) else _texts:
        _KINDS[_text] = (*_KINDS.get(_text, ()), _kind)
_FOREIGN = ("oom_kill", "Cannot allocate memory", "MPI_Abort(")
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
_SEARCHED = sorted(set(_KINDS) - set(_ONLY_LAST))
_FIRST = re.escape("".join(sorted({text[0] for text in _SEARCHED})))
# That the pattern begins with a line end lets the search run over all else at the speed of C; that the first letter is looked at
# alone spares most lines, which begin with other ones, the way through all beginnings.
_BLOCK = re.compile(rf"\n([ *=]*+(?=[{_FIRST}])({_beginnings(_SEARCHED)})[^\n]*)")
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
        for kind in SHAPES
    }
    by_words = _KINDS | dict.fromkeys(_FOREIGN, ("error",)) | {STAGE: ("elapsed",)}
    return {words: [(_PATTERNS[kind].search, rules[kind]) for kind in kinds] for words, kinds in by_words.items()}


def marked_lines(block: str) -> list[Marked]:
    """The lines of `block` that may say something, in their order. It begins with the end of the line before it."""
    matches = [(match.start(1), match[1], match[2]) for match in _BLOCK.finditer(block)]
    places = [(block.rfind(" TELAPSE"), STAGE), *((block.rfind(words), words) for words in _ONLY_LAST)]
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
