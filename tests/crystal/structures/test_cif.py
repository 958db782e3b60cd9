"""CIFs: what is read, what is refused and in which words, what is read with a remark. All crystals are invented."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import StructureError
from app.crystal.structures.importers import Imported, read_structure
from tests.crystal.structures.cifs import loop, write_cif

HM = "_symmetry_space_group_name_H-M"
NUMBER = "_symmetry_Int_Tables_number"
FORMULA = "_chemical_formula_sum"
Z = "_cell_formula_units_Z"
HEXAGON = (3.3, 3.3, 5.3, 90, 90, 120)
WHOLE = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")


def read(text: str, **options: object) -> Imported:
    return read_structure(text.encode(), "made.cif", **options)  # type: ignore[arg-type]


def counts(found: Imported) -> dict[str, int]:
    """Atoms of the primitive cell by element."""
    structure = found.structure
    total: dict[str, int] = {}
    for z, count in zip(structure.numbers, structure.multiplicities, strict=True):
        total[SYMBOLS[z]] = total.get(SYMBOLS[z], 0) + count
    return total


def refusal(text: str, **options: object) -> str:
    with pytest.raises(StructureError) as caught:
        read(text, **options)
    assert caught.value.field == "file"
    return str(caught.value)


def remarks(found: Imported) -> str:
    return "; ".join(found.notes)


ARSENIDE = (("Ga1", 0.11, 0.21, 0.32), ("As1", 0.3, 0.37, 0.09))
OBLIQUE = (6.2, 7.4, 8.1, 90, 97.3, 90)


@pytest.mark.parametrize(
    ("symbol", "cell", "number"),
    [
        ("'P 1 21/c 1'", OBLIQUE, 14),
        ("P2(1)/c", OBLIQUE, 14),
        ("P_1_21/c_1", OBLIQUE, 14),
        ("'p 1 21/C 1'", OBLIQUE, 14),
        ("P2_1/c", OBLIQUE, 14),
        ("P21/c", OBLIQUE, 14),
        ("'P 21/c (No. 14)'", OBLIQUE, 14),
        ("'P 1 21/n 1'", OBLIQUE, 14),
        ('"P 21/n"', OBLIQUE, 14),
        ("'C 1 2/c 1'", OBLIQUE, 15),
        ("C2/c", OBLIQUE, 15),
        ("'I 1 2/a 1'", OBLIQUE, 15),
        ("'P 1 1 21/b'", (6.2, 7.4, 8.1, 90, 90, 97.3), 14),
        ("'P 21/b'", (6.2, 7.4, 8.1, 90, 90, 97.3), 14),
        ("'R 3 :H'", (9, 9, 8, 90, 90, 120), 146),
        ("R3:H", (9, 9, 8, 90, 90, 120), 146),
        ("'H 3'", (9, 9, 8, 90, 90, 120), 146),
        ("'R 3'", (9, 9, 8, 90, 90, 120), 146),
        ("'R -3 H'", (9, 9, 8, 90, 90, 120), 148),
        ("'R 3'", (8.1, 8.1, 8.1, 81, 81, 81), 146),
        ("R3:R", (8.1, 8.1, 8.1, 81, 81, 81), 146),
        ("'F m 3 m'", (14, 14, 14, 90, 90, 90), 225),
        ("Fm3m", (14, 14, 14, 90, 90, 90), 225),
        ("'F 4/m -3 2/m'", (14, 14, 14, 90, 90, 90), 225),
        ("'P 63/m m c'", (9, 9, 12, 90, 90, 120), 194),
        ("'P 6(3)/m m c'", (9, 9, 12, 90, 90, 120), 194),
        ("'P b n m'", (9, 10, 11, 90, 90, 90), 62),
        ("'C m c e'", (9, 10, 11, 90, 90, 90), 64),
        ("'C m c a'", (9, 10, 11, 90, 90, 90), 64),
        ("'P 21 21 21'", (9, 10, 11, 90, 90, 90), 19),
        ("P2(1)2(1)2(1)", (9, 10, 11, 90, 90, 90), 19),
        ("'F d -3 m S'", (14, 14, 14, 90, 90, 90), 227),
        ("'F d -3 m Z'", (14, 14, 14, 90, 90, 90), 227),
        ("Fd3mS", (14, 14, 14, 90, 90, 90), 227),
        ("'I 41/a m d :2'", (12, 12, 13, 90, 90, 90), 141),
    ],
)
def test_every_spelling_of_a_symbol_is_read(symbol: str, cell: Sequence[float], number: int) -> None:
    sites = ARSENIDE if number not in (225, 227, 194, 141) else (("Ga1", 0.11, 0.21, 0.33),)
    for tag in (HM, "_space_group_name_H-M_alt", "_SYMMETRY_SPACE_GROUP_NAME_H-M"):
        found = read(write_cif(cell, sites, items={tag: symbol}))
        assert found.group == number
        assert "differ" not in remarks(found)


def test_operations_count_before_symbol_and_number() -> None:
    half = ("x,y,z", "-x,-y,-z", "x+1/2,y+1/2,z+1/2", "1/2-x,1/2-y,1/2-z")
    found = read(write_cif((6, 7, 8, 81, 84, 88), ARSENIDE, items={HM: "'P 1 21/c 1'", NUMBER: 14}, operations=half))
    assert (found.group, counts(found)) == (2, {"Ga": 2, "As": 2})
    assert "lists the operations of I -1 and names P 1 21/c 1" in remarks(found)


@pytest.mark.parametrize(
    "operations",
    [
        ("x,y,z", "-x,1/2+y,1/2-z"),
        (" X , Y , Z ", "-X,Y+0.5,0.5-Z"),
        ("+x,+y,+z", "-x, y+.5, -z+.5"),
        ("x,y,z", "-x,1/2+y,1/2-z", "x,y,z", "-x,3/2+y,1/2-z"),
    ],
)
@pytest.mark.parametrize(
    "tag", ["_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz", "_space_group_symop.operation_xyz"]
)
def test_operations_in_every_spelling(operations: Sequence[str], tag: str) -> None:
    found = read(write_cif(OBLIQUE, ARSENIDE, operations=operations, tag=tag))
    assert (found.group, counts(found)) == (4, {"Ga": 2, "As": 2})


def test_thirds_of_operations_may_be_decimals() -> None:
    thirds = ("x,y,z", "-y,x-y,z+0.3333", "-x+y,-x,z+0.667")
    assert read(write_cif((5, 5, 9, 90, 90, 120), ARSENIDE, operations=thirds)).group == 144


def test_a_list_without_identity_is_completed_or_refused() -> None:
    rest = ("-x,-y,1/2+z", "1/2+x,-y,z", "1/2-x,y,1/2+z")
    found = read(write_cif((7.3, 8.4, 5.1, 90, 90, 90), ARSENIDE, operations=rest))
    assert (found.group, found.atoms_in_file) == (29, 8)
    assert "identity is missing" in remarks(found)
    for broken in (rest[:2], ("x,y,z", *rest[:2])):
        assert "form no group" in refusal(write_cif((7.3, 8.4, 5.1, 90, 90, 90), ARSENIDE, operations=broken))


@pytest.mark.parametrize("text", ["x,y", "x,y,z+1/5", "x,y,q", "2x,y,z", "x/2,y,z"])
def test_an_operation_that_cannot_be_read_is_named(text: str) -> None:
    assert "cannot be read" in refusal(write_cif(operations=("x,y,z", text)))


def test_a_cell_that_contradicts_its_symmetry_is_refused() -> None:
    words = refusal(write_cif((5, 5, 5, 90, 90, 90), items={HM: "'P 63/m m c'"}))
    assert "does not have the symmetry" in words and "P 63/m m c" in words
    assert "does not have the symmetry" in refusal(write_cif((5, 6, 7, 90, 90, 90), operations=("x,y,z", "y,x,-z")))
    near = read(write_cif((5, 5.004, 7, 90, 90, 90), operations=("x,y,z", "y,x,-z"), sites=(("Na1", 0.1, 0.2, 0.3),)))
    assert "made to fit" in remarks(near)


def test_hall_counts_before_the_symbol() -> None:
    items = {"_symmetry_space_group_name_Hall": "'-P 2yn'", HM: "'P 1 21/c 1'"}
    as_n = read(write_cif(OBLIQUE, ARSENIDE, items=items))
    by_symbol = read(write_cif(OBLIQUE, ARSENIDE, items={HM: "'P 1 21/n 1'"}))
    assert as_n.structure == by_symbol.structure
    assert (
        read(write_cif(OBLIQUE, ARSENIDE, items=items | {"_symmetry_space_group_name_Hall": "?"})).structure
        != as_n.structure
    )


def test_an_origin_that_is_told_is_taken_and_one_that_is_not_is_proved_or_refused() -> None:
    cell = (5.6, 5.6, 5.6, 90, 90, 90)
    first, second = (("Ge1", 0, 0, 0),), (("Ge1", 0.125, 0.125, 0.125),)
    assert counts(read(write_cif(cell, first, items={HM: "'F d -3 m :1'"}))) == {"Ge": 2}
    assert counts(read(write_cif(cell, second, items={HM: "'F d -3 m :2'"}))) == {"Ge": 2}
    code = "_space_group_IT_coordinate_system_code"
    assert counts(read(write_cif(cell, second, items={HM: "'F d -3 m'", code: 2}))) == {"Ge": 2}
    words = refusal(write_cif(cell, second, items={HM: "'F d -3 m'"}))
    assert "does not say which setting" in words and "F d -3 m:1" in words and "Ge16" in words
    declared = {HM: "'F d -3 m'", FORMULA: "Ge", Z: 8}
    found = read(write_cif(cell, second, items=declared))
    assert counts(found) == {"Ge": 2} and "F d -3 m:2" in remarks(found)
    assert "F d -3 m:1" in remarks(read(write_cif(cell, first, items=declared)))
    # By the number alone it is the same choice.
    assert "does not say which setting" in refusal(write_cif(cell, second, items={NUMBER: 227}))


def test_contacts_decide_on_an_origin() -> None:
    # On the first origin the site would be 0.2 Å from the fourfold axis.
    found = read(write_cif((5.0, 5.0, 6.0, 90, 90, 90), (("O1", "0.0400", "0.5000", "0.3000"),), items={HM: "'P 4/n'"}))
    assert counts(found) == {"O": 8}
    assert "P 4/n:2" in remarks(found) and "too near" in remarks(found)


def test_rhombohedral_axes_are_told_by_the_cell() -> None:
    sites = (("Bi1", 0.23, 0.23, 0.23),)
    found = read(write_cif((4.7, 4.7, 4.7, 57, 57, 57), sites, items={HM: "'R -3 m'", NUMBER: 166}))
    assert (found.group, counts(found)) == (166, {"Bi": 2})
    found = read(write_cif((4.5, 4.5, 11.9, 90, 90, 120), (("Bi1", 0, 0, 0.23),), items={HM: "'R -3 m'"}))
    assert (found.group, counts(found), found.atoms_in_file) == (166, {"Bi": 2}, 6)


def test_the_symbol_counts_before_the_number() -> None:
    sites = (("Na1", 0, 0, 0), ("Cl1", 0.5, 0.5, 0.5))
    found = read(write_cif((5, 5, 5, 90, 90, 90), sites, items={HM: "'F m -3 m'", NUMBER: 227}))
    assert found.group == 225 and "the symbol counts" in remarks(found)
    assert "not known" in refusal(write_cif(items={HM: "'X y z'", NUMBER: 221}))
    alone = read(write_cif(OBLIQUE, ARSENIDE, items={NUMBER: 14}))
    assert alone.group == 14 and "number 14 alone" in remarks(alone)
    nothing = read(write_cif((5, 6, 7, 80, 85, 89), ARSENIDE))
    assert nothing.group == 1 and "says nothing of its symmetry" in remarks(nothing)


@pytest.mark.parametrize("third", ["0.333", "0.3333", "0.33333(4)", "0.33", ".333", "1/3"])
@pytest.mark.parametrize("two", ["0.667", "0.6667", "0.666", "2/3"])
def test_thirds_are_exact_where_the_symmetry_proves_it(third: str, two: str) -> None:
    if len(third) > len(two) + 1 and two == "0.667":
        two = "0.6667"
    text = write_cif(HEXAGON, (("Cd1", third, two, 0.25),), items={NUMBER: 194, HM: "'P 63/m m c'"})
    found = read(text)
    assert (found.group, counts(found), found.atoms_in_file) == (194, {"Cd": 2}, 2)
    assert sorted(found.structure.positions[0][:2]) == pytest.approx([1 / 3, 2 / 3], abs=1e-9)


def test_a_site_off_its_position_is_moved_only_where_the_file_proves_it() -> None:
    sites = (("Cd1", 0.3401, 0.6599, 0.25),)
    items: dict[str, object] = {HM: "'P 63/m m c'"}
    assert "own image" in refusal(write_cif(HEXAGON, sites, items=items))
    found = read(write_cif(HEXAGON, sites, items=items | {FORMULA: "Cd", Z: 2}))
    assert counts(found) == {"Cd": 2} and "moved onto special positions" in remarks(found)
    columns = ("label", "fract_x", "fract_y", "fract_z", "symmetry_multiplicity")
    assert counts(read(write_cif(HEXAGON, ((*sites[0], 2),), columns=columns, items=items))) == {"Cd": 2}


def test_formula_and_units_are_compared() -> None:
    sites = (("Na1", 0, 0, 0), ("Cl1", 0.5, 0.5, 0.5))
    cube: dict[str, object] = {HM: "'F m -3 m'"}
    cell = (5.6, 5.6, 5.6, 90, 90, 90)
    assert read(write_cif(cell, sites, items=cube | {FORMULA: "'Cl Na'", Z: 4})).notes == ()
    assert read(write_cif(cell, sites, items=cube | {FORMULA: "ClNa", Z: 4})).notes == ()
    assert "declares Z = 8" in remarks(read(write_cif(cell, sites, items=cube | {FORMULA: "'Cl Na'", Z: 8})))
    assert "declares Cl2 Na" in remarks(read(write_cif(cell, sites, items=cube | {FORMULA: "'Cl2 Na'", Z: 4})))
    assert "declares no formula" in remarks(read(write_cif(cell, sites, items=cube | {FORMULA: "?", Z: 4})))
    assert "hydrogen" in remarks(read(write_cif(cell, sites, items=cube | {FORMULA: "'H4 Cl Na'"})))


def test_a_higher_symmetry_than_declared_is_said() -> None:
    found = read(write_cif(items={HM: "'P 1'", FORMULA: "Po", Z: 1}))
    assert found.group == 221 and "the file says space group 1" in remarks(found)


@pytest.mark.parametrize(
    ("label", "kind", "element"),
    [
        ("Fe1", "Fe3+", "Fe"),
        ("Fe1", "Fe+3", "Fe"),
        ("O1", "O2-", "O"),
        ("D1", "D", "H"),
        ("D1", "", "H"),
        ("Wat7", "O", "O"),
        ("X1", "Zn2+", "Zn"),
        ("FE1A", "FE", "Fe"),
        ("Ow1", "", "O"),
        ("Si(1)", "?", "Si"),
        ("Cl1'", ".", "Cl"),
        ("1", "Mg0+", "Mg"),
    ],
)
def test_elements_are_told_by_type_then_by_label(label: str, kind: str, element: str) -> None:
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
    text = write_cif(sites=((f'"{label}"', kind or ".", 0, 0, 0),), columns=columns, items={HM: "'P m -3 m'"})
    assert counts(read(text)) == {element: 1}


@pytest.mark.parametrize(
    ("label", "kind", "words"),
    [
        ("Wat7", "", "a water molecule"),
        ("Wat7", "Wat", "a water molecule"),
        ("OH1", "OH-", "hydroxyl"),
        ("M1", "", "several metals"),
        ("T1", "", "tetrahedral"),
        ("Vac1", "", "vacancy"),
        ("Zz1", "", "names no element"),
        ("SI1", "", "could be Si or S"),
        ("12", "", "element is not known"),
        ("N1", "NH4+", "group|element"),
    ],
)
def test_what_is_no_element_is_refused_by_its_site(label: str, kind: str, words: str) -> None:
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
    said = refusal(write_cif(sites=((label, kind or ".", 0, 0, 0),), columns=columns))
    assert label in said and any(word in said for word in words.split("|"))


def test_the_formula_decides_on_a_label() -> None:
    for label, formula, element in (("CA1", "Ca", "Ca"), ("CA1", "C", "C"), ("Co1", "'C O'", "C"), ("SI1", "Si", "Si")):
        assert set(counts(read(write_cif(sites=((label, 0, 0, 0),), items={FORMULA: formula})))) == {element}
    assert "which the declared formula does not have" in refusal(
        write_cif(sites=(("W1", 0, 0, 0),), items={FORMULA: "'H2 O'"})
    )


def test_occupancies() -> None:
    def text(*shares: object) -> str:
        rows = [(f"Mg{at}", "Mg", 0, 0, at**2 / 16, share) for at, share in enumerate(shares)]
        return write_cif((4, 5, 19, 90, 90, 90), rows, columns=WHOLE)

    assert counts(read(text(1, "1.000(3)", "?", "."))) == {"Mg": 4}
    assert "2 sites have no occupancy" in remarks(read(text(1, "?", ".")))
    assert counts(read(text(1, 0))) == {"Mg": 1} and "Mg1 have the occupancy 0" in remarks(read(text(1, 0)))
    words = refusal(text(1, 0.5, "0.25(1)", 1))
    assert "partly occupied sites (Mg1 0.5, Mg2 0.25)" in words
    assert "occupancy 'many'" in refusal(text("many")) and "occupancy '1.7'" in refusal(text(1.7))


def test_a_mixed_site_without_shares_is_refused_by_its_sites() -> None:
    words = refusal(
        write_cif(sites=(("K1", 0, 0, 0), ("Rb1", 0, 0, 0), ("Br1", 0.5, 0.5, 0.5)), items={HM: "'P m -3 m'"})
    )
    assert "K1" in words and "Rb1" in words and "mixed site" in words


def test_atoms_listed_twice_count_once_and_near_ones_are_refused() -> None:
    cube = {HM: "'P m -3 m'"}
    twice = read(
        write_cif(sites=(("Po1", 0, 0, 0), ("Po1", 0, 0, 0), ("F1", 0.5, 0, 0), ("F2", 0, 0.5, 0)), items=cube)
    )
    assert counts(twice) == {"Po": 1, "F": 3} and "listed twice" in remarks(twice)
    near = refusal(write_cif(sites=(("Po1", 0, 0, 0), ("F1", 0.13, 0, 0)), items=cube))
    assert "Po1" in near and "F1" in near and "0.52 Å" in near
    assert counts(read(write_cif(sites=(("Po1", 0, 0, 0), ("H1", 0.19, 0, 0)), items=cube))) == {"Po": 1, "H": 6}


def test_dummies_and_atoms_without_coordinates() -> None:
    columns = ("label", "calc_flag", "fract_x", "fract_y", "fract_z")
    found = read(
        write_cif(
            sites=(("Po1", "d", 0, 0, 0), ("Q1", "dum", 0.5, 0.5, 0.5), ("H1", "calc", "?", "?", "?")), columns=columns
        )
    )
    assert counts(found) == {"Po": 1}
    assert "Q1 are dummies" in remarks(found) and "H1 have no coordinates" in remarks(found)
    assert "no coordinates for Po2" in refusal(write_cif(sites=(("Po1", 0, 0, 0), ("Po2", "?", "?", "?"))))
    assert "coordinate 'left'" in refusal(write_cif(sites=(("Po1", "left", 0, 0),)))
    attached = ("label", "attached_hydrogens", "fract_x", "fract_y", "fract_z")
    assert "2 hydrogens attached" in remarks(read(write_cif(sites=(("O1", 2, 0, 0, 0),), columns=attached)))


@pytest.mark.parametrize(
    "number", ["0.1234(5)", "1.234(5)e-1", ".1234", "+0.1234", "1234(1)E-4", "'0.1234 (5)'", "0.1234("]
)
def test_numbers_in_every_form(number: str) -> None:
    found = read(
        write_cif(("5.10(2)", "'6.2'", '"7.30"', 90, "90.0", "9.0E1"), (("Na1", number, 0, 0), ("Cl1", 0.5, 0.6, 0.7)))
    )
    assert found.structure.cell[0] == 5.1
    first, second = found.structure.positions
    assert abs(abs(first[0] - second[0]) - 0.3766) < 1e-9


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ((4, 4, "?", 90, 90, 90), "_cell_length_c is missing"),
        (("0", 4, 4, 90, 90, 90), "_cell_length_a"),
        (("-4", 4, 4, 90, 90, 90), "_cell_length_a"),
        (("4,2", 4, 4, 90, 90, 90), "_cell_length_a"),
        ((4, 4, 4, 10, 20, 150), "flat cell"),
        ((4, 4, 4, 90, 90, 180), "flat cell"),
        (("1e400", 4, 4, 90, 90, 90), "_cell_length_a"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(cell: Sequence[object], words: str) -> None:
    assert words in refusal(write_cif(cell))


def test_missing_angles_are_right_angles_as_the_dictionary_says() -> None:
    found = read(write_cif((4, 4, 4, "?", ".", "?"), items={HM: "'P m -3 m'"}))
    assert found.group == 221 and "90 degrees" in remarks(found)
    assert "symmetry" in refusal(write_cif((4, 4, 7, 90, 90, "?"), items={HM: "'P 63/m m c'"}))


def test_several_data_blocks_are_a_choice() -> None:
    first = write_cif(name="cold", items={HM: "'P m -3 m'"})
    second = write_cif(
        (5, 5, 5, 90, 90, 90), (("Cs1", 0, 0, 0), ("I1", 0.5, 0.5, 0.5)), name="warm", items={HM: "'P m -3 m'"}
    )
    text = "data_global\n_journal_year 2020\n" + first + second
    found = read(text)
    assert (found.block, found.blocks, counts(found)) == ("cold", ("cold", "warm"), {"Po": 1})
    assert "2 structures (cold, warm); this is cold" in remarks(found)
    chosen = read(text, block="WARM")
    assert (chosen.block, counts(chosen)) == ("warm", {"Cs": 1, "I": 1})
    assert "it has cold, warm" in refusal(text, block="hot")
    words = refusal(first.replace("Po1 0 0 0", "Wat1 0 0 0") + second)
    assert "data block cold; the file also holds warm" in words
    assert read("data_global\n_journal_year 2020\n" + first).blocks == ("cold",)


def test_blocks_without_atoms_say_what_is_missing() -> None:
    bare = "data_a\n_cell_length_a 4\n"
    assert "contains no atoms" in refusal(bare)
    assert "displacement parameters" in refusal(
        bare + loop(["_atom_site_aniso_label", "_atom_site_aniso_U_11"], [["Na1", 0.01]])
    )
    cartesian = ["_atom_site_label", "_atom_site_Cartn_x", "_atom_site_Cartn_y", "_atom_site_Cartn_z"]
    assert "Cartesian" in refusal(bare + loop(cartesian, [["Na1", 0, 0, 0]]))
    assert "modulated" in refusal(write_cif(items={"_cell_modulation_dimension": 1}))


def test_syntax_beyond_the_usual() -> None:
    plain = write_cif(items={HM: "'P m -3 m'", FORMULA: "Po"})
    for text in (
        plain.replace("\n", "\r\n"),
        plain.replace("\n", "\r"),
        "\ufeff" + plain,
        plain.replace("data_made_up\n", ""),
        "#\\#CIF_2.0\n" + plain + "_publ_section_title '''It is\n a 'long' title'''\n",
        plain.replace("_cell_length", "_CELL_Length"),
        plain.replace("_cell_length_a", "_cell.length_a").replace("_fract_", ".fract_"),
        plain + "_cell_length_a 4.0\n",
        plain.replace("loop_", "# before\nloop_  # a table"),
        plain + "_publ_text\n;\ndata_of\nloop_\n;\n",
    ):
        assert counts(read(text)) == {"Po": 1}
    assert "in two places" in refusal(plain + "_cell_length_a 5.0\n")
    assert "line 2" in refusal("data_x\nloop_ _a\n_b 1\n") or "cannot be read as CIF" in refusal(
        "data_x\nloop_ _a\n_b 1\n"
    )
    assert "cannot be read as CIF" in refusal(plain + "\0\0")


def test_lists_and_tables_of_cif_2() -> None:
    plain = write_cif(items={HM: "'P m -3 m'", FORMULA: "Po"})
    lists = "_space_group_transform [[1 0 0] [0 1 0]\n [0 0 1]]\n_space_group_table {'a':1 'b':[2 3]}\n"
    tripled = (
        """_publ_a '''loop_ ' ['''\n_publ_b \"\"\"two\n;lines\n\"\"\"\n_publ_c\n;\n [ in a field\n;\n# [ a comment\n"""
    )
    for text in (plain + lists + tripled, tripled.join(("data_made_up\n", plain.partition("\n")[2] + lists))):
        assert counts(read("#\\#CIF_2.0\n" + text)) == {"Po": 1}
    assert refusal("#\\#CIF_2.0\n" + plain + "_publ_a " + "[" * 100000)
    looped = loop(
        ["_atom_site_label", "_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z", "_atom_site_u"], []
    )
    rows = "Po1 0 0 0 [0.1 0.2 0.3]\nF1 0.5 0.5 0.5 [0.1 0.2 0.3]\n"
    head = plain.rpartition("loop_")[0].replace("Po\n", "'Po F'\n")
    assert counts(read("#\\#CIF_2.0\n" + head + looped + rows)) == {"Po": 1, "F": 1}


