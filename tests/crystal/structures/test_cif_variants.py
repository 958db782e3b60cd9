"""Ordered variants of partly occupied structures, counted a second time by code of the test's own. All crystals are invented."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product

import gemmi
import numpy as np
import pytest

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import StructureError
from app.crystal.structures.importers import Imported, read_structure
from tests.crystal.structures.cifs import write_cif

HM = "_symmetry_space_group_name_H-M"
COLUMNS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
CUBE = (5.2, 5.2, 5.2, 90, 90, 90)
LABEL = re.compile(r"(\d+): (.+), (\S+) \((\d+)\), (\d+) of (\d+) arrangements")
Site = tuple[str, str, object, object, object, object]


def write(symbol: str, sites: Sequence[Site], cell: Sequence[float] = CUBE, **options: object) -> str:
    items = {HM: f"'{symbol}'"} | options.pop("items", {})  # type: ignore[operator]
    return write_cif(cell, sites, columns=COLUMNS, items=items, **options)  # type: ignore[arg-type]


def read(text: str, variant: str = "", **options: object) -> Imported:
    return read_structure(text.encode(), "made.cif", variant=variant, **options)  # type: ignore[arg-type]


def refusal(text: str, **options: object) -> StructureError:
    with pytest.raises(StructureError) as caught:
        read(text, **options)  # type: ignore[arg-type]
    return caught.value


def offered(text: str) -> list[tuple[str, str, int, int]]:
    """Formula, symbol, degeneracy and total of each variant that a refusal offers."""
    labels = refusal(text).variants
    matches = [LABEL.fullmatch(label) for label in labels]
    assert all(matches), labels
    assert [match[1] for match in matches if match] == [str(at) for at in range(1, len(labels) + 1)]
    return [(match[2], match[3], int(match[5]), int(match[6])) for match in matches if match]


# The second count: exact fractions, every operation applied to every arrangement.

Place = tuple[Fraction, ...]


def _operations(symbol: str) -> list[tuple[list[list[int]], list[Fraction]]]:
    """The rows of the tables; nothing of the code under test reads them here."""
    group = gemmi.find_spacegroup_by_name(symbol)
    assert group is not None
    return [
        ([[part // gemmi.Op.DEN for part in row] for row in op.rot], [Fraction(part, gemmi.Op.DEN) for part in op.tran])
        for op in group.operations()
    ]


def _image(operation: tuple[list[list[int]], list[Fraction]], place: Place) -> Place:
    rotation, shift = operation
    return tuple(
        (sum(r * p for r, p in zip(row, place, strict=True)) + s) % 1 for row, s in zip(rotation, shift, strict=True)
    )


def _arrangements(kinds: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield from sorted(set(permutations(kinds)))


def count_by_hand(symbol: str, orbits: Sequence[tuple[Place, Sequence[str]]]) -> tuple[list[int], int, int]:
    """Sizes of the classes of arrangements, how many Burnside's lemma wants, and all arrangements."""
    operations = _operations(symbol)
    placed = []
    for place, kinds in orbits:
        positions = sorted({_image(operation, place) for operation in operations})
        assert len(positions) == len(kinds), (symbol, len(positions))
        placed.append((positions, kinds))
    everywhere = [position for positions, _ in placed for position in positions]
    raw = [
        dict(zip(everywhere, sum(parts, ()), strict=True))
        for parts in product(*(list(_arrangements(kinds)) for _, kinds in placed))
    ]
    maps = [{place: _image(operation, place) for place in everywhere} for operation in operations]
    fixed = sum(all(row[to] == row[start] for start, to in moved.items()) for moved in maps for row in raw)
    canonical = Counter(
        min(tuple(sorted((to, row[start]) for start, to in moved.items())) for moved in maps) for row in raw
    )
    assert fixed % len(operations) == 0
    return sorted(canonical.values()), fixed // len(operations), len(raw)


HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)
ORIGIN, CENTRE, EIGHTH = (Fraction(0),) * 3, (HALF,) * 3, (QUARTER,) * 3
HEXAGON = (5.1, 5.1, 8.3, 90, 90, 120)
PRISM = (5.0, 5.0, 6.3, 90, 90, 90)
CASES = {
    "rock salt, mixed": ("F m -3 m", CUBE, [(ORIGIN, ["Mg"] * 3 + ["Fe"])], "1/2 1/2 1/2"),
    "rock salt, half empty": ("F m -3 m", CUBE, [(ORIGIN, ["Mg"] * 2 + [""] * 2)], "1/2 1/2 1/2"),
    "three on one": ("F m -3 m", CUBE, [(ORIGIN, ["Mg", "Mg", "Fe", "Co"])], ""),
    "fluorite, a quarter empty": ("F m -3 m", CUBE, [(EIGHTH, ["F"] * 6 + [""] * 2)], "0 0 0"),
    "fluorite, half and half": ("F m -3 m", CUBE, [(EIGHTH, ["F"] * 4 + ["Cl"] * 4)], "0 0 0"),
    "two mixed sites": (
        "F m -3 m", CUBE, [(ORIGIN, ["Mg"] * 2 + ["Fe"] * 2), (CENTRE, ["O"] * 3 + ["S"])], "",
    ),
    "tetragonal": (
        "P 4/m m m", PRISM, [((HALF, Fraction(0), HALF), ["Mn", "Ni"]), ((QUARTER, QUARTER, Fraction(0)), ["F"] * 3 + [""])],
        "",
    ),
    "hexagonal": ("P 63/m m c", HEXAGON, [((HALF, Fraction(0), Fraction(0)), ["Al"] * 3 + ["Ga"] * 3)], ""),
    "without centre": ("P 21 21 21", PRISM, [((Fraction(1, 8), Fraction(1, 5), Fraction(2, 7)), ["K", "K", "Rb", "Rb"])], ""),
}  # fmt: skip


def _sites(orbits: Sequence[tuple[Place, Sequence[str]]], anchor: str) -> list[Site]:
    rows: list[Site] = []
    for place, kinds in orbits:
        for kind, count in Counter(kinds).items():
            if kind:
                x, y, z = (float(part) for part in place)
                rows.append((f"{kind}{len(rows)}", kind, x, y, z, f"{count / len(kinds):.4g}"))
    if anchor:
        rows.append(("Te99", "Te", *(float(Fraction(part)) for part in anchor.split()), 1))  # type: ignore[arg-type]
    return rows


@pytest.mark.parametrize("name", CASES)
def test_variants_are_those_that_a_count_by_hand_finds(name: str) -> None:
    symbol, cell, orbits, anchor = CASES[name]
    text = write(symbol, _sites(orbits, anchor), cell)
    sizes, burnside, raw = count_by_hand(symbol, orbits)
    found = offered(text)
    assert len(found) == burnside == len(sizes)
    assert sorted(entry[2] for entry in found) == sizes and sum(sizes) == raw
    assert {entry[3] for entry in found} == {raw}
    expected = Counter(kind for _, kinds in orbits for kind in kinds if kind)
    for label in refusal(text).variants:
        chosen = read(text, label, symmetry=False)
        have = Counter(SYMBOLS[z] for z in chosen.structure.numbers)
        assert have - Counter({"Te": have["Te"]}) == expected
        assert bool(have["Te"]) == bool(anchor)


@pytest.mark.parametrize("name", ["fluorite, half and half", "two mixed sites", "tetragonal", "hexagonal"])
def test_a_variant_that_was_chosen_is_another_crystal_than_the_others(name: str) -> None:
    """Sorted distances of all pairs of elements tell them apart, or the mirror image that the group has."""
    symbol, cell, orbits, anchor = CASES[name]
    text = write(symbol, _sites(orbits, anchor), cell)
    seen = set()
    for label in refusal(text).variants:
        whole = read(text, label, symmetry=False).structure
        lattice, numbers, places = whole.primitive
        steps = np.array(list(product((-1, 0, 1), repeat=3)))
        apart = places[:, None, None] - places[None, :, None] + steps
        lengths = np.linalg.norm(apart @ lattice, axis=3)
        environments = sorted(
            (
                numbers[i],
                tuple(
                    sorted(
                        (numbers[j], round(float(d), 3)) for j in range(len(numbers)) for d in lengths[i, j] if d < 5.3
                    )
                ),
            )
            for i in range(len(numbers))
        )
        seen.add(str(environments))
    assert len(seen) == len(refusal(text).variants)


GROUPS = {
    "P -1": PRISM, "P 1 21/c 1": PRISM, "C 1 2/m 1": PRISM, "P n m a": PRISM, "F d d d": PRISM, "P 4/n m m": PRISM,
    "I -4 2 d": PRISM, "R -3 m:H": HEXAGON, "P 3 2 1": HEXAGON, "P 63 m c": HEXAGON, "P a -3": CUBE, "F -4 3 m": CUBE,
}  # fmt: skip


