"""A crystal out of a CIF: symmetry as the file says it, atoms, and everything declared held against what was found.

Operations come first, then the Hall symbol, the Hermann–Mauguin symbol, and the number. Where these leave more than one reading
(origin, axes) all are tried: contacts, multiplicities, the declared formula and Z decide, or the file is refused with the choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
import spglib
import spglib.error

from app.crystal.structures.bulk import Matrix, StructureError, lattice_vectors
from app.crystal.structures.cif.declarations import Reading, readings
from app.crystal.structures.cif.formula import Comparison, Declared, compare
from app.crystal.structures.cif.operations import WRONG_CELL, fitted
from app.crystal.structures.cif.partly import Shared, count_atoms, name_sites, refusal, refuse_hopeless, share_out
from app.crystal.structures.cif.sites import COLUMNS, Site, Sites, read_sites
from app.crystal.structures.cif.syntax import Block, read_blocks
from app.crystal.structures.cif.unfolding import SHORTEST, Cell, unfold
from app.crystal.structures.cif.values import read_number
from app.crystal.structures.cif.variants import find_variants

CHOOSE_BLOCK = "Choose one of its data blocks."
CHOOSE_VARIANT = "Choose an ordered variant, or make an ordered model, perhaps in a supercell."
LEAVE_VARIANT = "Import the file without a variant."
TELL_SETTING = (
    "Add to the file what you know: its symmetry operations, the choice behind the symbol (:1 or :2, :H or :R), or the formula "
    "and the number of formula units."
)
MOST_NAMED = 100
"""Data blocks that are offered; any other can be asked for by its name."""
ROUNDED = 1e-5
"""Share by which a cell may miss its symmetry without a remark."""
_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")


@dataclass(frozen=True, eq=False)
class Content:
    """A crystal as the file describes it. `lattice` is that of the file's cell; `cell` holds a primitive one."""

    lattice: Matrix
    cell: Cell
    group: int
    """Number of the space group that the file names; 0: it names none that is known."""
    remarks: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    """Those of the remarks that say that the file may mean something else."""
    block: str = ""
    blocks: tuple[str, ...] = ()
    variant: str = ""
    """Of a partly occupied structure: the ordered variant that was chosen."""
    variants: tuple[str, ...] = ()

    @property
    def whole(self) -> tuple[list[int], Matrix]:
        """Numbers and fractions of all atoms of the file's cell."""
        basis = self.cell.lattice @ np.linalg.inv(self.lattice)
        size = 2 * (round(np.abs(np.linalg.inv(basis)).sum(axis=1).max()) + 1)
        steps = np.array(np.meshgrid(*[np.arange(-size, size + 1)] * 3)).reshape(3, -1).T @ basis
        inside = steps[((steps > -1e-6) & (steps < 1 - 1e-6)).all(axis=1)]
        places = (self.cell.positions @ basis)[:, None, :] + inside
        places -= np.floor(places + 1e-9)
        return [z for z in self.cell.numbers for _ in inside], places.reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class _Trial:
    reading: Reading
    lattice: Matrix
    cell: Cell
    compared: Comparison
    multiplicities: bool | None
    shared: tuple[Shared, ...] = ()
    """Positions of partly occupied sites, which are not in the cell."""
    remarks: tuple[str, ...] = ()

    @property
    def counts(self) -> Counter[str]:
        """Atoms of the file's cell by element."""
        return self.cell.counts + count_atoms(self.shared)

    @property
    def merit(self) -> tuple[int, int]:
        """How many declarations it fulfils: more is better."""
        checks = (self.compared.formula, self.compared.units, self.multiplicities)
        return -sum(check is False for check in checks), sum(check is True for check in checks)

    @property
    def proved(self) -> bool:
        """Formula and Z, or the multiplicities of all sites, agree."""
        return self.compared.agrees and (self.compared.units is True or self.multiplicities is True)