def test_operations_without_the_centring_of_the_symbol() -> None:
    operations = ("x,y,z", "-x,-y,-z")
    items: dict[str, object] = {HM: "'C -1'"}
    cell = (6, 7, 8, 81, 84, 88)
    # Two units are the primitive list, four the centred one; without them nothing tells.
    for units, atoms in ((2, 4), (4, 8)):
        text = write_cif(cell, ARSENIDE, items=items | {FORMULA: "'As Ga'", Z: units}, operations=operations)
        found = read(text)
        assert found.atoms_in_file == atoms and "names C -1" in remarks(found)
    assert "does not say which setting" in refusal(write_cif(cell, ARSENIDE, items=items, operations=operations))


def test_operations_and_a_symbol_that_says_more() -> None:
    # All atoms under the symbol of their symmetry: their own symmetry proves that the list is whole.
    rows = [(f"Na{at}", *place) for at, place in enumerate(((0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)))]
    rows += [(f"Cl{at}", *place) for at, place in enumerate(((0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), (0.5, 0.5, 0.5)))]
    cell, items = (5.6, 5.6, 5.6, 90, 90, 90), {HM: "'F m -3 m'"}
    found = read(write_cif(cell, rows, items=items, operations=("x,y,z",)))
    assert (found.group, found.atoms_in_file) == (225, 8)
    # One atom of each kind with the identity alone: the symbol or the list is wrong, and nothing tells which.
    short = [("Na1", 0, 0, 0), ("Cl1", 0.25, 0.31, 0.12)]
    assert "does not say which setting" in refusal(
        write_cif(cell, short, items={HM: "'P n m a'"}, operations=("x,y,z",))
    )
    found = read(write_cif(cell, short, items={HM: "'P m -3 m'", FORMULA: "'Na Cl'", Z: 1}, operations=("x,y,z",)))
    assert counts(found) == {"Na": 1, "Cl": 1} and "operations were followed" in remarks(found)