@pytest.mark.parametrize("symbol", GROUPS)
def test_random_positions_and_shares(symbol: str) -> None:
    """Any position on a grid of eighths, any whole shares of it; operations listed, so that no setting is left open."""
    random = np.random.default_rng(sum(map(ord, symbol)))
    group = gemmi.find_spacegroup_by_name(symbol)
    assert group is not None
    listed = [op.triplet() for op in group.operations()]
    tried = 0
    while tried < 4:
        place = tuple(Fraction(int(part), 8) for part in random.integers(0, 8, 3))
        size = len({_image(operation, place) for operation in _operations(symbol)})
        if not 2 <= size <= 8:
            continue
        tried += 1
        kinds = ["Zn"] * int(random.integers(1, size)) + ["Cd"] * int(random.integers(0, 3))
        kinds = [*kinds, *([""] * size)][:size]
        if kinds == ["Zn"] * size:
            continue
        orbits = [(place, kinds)]
        sites = [(*row[:5], str(Fraction(kinds.count(row[1]), size))) for row in _sites(orbits, "")]
        cell = tuple(2 * part if at < 3 else part for at, part in enumerate(GROUPS[symbol]))
        text = write(symbol, sites, cell, operations=listed)
        sizes, burnside, raw = count_by_hand(symbol, orbits)
        found = offered(text)
        if burnside > 24:
            assert not found and "more than 24 ordered variants" in str(refusal(text))
            continue
        assert (len(found), sorted(entry[2] for entry in found)) == (burnside, sizes)
        assert {entry[3] for entry in found} == {raw}


ROCK_SALT: list[Site] = [("Mg1", "Mg", 0, 0, 0, 0.75), ("Fe1", "Fe", 0, 0, 0, 0.25), ("O1", "O", 0.5, 0.5, 0.5, 1)]


def test_nothing_is_chosen_for_the_person() -> None:
    """Even where there is a single variant: it is offered, and told when it was chosen."""
    error = refusal(write("F m -3 m", ROCK_SALT))
    assert "partly occupied sites (Mg1 0.75, Fe1 0.25)" in str(error)
    assert error.variants == ("1: Fe Mg3 O4, Pm-3m (221), 4 of 4 arrangements",)
    assert "ordered variant" in error.remedy
    for choice in (error.variants[0], "1"):
        found = read(write("F m -3 m", ROCK_SALT), choice)
        assert (found.group, found.variant, found.variants) == (221, error.variants[0], error.variants)
        assert "ordered variant 1 of 1" in found.notes[0] and "4 of 4 arrangements" in found.notes[0]
        assert found.title.endswith("variant 1 of 1") and len(found.title) <= 80
        assert not any("space group 225" in note for note in found.notes)
    for unknown in ("2", "0", "nonsense", error.variants[0] + "x"):
        again = refusal(write("F m -3 m", ROCK_SALT), variant=unknown)
        assert again.variants == error.variants and unknown[:10] in str(again)
    ordered = write("F m -3 m", [("Mg1", "Mg", 0, 0, 0, 1)])
    assert "no ordered variants" in str(refusal(ordered, variant="1"))


def test_shares_that_give_no_whole_number_are_refused_by_their_sites() -> None:
    for share, ok in (
        ("0.5", True), ("0.50(2)", True), ("1/4", True), ("0.3", False), ("0.24", False), ("0.26", False), ("0.52(3)", False),
        ("0.998(3)", False), ("0.245", False),
    ):  # fmt: skip
        error = refusal(write("F m -3 m", [("Na1", "Na", 0, 0, 0, share)]))
        assert bool(error.variants) is ok, share
        assert "partly occupied sites (Na1" in str(error)
        if not ok:
            assert "4 positions" in str(error) and "no whole number" in str(error)
            assert "make an ordered model" in error.remedy
    hexagon = (4.1, 4.1, 5.0, 90, 90, 120)
    for share, ok in (("0.333", True), ("0.33", True), ("0.67", True), ("0.66", True), ("0.3", False), ("0.34", False)):
        error = refusal(write("P 6/m m m", [("Na1", "Na", 0.5, 0, 0, share)], hexagon))
        assert bool(error.variants) is ok, share


def test_shares_of_one_position_may_not_exceed_it() -> None:
    sites: list[Site] = [("Mg1", "Mg", 0, 0, 0, 0.75), ("Fe1", "Fe", 0, 0, 0, 0.5)]
    error = refusal(write("F m -3 m", sites))
    assert not error.variants and "more than one atom" in str(error)


def test_rows_of_one_element_on_one_place_are_added() -> None:
    """Two charges of iron are one element here."""
    sites: list[Site] = [("FeA", "Fe2+", 0, 0, 0, 0.5), ("FeB", "Fe3+", 0, 0, 0, 0.25), ("Mg1", "Mg", 0, 0, 0, 0.25)]
    assert offered(write("F m -3 m", sites)) == [("Fe3 Mg", "Pm-3m", 4, 4)]


