"""Which lines of a CRYSTAL output say something, and what.

An output is mostly lines that are not needed. Each kind of line that matters begins with distinctive words, after blanks, stars
or equal signs; one pattern finds all such beginnings in a block, so that Python looks at few lines. `shapes`
knows them by subject.
"""

from __future__ import annotations

import re
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
    by_words[""] = ()
    return {words: [(_PATTERNS[kind].search, rules[kind]) for kind in kinds] for words, kinds in by_words.items()}


def divide(block: str, *, to_end: bool) -> list[str]:
    """The lines of `block` that may say something, in their order: before each the text that leads to it, behind it its words.

    The last text leads to an empty line without words. `block` begins with the end of the line before it and ends without one, as
    do all these texts. `to_end`: nothing is known to come after this block, so that others than the program may have written there.
    """
    parts: list[str] = []
    position = 0
    for start, end, words in sorted(_lines_around(block, to_end)):
        # Of two places in the same line the first one is enough.
        if start >= position:
            parts += _BLOCK.split(block[position:start])
            parts += (block[start + 1 : end], words)
            position = end
    parts += _BLOCK.split(block[position:] if position else block)
    parts += ("", "")
    return parts


def _lines_around(block: str, to_end: bool) -> list[tuple[int, int, str]]:
    """Lines that are not found by their beginnings: the ends of the lines before them, their own ends, their words."""
    places = [(block.rfind(" TELAPSE"), STAGE), *[(block.rfind(words), words) for words in _ONLY_LAST]]
    for words in _FOREIGN if to_end else ():
        place = block.find(words, max(0, len(block) - _END))
        while place >= 0:
            places.append((place, words))
            place = block.find(words, place + 1)
    size = len(block)
    return [
        (block.rfind("\n", 0, place), end if (end := block.find("\n", place)) >= 0 else size, words)
        for place, words in places
        if place >= 0
    ]