def read_cif(text: str, block: str = "", variant: str = "") -> Content:
    """The crystal of a file.

    Args:
        block: name of the data block, where there are several; empty: the first with atoms.
        variant: label or number of the ordered variant of a partly occupied structure; empty: none was chosen.

    Raises:
        StructureError: the file is no CIF, holds no crystal, contradicts itself, or leaves a choice; says which.
    """
    blocks = read_blocks(text)
    structures = [entry for entry in blocks if entry.has_atoms]
    if not structures:
        # Names what is missing, of the block that comes nearest.
        nearest = next(
            (entry for entry in blocks if any(name.startswith("_atom_site") for name in entry.columns)), None
        )
        read_sites(nearest or Block(""), set())
    names = tuple(entry.name for entry in structures[:MOST_NAMED])
    chosen = next((entry for entry in structures if not block or entry.name.lower() == block.strip().lower()), None)
    if chosen is None:
        raise StructureError(
            "file", f"has no structure in a data block {block[:40]!r}; it has {_names(names)}", CHOOSE_BLOCK, names
        )
    try:
        content = _read_block(chosen, variant)
    except StructureError as error:
        if len(structures) == 1:
            raise
        reason = f"{error} (data block {chosen.name[:40]}; the file also holds {_names(names, chosen.name)})"
        raise StructureError(
            error.field, reason, f"{error.remedy} {CHOOSE_BLOCK}".strip(), names, error.variants
        ) from error
    content = replace(content, block=chosen.name, blocks=names)
    if len(structures) == 1:
        return content
    words = f"the file holds {len(structures)} structures ({_names(names)}); this is {chosen.name[:40]}"
    doubts = content.doubts if block else (words, *content.doubts)
    return replace(content, remarks=(words, *content.remarks), doubts=doubts)


def _names(names: Sequence[str], without: str = "") -> str:
    others = [name[:40] for name in names if name != without]
    return ", ".join(others[:8]) + (f" and {len(others) - 8} more" if len(others) > 8 else "")


def _read_block(block: Block, variant: str = "") -> Content:
    _refuse_repeated(block)
    lattice, remarks = _lattice(block)
    declared = Declared.of(block)
    sites = read_sites(block, declared.elements)
    refuse_hopeless(sites.rows)
    try:
        options, more = readings(block, lattice)
        trial = _decide(options, sites, lattice, declared)
    except StructureError as error:
        if any(site.share is not None for site in sites.rows):
            raise refusal(sites.rows, f"the file {error}", error.remedy) from error
        raise
    doubts = list(sites.doubts)
    if not trial.proved or trial.reading.assumed:
        doubts += trial.reading.remarks
    if not trial.compared.agrees:
        doubts += trial.compared.remarks
    if trial.multiplicities is False:
        doubts.append("the multiplicities that the file gives its sites differ from those found")
    notes = [
        *remarks,
        *sites.remarks,
        *more,
        *trial.reading.remarks,
        *trial.remarks,
        *trial.cell.remarks,
        *trial.compared.remarks,
        *doubts,
    ]
    content = Content(trial.lattice, trial.cell, trial.reading.number, tuple(dict.fromkeys(notes)), tuple(doubts))
    if trial.shared:
        return _ordered(content, trial, sites, variant)
    if variant:
        raise StructureError("file", "has no ordered variants to choose from: all its sites are full", LEAVE_VARIANT)
    return content


def _ordered(content: Content, trial: _Trial, sites: Sites, choice: str) -> Content:
    """The ordered variant of this name; refused with all of them where none was chosen."""
    if not trial.compared.agrees or trial.multiplicities is False or trial.reading.assumed:
        why = "; ".join(content.doubts) or "it leaves a doubt"
        raise refusal(sites.rows, f"what the file declares does not agree with them: {why}")
    numbers, places = content.whole
    found = find_variants(numbers, places, trial.shared, trial.reading.group, content.lattice)
    at = found.find(choice)
    if at is None:
        unknown = f", none of them {choice[:40]!r}" if choice.strip() else ""
        ways = f"{len(found.labels)} ordered variant{'s' if len(found.labels) > 1 else ''}"
        words = f"has partly occupied sites ({name_sites(sites.rows)}): its own cell has {ways}{unknown}"
        raise StructureError("file", words, CHOOSE_VARIANT, variants=found.labels)
    chosen = found.entries[at]
    words = (
        f"ordered variant {at + 1} of {len(found.labels)} of a partly occupied structure ({name_sites(sites.rows)}), "
        f"in the cell of the file: {found.labels[at].partition(': ')[2]}"
    )
    crowded = [f"{found.crowded} arrangements with atoms within {SHORTEST} Å were left out"] if found.crowded else []
    cell = Cell(content.lattice, chosen.numbers, chosen.positions, [], 1)
    # Its symmetry is lower than the one that the file names for the mean of all.
    return replace(
        content,
        cell=cell,
        group=0,
        remarks=("; ".join([words, *crowded]), *content.remarks),
        variant=found.labels[at],
        variants=found.labels,
    )


