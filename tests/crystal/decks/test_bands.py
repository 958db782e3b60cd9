"""Which bands and which path a form may ask for."""

from __future__ import annotations

from typing import Any

import pytest

from app.crystal.decks.limits.orbitals import core_electrons, count_by_name
from app.errors import InvalidInput
from tests.crystal.decks.golden import LIBRARY

EXPLICIT = "12 3\n1 0 3 2. 1.\n1 1 3 8. 1.\n1 0 3 2. 1.\n8 2\n1 0 3 2. 1.\n1 1 3 6. 1."


def head_of(**changes: Any) -> list[int]:
    values = LIBRARY.get("bands").spec.example | changes
    deck = LIBRARY.render("bands", {key: value for key, value in values.items() if value is not None}).decks["bands.d3"]
    return [int(part) for part in deck.split("\n")[2].split()]


def caesium(halogen: str, **more: Any) -> dict[str, Any]:
    return {
        "space_group": 221, "a": 4.4, "atoms": [["Cs", 0, 0, 0], [halogen, 0.5, 0.5, 0.5]], "basis_set": "POB-TZVP-REV2", **more
    }  # fmt: skip


@pytest.mark.parametrize(("halogen", "occupied", "orbitals"), [("I", 17, 54), ("Br", 22, 54)])
def test_pseudopotentials_leave_fewer_bands(halogen: str, occupied: int, orbitals: int) -> None:
    first, last = head_of(**caesium(halogen))[3:5]
    assert first == 1
    assert occupied < last <= orbitals
    electrons, least = count_by_name([55, {"I": 53, "Br": 35}[halogen]], "POB-TZVP-REV2")
    assert (-(-electrons // 2), last <= least) == (occupied, True)


def test_cores_by_element() -> None:
    assert [core_electrons(z, "POB-TZVP-REV2") for z in (36, 37, 53, 55, 56, 72, 82)] == [0, 28, 28, 46, 46, 60, 60]
    assert core_electrons(53, "STO-3G") == 0


def test_a_basis_set_that_is_written_out_is_counted() -> None:
    explicit = {"basis_kind": "explicit", "basis_set": None, "basis_text": EXPLICIT}
    # Six and five orbitals, ten electron pairs: one is left above them.
    assert head_of(**explicit)[3:5] == [1, 11]
    with pytest.raises(InvalidInput, match="beyond the last orbital: the basis set has 11"):
        head_of(**explicit, last_band=12)


def test_a_path_has_at_most_twenty_segments() -> None:
    row = ["G", 0, 0, 0, "X", 0.5, 0, 0.5]
    assert head_of(path_kind="own", path_segments=20 * [row], points=200)[0] == 20
    with pytest.raises(InvalidInput, match="has 21 segments; CRYSTAL takes at most 20"):
        head_of(path_kind="own", path_segments=21 * [row], points=200)


def test_unequal_factors_are_refused_where_symmetry_makes_directions_equal() -> None:
    with pytest.raises(InvalidInput, match="must be equal along directions"):
        head_of(shrink=[4, 4, 6], gilat=12)