def test_a_magnetic_cif_gives_its_atoms() -> None:
    operations = ("x,y,z,+1", "-x,-y,-z,+1", "x,y,z+1/2,-1", "-x,-y,-z+1/2,-1")
    tag = "_space_group_symop_magn_operation.xyz"
    found = read(write_cif((4, 5, 8, 81, 84, 88), (("Mn1", 0.1, 0.2, 0.1),), operations=operations, tag=tag))
    assert found.atoms_in_file == 4


def test_as_a_molecule_or_without_symmetry_all_atoms_of_the_cell_are_there() -> None:
    text = write_cif((5.6, 5.6, 5.6, 90, 90, 90), (("Na1", 0, 0, 0), ("Cl1", 0.5, 0.5, 0.5)), items={HM: "'F m -3 m'"})
    assert len(read(text, symmetry=False).structure.numbers) == 8
    assert len(read(text, kind="molecule").structure.numbers) == 8
    assert counts(read(text)) == {"Na": 1, "Cl": 1}


def test_hostile_files_end_soon() -> None:
    chance = [(2**0.5 * n % 1, 3**0.5 * n % 1, 5**0.5 * n % 1) for n in range(15000)]
    rows = [(f"C{n}", *(f"{part:.5f}" for part in place)) for n, place in enumerate(chance)]
    assert "at most 2000" in refusal(write_cif((90, 91, 92, 90, 90, 90), rows))
    assert "at most" in refusal(write_cif(operations=[f"x,y,z+{n}/24" for n in range(2000)]))
    assert "twice" in remarks(read(write_cif(sites=[(f"Po{n}", 0, 0, 0) for n in range(3000)])))
    assert "at most" in refusal(write_cif(sites=[("Po1", 0, 0, 0)] * 30000))
    piled = [(SYMBOLS[1 + n % 90] + str(n), 0, 0, 0) for n in range(1900)]
    assert "mixed site" in refusal(write_cif(sites=piled))
    assert refusal("loop_ " * 100000)
    assert refusal("data_a\n" + "_x " * 50000)
    assert refusal(write_cif(sites=(("Po1", "9" * 400, 0, 0),)))
    assert refusal(write_cif(sites=(("Po1", "1e308", 0, 0),)))
    for endless in ("(" * 100000, "a" * 200000, "1.0" * 30000, "_" * 100000):
        for said in (
            refusal(write_cif(items={HM: f"'{endless}'"})),
            refusal(write_cif(operations=[endless])),
            refusal(write_cif(sites=((f"'{endless}'", 0, 0, 0),))),
            refusal(write_cif(sites=(("Po1", endless, 0, 0),))),
        ):
            assert len(said) < 600
    crowd = "".join(f"data_{at}\n_atom_site_fract_x 0\n" for at in range(5000))
    with pytest.raises(StructureError) as caught:
        read(crowd)
    assert len(caught.value.blocks) == 100 and len(str(caught.value)) < 600


