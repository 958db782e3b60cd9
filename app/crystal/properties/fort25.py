"""The bands and densities of states of a fort.25, which may hold several runs: each run of the program appends its blocks.

The last complete run counts. Runs are told apart by what they cannot share: the range of their energies, the number of their
bands, blocks of another kind between them, and a path or a row of projections that begins again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

import numpy as np

from app.crystal.properties.bands import BandError, Bands
from app.crystal.properties.crgra import Block, Stretch, read_blocks, read_stretches
from app.crystal.properties.dos import Dos, DosError

__all__ = ["Latest", "bands_of", "dos_of", "latest_bands", "latest_dos", "read_blocks", "read_stretches"]
T = TypeVar("T")
Row = list[Block]
"""The blocks of one spin: the segments of a path, or the projections."""
Run = list[Row]


@dataclass(frozen=True)
class Latest(Generic[T]):
    """What the last complete run left, and a sentence on the others, where there are any."""

    value: T
    note: str = ""


def latest_bands(stretches: Sequence[Stretch], subject: str = "electrons") -> Latest[Bands]:
    """The bands of the last complete run.

    Args:
        subject: `electrons` (hartree from the Fermi energy), or `phonons` (cm⁻¹).

    Raises:
        BandError: the file holds none.
    """
    runs, cut = _runs(stretches, "BAND")
    matching = [run for run in runs if run[0][0].subject == subject]
    if not matching:
        raise BandError(_absence(runs, cut, "bands"), absent=not runs and not cut)
    return Latest(_bands(matching[-1], subject), _note(len(matching), cut, "bands"))


def latest_dos(stretches: Sequence[Stretch]) -> Latest[Dos]:
    """The densities of electronic states of the last complete run.

    Raises:
        DosError: the file holds none.
    """
    runs, cut = _runs(stretches, "DOSS")
    matching = [run for run in runs if run[0][0].subject == "electrons"]
    if not matching:
        raise DosError(_absence(runs, cut, "density of states"), absent=not runs and not cut)
    return Latest(_dos(matching[-1]), _note(len(matching), cut, "densities of states"))


def bands_of(blocks: Sequence[Block], subject: str = "electrons") -> Bands:
    """The band structure that the blocks hold, as BAND.DAT would have it; of several runs the last.

    Raises:
        BandError: they hold none.
    """
    return latest_bands([Stretch(list(blocks))], subject).value


def dos_of(blocks: Sequence[Block]) -> Dos:
    """The densities of states that the blocks hold; of several runs the last.

    Raises:
        DosError: they hold none.
    """
    return latest_dos([Stretch(list(blocks))]).value


def _absence(runs: Sequence[Run], cut: bool, what: str) -> str:
    subjects = {run[0][0].subject for run in runs}
    if "phonons" in subjects:
        return f"it holds the {what} of phonons, not of electrons"
    if "" in subjects:
        return f"its {what} come without a Fermi energy: whether they are of electrons or of phonons is not known"
    if "electrons" in subjects:
        return f"it holds the {what} of electrons, not of phonons"
    return f"its {what} are truncated" if cut else f"it contains no {what}"


def _note(count: int, cut: bool, what: str) -> str:
    parts = []
    if count > 1:
        parts.append(f"it holds the {what} of {count} runs, of which the last is shown")
    if cut:
        parts.append(f"the {what} of another run are truncated, and left out")
    return "; ".join(parts)


# -- runs --------------------------------------------------------------------------------------------------------------------


def _runs(stretches: Sequence[Stretch], kind: str) -> tuple[list[Run], bool]:
    """The complete runs of a kind of block, and whether there are incomplete ones beside them."""
    runs: list[Run] = []
    cut = False
    for stretch in stretches:
        groups = [list(group) for _, group in groupby(stretch.blocks, lambda block: (block.kind, _shared(block)))]
        for place, group in enumerate(groups):
            if group[0].kind != kind:
                continue
            behind = stretch if stretch.cut == kind and place == len(groups) - 1 else None
            rows = _rows(group, behind is not None)
            whole = len(rows)
            if behind is not None and behind.cut_integers != rows[-1][0].integers:
                # The block that is cut belongs to the last row.
                whole -= 1
            elif len(rows) > 1 and _begins(rows[-1], rows[-2]):
                whole -= 1
            spins = 2 if group[0].open_shell and group[0].subject != "phonons" else 1
            whole -= whole % spins
            runs += [rows[first : first + spins] for first in range(0, whole, spins)]
            cut |= whole < len(rows) or behind is not None
        cut |= stretch.cut == kind
    return runs, cut


def _shared(block: Block) -> Hashable:
    """What all blocks of a run have in common."""
    shared = (block.state, block.rows, block.fermi == 0)
    if block.kind == "DOSS":
        return (*shared, block.columns, block.step, block.second)
    # Both spins of an open shell have ranges of their own.
    return shared if block.open_shell else (*shared, block.fermi, block.first, block.second)


def _part(block: Block) -> Hashable:
    """Which part of a run a block is: the ends of its segment and their points, or its projection and its orbitals."""
    return (*block.integers, block.columns) if block.kind == "BAND" else tuple(block.integers[:2])


def _rows(group: Sequence[Block], cut: bool) -> list[Row]:
    """The blocks by row: each begins where the path or the projections begin again."""
    if group[0].kind == "DOSS":
        starts = [place for place, block in enumerate(group) if block.integers[0] <= group[place - 1].integers[0]]
        starts = [0, *(place for place in starts if place)]
    else:
        parts = [_part(block) for block in group]
        # Within one run a segment that comes again has the same energies.
        again = next((block for block in group[1:] if _part(block) == parts[0]), group[0])
        cut |= not np.array_equal(again.values, group[0].values)
        starts = _starts_of_pairs(parts) if group[0].open_shell else _starts(parts, cut)
    return [list(group[first:end]) for first, end in zip(starts, [*starts[1:], len(group)], strict=True)]


def _starts(parts: Sequence[Hashable], cut: bool) -> list[int]:
    """Where a row of parts begins again from the first one, and goes on alike to the end.

    A path may come back to its first segment; so a row counts as repeated where all of it is, unless the file is cut there.
    """
    count = len(parts)
    for period in range(1, count if cut else count // 2 + 1):
        if all(parts[place] == parts[place % period] for place in range(period, count)):
            return list(range(0, count, period))
    return [0]


def _starts_of_pairs(parts: Sequence[Hashable]) -> list[int]:
    """The same where each row stands twice, once for each spin, and runs may have paths of their own."""
    starts = _starts(parts, cut=False)
    if len(starts) > 1:
        return starts
    starts, place = [], 0
    while place < len(parts):
        starts.append(place)
        rest = len(parts) - place
        for size in range(rest // 2, 0, -1):
            if parts[place : place + size] == parts[place + size : place + 2 * size]:
                starts.append(place + size)
                place += 2 * size
                break
        else:
            break
    return starts


def _begins(row: Row, before: Row) -> bool:
    """Whether a row is the beginning of the one before, and ends too early."""
    parts, longer = [_part(block) for block in row], [_part(block) for block in before]
    return len(parts) < len(longer) and longer[: len(parts)] == parts


# -- what a run holds --------------------------------------------------------------------------------------------------------


def _bands(spins: Run, subject: str) -> Bands:
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
    energies = np.stack([np.concatenate([_levels(segment) for segment in spin], axis=1) for spin in spins])
    return Bands(np.array(distances), energies, nodes, spins[0][0].fermi if subject == "electrons" else None, subject)


def _levels(segment: Block) -> np.ndarray:
    """From the Fermi energy, by band and point."""
    return np.asarray(segment.values.reshape(segment.columns, segment.rows).T - segment.fermi)


def _dos(spins: Run) -> Dos:
    first = spins[0][0]
    values = np.stack([np.stack([block.values for block in spin]) for spin in spins])
    energies = first.second + first.step * np.arange(first.columns) - first.fermi
    return Dos(energies, np.abs(values) if len(values) == 2 else values, first.fermi)
