"""Elastic constants of crystals, slabs and polymers, with their units."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crystal.outputs.facts.elasticity import Elasticity
from app.crystal.outputs.reader import read_output
from tests.support.corpus import frame, responses
from tests.support.corpus.cases.energies import RHF
from tests.support.corpus.crystals import GRAPHENE, MGO, SLAB, TUBE, Structure
from tests.support.corpus.geometry import geometry
from tests.support.corpus.outputs import opened
from tests.support.corpus.scf import Scf, cycles, falling, scf_end
from tests.support.corpus.states import Insulator

SCF = Scf(-76.25, falling(-0.3, 0.1, 8), Insulator(6, -0.2, 0.1))
SIZES = {3: 6, 2: 3, 1: 1}


def symmetric(values: list[float], size: int) -> list[list[float]]:
    return [[values[min(i, j) * 6 + max(i, j)] for j in range(size)] for i in range(size)]


def read_back(structure: Structure, constants: list[list[float]], unit: str, **more: object) -> Elasticity:
    paper = opened(structure, RHF, "CRYSTAL22")
    cycles(paper, structure, SCF)
    scf_end(paper, SCF, RHF)
    responses.elastic(paper, constants, unit=unit, **more)  # type: ignore[arg-type]
    frame.ended(paper)
    elasticity = read_output(paper.text.encode()).elasticity
    assert elasticity is not None
    return elasticity


@settings(max_examples=60, deadline=None)
@given(
    structure=st.sampled_from([MGO, GRAPHENE, SLAB, TUBE]),
    values=st.lists(st.integers(-999_999, 9_999_999), min_size=36, max_size=36),
    inverse=st.lists(st.integers(-9_999_999, 99_999_999), min_size=36, max_size=36),
)
def test_constants_and_compliance_are_read_back(structure: Structure, values: list[int], inverse: list[int]) -> None:
    """Up to numbers that fill their nine places and touch."""
    size = SIZES[structure.dimension]
    constants = symmetric([value / 1000 for value in values], size)
    compliance = symmetric([value / 10000 for value in inverse], size)
    unit = "GPa" if size == 6 else "HARTREE"
    elasticity = read_back(structure, constants, unit, compliance=compliance)
    assert elasticity.constants == constants and elasticity.compliance == compliance
    assert elasticity.unit == {"GPa": "GPa", "HARTREE": "hartree"}[unit]
    assert elasticity.compliance_unit == ("TPa^-1" if size == 6 else "HARTREE^-1")
    assert (elasticity.per_size is None) == (size == 6)


def test_a_slab_is_divided_by_its_area_and_a_polymer_by_its_length() -> None:
    constants = [[5.25, 0.75, 0.0], [0.75, 5.25, 0.0], [0.0, 0.0, 2.25]]
    slab = read_back(GRAPHENE, constants, "HARTREE")
    # One hartree is 4.3597447222e-18 J, one Å² 1e-20 m².
    area = GRAPHENE.cell[0] ** 2 * math.sin(math.radians(120))
    assert slab.per_size_unit == "N/m" and slab.per_size is not None
    assert slab.per_size[0][0] == pytest.approx(5.25 * 435.97447222 / area, rel=1e-9)
    assert slab.per_size[2] == [0.0, 0.0, pytest.approx(2.25 * 435.97447222 / area, rel=1e-9)]
    tube = read_back(TUBE, [[7.5]], "HARTREE")
    assert tube.per_size_unit == "N" and tube.constants == [[7.5]]
    assert tube.per_size == [[pytest.approx(7.5 * 4.3597447222e-8 / TUBE.cell[0], rel=1e-9)]]


def test_older_tables_without_a_unit_are_in_gpa_only_for_crystals() -> None:
    constants = symmetric([float(place) for place in range(36)], 6)
    assert read_back(MGO, constants, "").unit == "GPa"
    assert read_back(GRAPHENE, symmetric([1.0] * 36, 3), "").unit is None


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=1, max_size=8), speed=st.floats(1, 20)
)
def test_velocities_by_direction(rows: list[list[float]], speed: float) -> None:
    waves = [(row, (speed + place, speed / 2, speed / 3)) for place, row in enumerate(rows)]
    elasticity = read_back(MGO, symmetric([1.0] * 36, 6), "GPa", velocities=waves)
    assert [velocity.direction for velocity in elasticity.velocities] == [pytest.approx(row, abs=6e-4) for row in rows]
    assert [velocity.longitudinal for velocity in elasticity.velocities] == [
        pytest.approx(speed + place, abs=6e-4) for place in range(len(rows))
    ]
    assert elasticity.velocities[0].transverse == pytest.approx([speed / 2, speed / 3], abs=6e-4)


def test_a_strained_cell_is_not_the_result() -> None:
    paper = opened(MGO, RHF, "CRYSTAL17")
    cycles(paper, MGO, SCF)
    scf_end(paper, SCF, RHF)
    strained = Scf(-76.125, falling(-0.2, 0.1, 7), Insulator(6, -0.3, 0.1))
    for number in (1, 2):
        paper.line("", f" STRAIN MATRIX {number:3d} :", "")
        geometry(paper, MGO.scaled(1.01), "FINAL OPTIMIZED GEOMETRY")
        cycles(paper, MGO.scaled(1.01), strained)
        scf_end(paper, strained, RHF)
    responses.elastic(paper, symmetric([float(place) for place in range(36)], 6))
    frame.ended(paper)
    results = read_output(paper.text.encode())
    assert results.energy_total == -76.25 and results.volumes == []
    assert results.geometry is not None and results.geometry.volume == pytest.approx(MGO.volume, abs=1e-6)
    assert results.gap_ev == pytest.approx(0.3 * 27.2114, abs=2e-3)
    assert results.elasticity is not None and results.elasticity.constants[1][2] == 8.0


@pytest.mark.parametrize(
    ("rows", "constants"),
    [
        (["| 12.5 |"], [[12.5]]),
        (
            ["| 4.000 0.500 0.000 |", "| 4.000 0.000 |", "| 1.750 |"],
            [[4.0, 0.5, 0.0], [0.5, 4.0, 0.0], [0.0, 0.0, 1.75]],
        ),
        (["| 1.0 2.0 |", "| 3.0 |"], []),
    ],
)
def test_columns_of_another_width_are_read_by_their_blanks(rows: list[str], constants: list[list[float]]) -> None:
    """Only sizes that a crystal, a slab or a polymer has are read."""
    text = "\n".join([" SYMMETRIZED ELASTIC CONSTANTS, IN HARTREE", "", *rows, "", ""])
    elasticity = read_output(text.encode()).elasticity
    assert elasticity is not None and elasticity.constants == constants and elasticity.unit == "hartree"
