"""fort.25: what properties and FREQCALC leave in the form of Crgra2006, fixed in width and on the absolute energy scale.

A block begins with `-%-<state><kind>`, rows, columns and three E12.5 numbers (unused, step, Fermi energy); fields have no
separators. The second line holds two numbers, the third six integers; then come the values, six to a line. The state is 0 or 2
for a closed shell, 1 or 3 for an open one (executed outputs). Each run appends to the file: `fort25` takes them apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from app.crystal.properties.bands import MAX_NUMBERS

_HEAD = re.compile(
    r"^-%-(?P<state>\d)(?P<kind>[A-Z]{4})(?P<rows>[ \d]{5})(?P<columns>[ \d]{5})(?P<numbers>.{36})", re.MULTILINE
)
WIDTH = 12
"""Characters of a number."""
_INTEGER_WIDTH = 5
_NO_LETTER = re.compile(r"(?<=\d)(?=[+-]\d{3}$)")
"""An exponent of three digits pushes its letter out: `1.00000-100`."""
_CUT_HEAD = re.compile(r"^-%-\d?([A-Z]{0,4})", re.MULTILINE)
_MAX_BLOCKS = 5000
CURVES = ("BAND", "DOSS")
_HIGHEST_ELECTRON = 10.0
"""Hartree. Where the Fermi energy is exactly zero, values above this are wavenumbers."""


@dataclass(frozen=True)
class Block:
    """A block: values in the order of the file, the six integers, the two numbers of its second line."""

    kind: str
    rows: int
    columns: int
    step: float
    fermi: float
    first: float
    second: float
    integers: list[int]
    values: np.ndarray
    state: int = 0

    @property
    def open_shell(self) -> bool:
        """Both spins have blocks of their own."""
        return self.state % 2 == 1

    @property
    def subject(self) -> str:
        """`electrons`, `phonons`, or nothing where neither is sure: only phonons have a Fermi energy of exactly zero."""
        if self.fermi != 0:
            return "electrons"
        highest = self.values.max() if self.kind == "BAND" else self.second + self.step * (self.columns - 1)
        return "phonons" if highest > _HIGHEST_ELECTRON else ""


@dataclass(frozen=True)
class Stretch:
    """Blocks of which each is whole; and the block behind them that is cut, by its kind and its integers where they are."""

    blocks: list[Block]
    cut: str = ""
    cut_integers: list[int] | None = None


def read_blocks(text: str) -> list[Block]:
    """All blocks of bands and densities of states.

    Raises:
        ValueError: the file is none of this kind, or is cut.
    """
    stretches = read_stretches(text)
    if any(stretch.cut for stretch in stretches):
        raise ValueError("a block is truncated")
    return [block for stretch in stretches for block in stretch.blocks]


def read_stretches(text: str, kinds: tuple[str, ...] = CURVES) -> list[Stretch]:
    """The blocks of these kinds, parted where one is cut: a run may have died, and a later one appended its own.

    Raises:
        ValueError: the file is none of this kind, or not as large as any that the program writes.
    """
    stretches: list[Stretch] = []
    blocks: list[Block] = []
    numbers = 0
    end = 0
    for head, lines in split_blocks(text):
        end = head.end()
        if head["kind"] not in kinds:
            continue
        block = _block(head, lines)
        if block is None:
            stretches.append(Stretch(blocks, head["kind"], _integers_or_none(lines)))
            blocks = []
            continue
        numbers += len(block.values)
        if numbers > MAX_NUMBERS:
            raise ValueError(f"more than {MAX_NUMBERS} values are implausible")
        blocks.append(block)
    # The last line may be the beginning of a head.
    rest = _CUT_HEAD.search(text, end)
    kind = next((kind for kind in kinds if rest and kind.startswith(rest[1])), "")
    return [*stretches, Stretch(blocks, kind)]


def split_blocks(text: str) -> list[tuple[re.Match[str], list[str]]]:
    """The head of each block, of whatever kind, and the lines behind it.

    Raises:
        ValueError: there is none, or there are far too many.
    """
    heads = list(_HEAD.finditer(text))
    if not heads:
        raise ValueError("it contains no Crgra2006 block")
    if len(heads) > _MAX_BLOCKS:
        raise ValueError(f"{len(heads)} blocks are implausible")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        (head, text[head.end() : end].removeprefix("\r").removeprefix("\n").splitlines())
        for head, end in zip(heads, ends, strict=True)
    ]


def _block(head: re.Match[str], lines: list[str]) -> Block | None:
    """A block; None: it is cut."""
    rows, columns = _integer(head["rows"]), _integer(head["columns"])
    if not 0 < rows * columns <= MAX_NUMBERS:
        raise ValueError(f"{rows} × {columns} values are implausible")
    wanted = rows * columns
    last = 2 + -(-wanted // 6)
    if len(lines) < last or len(lines[last - 1].rstrip()) < WIDTH * ((wanted - 1) % 6 + 1):
        return None
    _, step, fermi = numbers_of(head["numbers"])
    edges, integers = numbers_of(lines[0]), _integers(lines[1])
    values = np.array([value for line in lines[2:last] for value in numbers_of(line)])
    if len(values) != wanted or len(edges) != 2 or len(integers) != 6:
        raise ValueError("a block has not as many numbers as its head says")
    return Block(head["kind"], rows, columns, step, fermi, edges[0], edges[1], integers, values, int(head["state"]))


def _integer(text: str) -> int:
    return int(text) if text.strip() else 0


def _integers(line: str) -> list[int]:
    """Six integers of five characters, which may touch each other; wider ones where blanks part them."""
    parts = line.split()
    if len(parts) != 6:
        parts = [line[place : place + _INTEGER_WIDTH] for place in range(0, len(line.rstrip()), _INTEGER_WIDTH)]
    try:
        return [int(part) for part in parts]
    except ValueError as error:
        raise ValueError(f"{line[:40]!r} are not integers of five characters") from error


def _integers_or_none(lines: list[str]) -> list[int] | None:
    try:
        integers = _integers(lines[1])
    except (IndexError, ValueError):
        return None
    return integers if len(integers) == 6 else None


def numbers_of(line: str) -> list[float]:
    """Numbers of twelve characters each, which may touch each other.

    Raises:
        ValueError
    """
    parts = [line[place : place + WIDTH].strip() for place in range(0, len(line.rstrip()), WIDTH)]
    try:
        values = [float(_NO_LETTER.sub("E", part.replace("D", "E"))) for part in parts if part]
    except ValueError as error:
        raise ValueError(f"{line[:40]!r} are not numbers of twelve characters") from error
    if not np.isfinite(values).all():
        raise ValueError(f"{line[:40]!r} are not finite numbers")
    return values