def test_a_second_table_of_sites_is_not_mixed_with_the_first() -> None:
    plain = write_cif(sites=(("Po1", 0, 0, 0), ("F1", 0.5, 0.5, 0.5)), items={HM: "'P m -3 m'"})
    second = loop(
        ["_atom_site_label", "_atom_site_U_iso_or_equiv", "_atom_site_occupancy"], [["F1", 0.1, 1], ["Po1", 0.2, 1]]
    )
    before, _, behind = plain.partition("loop_")
    assert counts(read(before + second + "loop_" + behind)) == {"Po": 1, "F": 1}
    assert counts(read(plain + second)) == {"Po": 1, "F": 1}
    assert "_atom_site_occupancy in two places" in refusal(plain + second.replace("F1 0.1 1", "F1 0.1 0.5"))
    aniso = loop(["_atom_site_aniso_label", "_atom_site_aniso_U_11"], [["F1", 0.1]])
    assert counts(read(plain + aniso + aniso.replace("0.1", "0.2"))) == {"Po": 1, "F": 1}
    again = loop(
        ["_atom_site_label", "_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"], [["F1", 0.1, 0, 0]]
    )
    assert "in two places" in refusal(plain + again)


@pytest.mark.parametrize(
    ("label", "kind"), [("M1", "Mg/Fe"), ("X1", "Al,Si"), ("AlSi1", ""), ("Mg/Fe1", ""), ("A1", "(Ca,Sr)")]
)
def test_a_site_of_several_elements_is_refused(label: str, kind: str) -> None:
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
    words = refusal(write_cif(sites=((label, kind or ".", 0, 0, 0),), columns=columns))
    assert label in words
    two_states = write_cif(sites=((label.replace("AlSi", "Fe"), "Fe3+/Fe2+", 0, 0, 0),), columns=columns)
    assert counts(read(two_states)) == {"Fe": 1}


