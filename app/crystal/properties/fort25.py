"""fort.25: bands and densities of states in the form of Crgra2006, fixed in width and on the absolute energy scale.

A block begins with `-%-<state><kind>`, rows, columns and three E12.5 numbers (unused, step, Fermi energy); fields have no
separators. The second line holds two numbers, the third six integers; then come the values, six to a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.crystal.properties.bands import MAX_NUMBERS, BandError, Bands
from app.crystal.properties.dos import Dos, DosError

_HEAD = re.compile(
    r"^-%-(?P<state>\d)(?P<kind>[A-Z]{4})(?P<rows>[ \d]{5})(?P<columns>[ \d]{5})(?P<numbers>.{36})", re.MULTILINE
)
_WIDTH = 12


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


def read_blocks(text: str) -> list[Block]:
    """All blocks of bands and densities of states.

    Raises:
        ValueError: the file is none of this kind, or is cut.
    """
    heads = list(_HEAD.finditer(text))
    if not heads:
        raise ValueError("it contains no Crgra2006 block")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        _block(head, text[head.end() : end])
        for head, end in zip(heads, ends, strict=True)
        if head["kind"] in ("BAND", "DOSS")
    ]


def _block(head: re.Match[str], body: str) -> Block:
    rows, columns = int(head["rows"]), int(head["columns"])
    if not 0 < rows * columns <= MAX_NUMBERS:
        raise ValueError(f"{rows} × {columns} values are implausible")
    lines = body.lstrip("\n").splitlines()
    if len(lines) < 3:
        raise ValueError("a block is truncated")
    _, step, fermi = _numbers(head["numbers"])
    edges = _numbers(lines[0])
    integers = [int(part) for part in lines[1].split()]
    values = np.array([value for line in lines[2:] for value in _numbers(line)][: rows * columns])
    if len(values) < rows * columns or len(edges) < 2:
        raise ValueError("a block is truncated")
    return Block(head["kind"], rows, columns, step, fermi, edges[0], edges[1], integers, values)


def _numbers(line: str) -> list[float]:
    parts = [line[place : place + _WIDTH] for place in range(0, len(line.rstrip()), _WIDTH)]
    try:
        return [float(part) for part in parts if part.strip()]
    except ValueError as error:
        raise ValueError(f"{line[:40]!r} are not numbers of twelve characters") from error


def bands_of(blocks: Sequence[Block]) -> Bands:
    """The band structure that the blocks hold, as BAND.DAT would have it.

    Raises:
        BandError: they hold none.
    """
    segments = [block for block in blocks if block.kind == "BAND"]
    if not segments:
        raise BandError("it contains no bands")
    half = len(segments) // 2
    both = len(segments) % 2 == 0 and [segment.integers for segment in segments[:half]] == [
        segment.integers for segment in segments[half:]
    ]
    spins = [segments[:half], segments[half:]] if both and half else [segments]
    if len({segment.rows for segment in segments}) > 1 or [segment.columns for segment in spins[0]] != [
        segment.columns for segment in spins[-1]
    ]:
        raise BandError("its segments do not belong together")
    distances: list[float] = []
    nodes: list[tuple[float, str]] = []
    start = 0.0
    for place, segment in enumerate(spins[0]):
        # Two segments share the point where they meet; the file repeats it, or begins the second one step later.
        first = start if place == 0 else start + segment.step
        along = [first + segment.step * index for index in range(segment.columns)]
        ends = ["({},{},{})".format(*segment.integers[index : index + 3]) for index in (0, 3)]
        if place == 0:
            nodes.append((along[0], ends[0]))
        elif ends[0] != nodes[-1][1].rpartition("|")[2]:
            # The path jumps: the next segment begins elsewhere.
            nodes[-1] = (nodes[-1][0], f"{nodes[-1][1]}|{ends[0]}")
        nodes.append((along[-1], ends[1]))
        distances += along
        start = along[-1]
    energies = np.stack(
        [
            np.concatenate(
                [segment.values.reshape(segment.columns, segment.rows).T - segment.fermi for segment in spin], axis=1
            )
            for spin in spins
        ]
    )
    return Bands(np.array(distances), energies, nodes, segments[0].fermi)


def dos_of(blocks: Sequence[Block]) -> Dos:
    """The densities of states that the blocks hold.

    Raises:
        DosError: they hold none.
    """
    dos_blocks = [block for block in blocks if block.kind == "DOSS"]
    if not dos_blocks:
        raise DosError("it contains no density of states")
    numbers = [block.integers[0] for block in dos_blocks]
    count = len(set(numbers))
    if len(dos_blocks) % count or any(block.columns != dos_blocks[0].columns for block in dos_blocks):
        raise DosError("its projections do not belong together")
    values = np.stack([block.values for block in dos_blocks]).reshape(-1, count, dos_blocks[0].columns)
    energies = dos_blocks[0].second + dos_blocks[0].step * np.arange(dos_blocks[0].columns) - dos_blocks[0].fermi
    return Dos(energies, np.abs(values) if len(values) == 2 else values, dos_blocks[0].fermi)