def test_positions_that_exclude_each_other() -> None:
    """A split site: one half of a pair at 0.4 Å, on one side or the other."""
    split = write("P m -3 m", [("H1", "H", 0.04, 0, 0, "1/6"), ("Te1", "Te", 0.5, 0.5, 0.5, 1)])
    assert offered(split) == [("H Te", "P4mm", 6, 6)]
    pairs = write("P m m m", [("H1", "H", 0.04, 0, 0.25, 0.5), ("Te1", "Te", 0.5, 0.5, 0.5, 1)])
    # Of six ways to fill two of the four places two put both on one side of a pair.
    found = offered(pairs)
    assert sum(entry[2] for entry in found) == 4 and {entry[3] for entry in found} == {4}
    assert len(found) == 2
    chosen = read(pairs, "1")
    assert "2 arrangements" in chosen.notes[0] and "0.6 Å" in chosen.notes[0]
    too_many = refusal(write("P m -3 m", [("H1", "H", 0.04, 0, 0, 0.5)]))
    assert not too_many.variants and "exclude each other" in str(too_many)
    beside = refusal(write("P m -3 m", [("H1", "H", 0.04, 0, 0, "1/6"), ("Te1", "Te", 0, 0, 0, 1)]))
    assert not beside.variants and "exclude each other" in str(beside)


def test_too_many_are_refused_and_counted_within_bounds() -> None:
    many = refusal(write("P 1", [(f"K{at}", "K", at / 8, 0, 0, 0.5) for at in range(8)], (40, 5, 5, 90, 90, 90)))
    assert not many.variants and "no whole number" in str(many)
    wide = refusal(
        write("P -1", [(f"K{at}", "K", (at + 1) / 20, 0.1, 0, 0.5) for at in range(8)], (60, 5, 5, 90, 90, 90))
    )
    assert not wide.variants and "more than 24" in str(wide)
    more = refusal(
        write("P -1", [(f"K{at}", "K", (at + 1) / 70, 0.1, 0, 0.5) for at in range(30)], (200, 5, 5, 90, 90, 90))
    )
    assert not more.variants and "20000 arrangements" in str(more)
    large = refusal(write("F m -3 m", [("K1", "K", 0.05, 0.11, 0.23, "1/192")], (40, 40, 40, 90, 90, 90)))
    assert not large.variants and "more than 100 partly occupied positions" in str(large)
    rows: list[Site] = [(f"K{at}", "K", at / 19_000, 0.1, 0, 0.5) for at in range(19_000)]
    endless = refusal(write("P -1", rows, (60, 5, 5, 90, 90, 90)))
    assert not endless.variants and "at most 48 such sites" in str(endless) and len(str(endless)) < 400
    full: list[Site] = [(f"K{at}", "K", (at % 10) / 20, (at // 10) / 30, 0.1, 1) for at in range(250)]
    heavy = refusal(write("P -1", [("Rb1", "Rb", 0.1, 0.1, 0.6, 0.5), *full], (60, 60, 60, 90, 91, 92)))
    assert not heavy.variants and "at most 400 atoms" in str(heavy)


def test_a_declaration_that_differs_leaves_nothing_to_offer() -> None:
    """Shares that count symmetry in, as some programs write them, would give another compound."""
    right = {"_chemical_formula_sum": "'Fe Mg3 O4'", "_cell_formula_units_Z": 1}
    assert refusal(write("F m -3 m", ROCK_SALT, items=right)).variants
    other = refusal(write("F m -3 m", ROCK_SALT, items=right | {"_chemical_formula_sum": "'Fe Mg O2'"}))
    assert not other.variants and "declares" in str(other) and "Mg1 0.75" in str(other)
    two = refusal(write("F m -3 m", ROCK_SALT, items=right | {"_cell_formula_units_Z": 2}))
    assert not two.variants and "Z = 2" in str(two)


def test_alternatives_that_belong_together_are_not_mixed() -> None:
    rows = [("N1", "N", 0, 0, 0, 0.5, 1), ("P1", "P", 0, 0, 0, 0.5, 2)]
    text = write_cif(CUBE, rows, columns=(*COLUMNS, "disorder_group"), items={HM: "'F m -3 m'"})
    error = refusal(text)
    assert not error.variants and "disorder groups" in str(error) and "N1 0.5" in str(error)


def test_of_several_structures_each_has_its_own_variants() -> None:
    cold, warm = write("F m -3 m", ROCK_SALT, name="cold"), write("P m -3 m", [("Po1", "Po", 0, 0, 0, 1)], name="warm")
    error = refusal(cold + warm)
    assert error.blocks == ("cold", "warm") and len(error.variants) == 1
    found = read(cold + warm, "1", block="cold")
    assert (found.block, found.variant) == ("cold", error.variants[0])
    assert "no ordered variants" in str(refusal(cold + warm, block="warm", variant="1"))