def test_hall_and_symbol_that_differ_are_a_doubt() -> None:
    items = {"_symmetry_space_group_name_Hall": "'-P 2yn'", HM: "'P 1 21/c 1'"}
    found = read(write_cif(OBLIQUE, ARSENIDE, items=items))
    assert any("Hall symbol is that of P 1 21/n 1" in text for text in found.doubts)
    proved = read(write_cif(OBLIQUE, ARSENIDE, items=items | {FORMULA: "'As Ga'", Z: 4}))
    assert proved.doubts == () and "Hall symbol" in remarks(proved)


def test_a_number_alone_leaves_the_setting_open() -> None:
    declared = {NUMBER: 14, FORMULA: "'As Ga'", Z: 4}
    found = read(write_cif(OBLIQUE, ARSENIDE, items=declared))
    assert any("number 14 alone: the setting was assumed" in text for text in found.doubts)
    # Of a group with one setting there is nothing to assume.
    cube = read(write_cif(items={NUMBER: 221, FORMULA: "Po", Z: 1}))
    assert cube.doubts == () and "number 221 alone" in remarks(cube)
    # The declared atoms come out in two settings that are not the standard one.
    other = write_cif((9, 10, 11, 90, 90, 90), (("Ca1", 0.0067, 0.036, 0.25),), items={NUMBER: 62, FORMULA: "Ca", Z: 4})
    words = refusal(other)
    assert "P b n m" in words and "P n a m" in words and "does not say which setting" in words