def _refuse_repeated(block: Block) -> None:
    needed = (*_LENGTHS, *_ANGLES, *COLUMNS, "_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
    repeated = [name for name in block.repeated if name in needed]
    if repeated:
        raise StructureError("file", f"gives {repeated[0]} in two places, with different values")


def _lattice(block: Block) -> tuple[Matrix, list[str]]:
    """Vectors (rows, Å) of the cell, and remarks."""
    if (read_number(block.value("_cell_modulation_dimension")) or read_number("0")).value:  # type: ignore[union-attr]
        raise StructureError("file", "describes a modulated structure: its atoms differ from cell to cell")
    values = []
    assumed = []
    for name in (*_LENGTHS, *_ANGLES):
        text = block.value(name)
        number = read_number(text)
        if not text and name in _ANGLES:
            # The default of the dictionary; the operations must agree with it.
            assumed.append(name)
            values.append(90.0)
            continue
        if number is None or not np.isfinite(number.value) or not 0 < number.value < 1000:
            wrong = f"is {text[:20]!r}, which is not a length or an angle" if text else "is missing"
            raise StructureError("file", f"has no cell: {name} {wrong}")
        values.append(number.value)
    if not all(0 < angle < 180 for angle in values[3:]):
        raise StructureError("file", "has a flat cell")
    try:
        lattice = lattice_vectors(values)
    except StructureError as error:
        raise StructureError("file", "has a flat cell: its angles do not form one") from error
    remarks = [f"{', '.join(assumed)} {'are' if len(assumed) > 1 else 'is'} missing: 90 degrees"] if assumed else []
    volume = read_number(block.value("_cell_volume"))
    own = abs(float(np.linalg.det(lattice)))
    if volume is not None and abs(volume.value - own) > 0.01 * own:
        remarks.append(f"its cell has {own:.1f} Å³, the file declares {volume.value:g} Å³")
    return lattice, remarks


def _decide(options: Sequence[Reading], sites: Sites, lattice: Matrix, declared: Declared) -> _Trial:
    """The reading that contacts, multiplicities, formula and Z prove, or the only one."""
    trials: list[_Trial] = []
    failures: list[StructureError] = []
    for tier in sorted({reading.tier for reading in options}):
        for reading in (reading for reading in options if reading.tier == tier):
            try:
                trials.append(_try(reading, sites.rows, lattice, declared))
            except StructureError as error:
                failures.append(error)
        if trials and max(trial.merit for trial in trials)[0] == 0:
            break
    if not trials:
        raise failures[0]
    best = max(trial.merit for trial in trials)
    leading = [trial for trial in trials if trial.merit == best]
    first = min(trial.reading.tier for trial in leading)
    leading = _complete([trial for trial in leading if trial.reading.tier == first])
    if any(not _same(leading[0], other) for other in leading[1:]):
        _refuse_choice(leading)
    return _explained(leading[0], trials, failed=bool(failures))


def _complete(trials: list[_Trial]) -> list[_Trial]:
    """Of the operations that are listed and the larger group that is named: the first where its atoms have that symmetry."""
    listed = trials[0]
    if len(trials) == 1 or listed.shared or listed.reading.part_of in (0, listed.reading.number):
        return trials
    positions = listed.cell.positions.tolist()
    try:
        found = spglib.get_symmetry_dataset((listed.cell.lattice.tolist(), positions, listed.cell.numbers), 1e-2)
    except spglib.error.SpglibError:
        return trials
    return [listed] if found is not None and int(found.number) == listed.reading.part_of else trials


def _explained(chosen: _Trial, trials: Sequence[_Trial], *, failed: bool) -> _Trial:
    others = [trial for trial in trials if trial is not chosen and not _same(chosen, trial)]
    if any(trial.merit < chosen.merit for trial in others):
        words = f"read as {chosen.reading.name}: only so the declared formula, Z and multiplicities agree"
    elif failed:
        words = f"read as {chosen.reading.name}: otherwise atoms would come too near each other"
    else:
        return chosen
    return replace(chosen, remarks=(*chosen.remarks, words))


def _refuse_choice(trials: Sequence[_Trial]) -> NoReturn:
    each = "; ".join(f"as {trial.reading.name} the cell holds {_content(trial)}" for trial in trials[:4])
    raise StructureError(
        "file",
        f"does not say which setting of its space group it uses, and nothing in it decides: {each}",
        TELL_SETTING,
    )


def _content(trial: _Trial) -> str:
    return " ".join(f"{symbol}{count:g}" for symbol, count in sorted(trial.counts.items()))


def _same(one: _Trial, other: _Trial) -> bool:
    """Do both readings describe the same crystal? Told by the atoms' distances; large or partly occupied cells are not compared."""
    if one.shared or other.shared or one.cell.counts != other.cell.counts or len(one.cell.numbers) > 200:
        return False
    return all(
        first.shape == second.shape and np.allclose(first, second, atol=1e-4)
        for first, second in zip(_distances(one.cell), _distances(other.cell), strict=True)
    )


def _distances(cell: Cell) -> list[Matrix]:
    """Sorted distances of each pair of elements."""
    numbers = np.array(cell.numbers)
    steps = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T
    found = []
    for first in sorted(set(cell.numbers)):
        for second in sorted(set(cell.numbers)):
            apart = cell.positions[numbers == first][:, None] - cell.positions[numbers == second][None]
            apart -= np.round(apart)
            found.append(
                np.sort(np.linalg.norm((apart[:, :, None] + steps) @ cell.lattice, axis=3).min(axis=2).ravel())
            )
    return found


def _try(reading: Reading, sites: Sequence[Site], lattice: Matrix, declared: Declared) -> _Trial:
    metric, off = fitted(lattice @ lattice.T, reading.group)
    if off > WRONG_CELL:
        raise StructureError("file", f"has a cell that does not have the symmetry of {reading.name}")
    remarks: tuple[str, ...] = ()
    if off > 1e-12:
        averaged: Matrix = np.linalg.cholesky(metric).astype(np.float64)
        if off > ROUNDED:
            remarks = (f"its cell was made to fit {reading.name} (it was off by {100 * off:.2g} %)",)
        lattice = averaged
    try:
        trial = _compared(reading, sites, lattice, declared, proved=False)
    except StructureError:
        # A site off its special position by more than its digits: only what the file declares can prove it.
        proved = _proved(reading, sites, lattice, declared)
        if proved is None:
            raise
        trial = proved
    return replace(trial, remarks=(*trial.remarks, *remarks))


def _proved(reading: Reading, sites: Sequence[Site], lattice: Matrix, declared: Declared) -> _Trial | None:
    try:
        trial = _compared(reading, sites, lattice, declared, proved=True)
    except StructureError:
        return None
    return trial if trial.proved else None


def _compared(reading: Reading, sites: Sequence[Site], lattice: Matrix, declared: Declared, *, proved: bool) -> _Trial:
    full = [site for site in sites if site.share is None]
    cell = unfold(full, reading.group, lattice, proved=proved)
    shared = share_out([site for site in sites if site.share is not None], reading.group, lattice)
    told = [
        (site.multiplicity, cell.multiplicities[at]) for at, site in enumerate(full) if at in cell.multiplicities
    ] + [(site.multiplicity, len(entry.positions)) for entry in shared for site in entry.sites]
    told = [(declares, has) for declares, has in told if declares]
    agree = all(declares == has for declares, has in told) if told else None
    compared = compare(cell.counts + count_atoms(shared), declared)
    return _Trial(reading, lattice, cell, compared, agree, shared)
