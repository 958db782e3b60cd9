"""What an output tells of electrons: random numbers are written in each release's layout, and read back or rightly not told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crystal.outputs.reader import read_output
from app.crystal.outputs.results import Results
from tests.crystal.outputs.electrons import lines as electrons
from tests.support.corpus import frame, optimization
from tests.support.corpus.crystals import MGO, Site, Structure
from tests.support.corpus.geometry import geometry
from tests.support.corpus.outputs import opened, single_point
from tests.support.corpus.paper import Paper
from tests.support.corpus.scf import Method, Scf, cycles, dispersion, falling, method, mulliken, scf_end
from tests.support.corpus.states import (
    Conductor,
    Insulator,
    OldInsulator,
    Placeholders,
    Polarised,
    State,
)

DFT = Method(hamiltonian="DFT", exchange="PBE")
FEW = settings(max_examples=40, deadline=None)
programs = st.sampled_from(["CRYSTAL06", "CRYSTAL09", "CRYSTAL14", "CRYSTAL17", "CRYSTAL22", "CRYSTAL23"])
energies = st.floats(-9000, -1).map(lambda value: round(value, 9))
tops = st.floats(-0.6, 0.3).map(lambda value: round(value, 8))
gaps = st.floats(0.02, 0.9).map(lambda value: round(value, 8))


def point(state: State, energy: float = -274.5, charges: tuple[float, ...] = ()) -> Scf:
    return Scf(energy, falling(-0.5, 0.2, 6), state, charges)


def settled(state: Insulator) -> tuple[float, float]:
    """Edges that the last cycle but one printed: the state of the fifth cycle is the last one written."""
    drift = state.drift * 0.35**5
    return state.top - drift - state.shifter, state.bottom - 2 * drift


def with_notes(*notes: str, scf: Scf, program: str = "CRYSTAL17") -> Results:
    paper = opened(MGO, DFT, program, notes=notes)
    cycles(paper, MGO, scf)
    scf_end(paper, scf, DFT)
    frame.ended(paper)
    return read_output(paper.text.encode())


# -- Fermi energies and gaps ---------------------------------------------------------------------------------------


@FEW
@given(top=tops, gap=gaps, program=programs, energy=energies)
def test_an_insulator_tells_its_edges(top: float, gap: float, program: str, energy: float) -> None:
    state = Insulator(10, top, top + gap + 0.2, gap_line=program not in ("CRYSTAL09", "CRYSTAL14"))
    found = read_output(single_point(MGO, point(state, energy), DFT, program).encode())
    low, high = settled(state)
    assert found.fermi_energy == pytest.approx(low, abs=1e-7)
    assert found.gap_ev == pytest.approx((high - low) * 27.211386, abs=1e-4)
    assert (found.energy_total, found.fermi_energy_doubt) == (pytest.approx(energy), None)


@FEW
@given(top=tops)
def test_crystal06_prints_the_edge_in_the_line_of_the_state(top: float) -> None:
    found = read_output(single_point(MGO, point(OldInsulator(top)), DFT, "CRYSTAL06").encode())
    assert found.fermi_energy == pytest.approx(top - 0.1 * 0.5**5, abs=1e-7)
    assert found.gap_ev is None


@FEW
@given(top=tops, gap=gaps, shift=st.sampled_from([0.1, 0.6, 1.0, 2.5]), gap_line=st.booleans(), says=st.booleans())
def test_a_locked_shifter_leaves_nothing_to_tell(
    top: float, gap: float, shift: float, gap_line: bool, says: bool
) -> None:
    """Whether the line of the state names the shifter, or only the box of the method."""
    state = Insulator(10, top, top + gap, gap_line=gap_line, shifter=shift)
    notes = Paper()
    electrons.shifter(notes, shift, locked=True)
    text = with_notes(*notes.lines, scf=point(state))
    assert (text.fermi_energy, text.gap_ev) == (None, None)
    assert "level shifter" in (text.fermi_energy_doubt or "")
    silent = replace(state, shifter=0.0, top=top - shift)
    found = with_notes(*(notes.lines if says else notes.lines[:1]), scf=point(silent))
    # A shifter without lock alters nothing.
    assert (found.fermi_energy is None) == says


@FEW
@given(fermi=tops)
def test_a_metal_behind_a_locked_shifter_tells_none_either(fermi: float) -> None:
    notes = Paper()
    electrons.shifter(notes, 0.6, locked=True)
    assert with_notes(*notes.lines, scf=point(Conductor(fermi))).fermi_energy is None
    found = with_notes(scf=point(Conductor(fermi)))
    assert found.fermi_energy == pytest.approx(fermi + 0.02 * 0.4**5, abs=1e-7)


@pytest.mark.parametrize("state", [Placeholders(10), Polarised(Placeholders(9), Insulator(8, -0.2, 0.1)),
                                   Polarised(Insulator(8, -0.2, 0.1), Placeholders(9))])  # fmt: skip
def test_placeholders_are_no_edges(state: State) -> None:
    found = with_notes(scf=point(state))
    assert (found.fermi_energy, found.gap_ev) == (None, None)
    assert "placeholders" in (found.fermi_energy_doubt or "")


def optimised(points: int, state: State, gap: float | None, one_log: bool = False, converged: bool = True) -> bytes:
    geometries = [
        optimization.Point(MGO.scaled(1 + 0.001 * n), -274.5 - 0.001 * n, (0.004, 0.001), (0.1, 0.1) if n else None)
        for n in range(points)
    ]
    scfs = [point(replace(state, top=state.top + 0.01 * n), -274.5 - 0.001 * n, (10.2, 9.8)) for n in range(points)]  # type: ignore[type-var]
    paper = opened(MGO, DFT)
    optimization.heading(paper, "CELL", 1)
    cycles(paper, MGO, scfs[0])
    scf_end(paper, scfs[0], DFT)
    optimization.later_points(paper, geometries, "CELL", DFT, scfs if one_log else ())
    if converged:
        optimization.opt_end(paper, geometries, gaps=[("", gap)] if gap is not None else [])
        frame.ended(paper)
    return paper.text.encode()


@FEW
@given(points=st.integers(2, 5), top=tops, gap=gaps, converged=st.booleans())
def test_of_an_earlier_geometry_nothing_is_told(points: int, top: float, gap: float, converged: bool) -> None:
    state = Insulator(10, top, top + gap)
    found = read_output(optimised(points, state, 3.25, converged=converged))
    assert (found.fermi_energy, found.gap_ev) == (None, 3.25 if converged else None)
    assert "earlier geometry" in (found.fermi_energy_doubt or "")
    assert found.populations is None


def test_points_without_headings_are_other_geometries() -> None:
    text = optimised(3, Insulator(10, -0.2, 0.1), 3.25).decode()
    bare = "\n".join(
        line for line in text.splitlines() if "OPTIMIZATION - POINT    " not in line or line.endswith("   1")
    )
    found = read_output(bare.encode() + b"\n")
    assert (found.fermi_energy, found.gap_ev) == (None, 3.25)


@FEW
@given(points=st.integers(1, 4), top=tops)
def test_of_the_last_geometry_all_is_told(points: int, top: float) -> None:
    state = Insulator(10, top, top + 0.4)
    low, high = settled(replace(state, top=top + 0.01 * (points - 1)))
    gap = round((high - low) * 27.211386, 4)
    found = read_output(optimised(points, state, gap, one_log=True))
    assert found.fermi_energy == pytest.approx(low, abs=1e-7)
    assert (found.gap_ev, found.gap_kind) == (gap, "direct")
    assert found.populations is not None and found.populations.charges == pytest.approx([1.8, -1.8], abs=2e-3)


# -- nuclei and populations ----------------------------------------------------------------------------------------


def cell(numbers: list[int]) -> Structure:
    sites = tuple(Site(z, (0.1 * n, 0.0, 0.0)) for n, z in enumerate(numbers))
    return Structure("Nuclei, invented", 3, ((9.0, 0.0, 0.0), (0.0, 9.0, 0.0), (0.0, 0.0, 9.0)), sites)


def populated(structure: Structure, owned: list[float], notes: Paper, analysed: bool, zeros: bool = True) -> Results:
    paper = Paper()
    frame.banner(paper, "CRYSTAL17")
    frame.started(paper, structure.title)
    geometry(paper, structure)
    paper.line(*notes.lines)
    method(paper, structure, DFT)
    # What the writer begins with, neutral atoms, is not what is read.
    scf = Scf(-70.0, falling(-0.5, 0.2, 16), Conductor(-0.1), tuple(owned))
    cycles(paper, structure, scf)
    scf_end(paper, scf, DFT)
    if analysed:
        mulliken(paper, structure, owned)
    frame.ended(paper)
    return read_output((paper.text if zeros else electrons.without_leading_zeros(paper.text)).encode())


moved = st.lists(st.integers(-900, 900).map(lambda value: value / 1000), min_size=3, max_size=6)


def neutral(shares: list[float]) -> list[float]:
    """Charges that sum up to nothing."""
    return [round(share - sum(shares) / len(shares), 3) for share in shares[:-1]] + [
        round(-sum(round(share - sum(shares) / len(shares), 3) for share in shares[:-1]), 3)
    ]


@FEW
@given(shares=moved, data=st.data(), analysed=st.booleans(), zeros=st.booleans(), listed=st.booleans())
def test_a_ghost_has_no_nucleus(
    shares: list[float], data: st.DataObject, analysed: bool, zeros: bool, listed: bool
) -> None:
    """Its electrons are charge; listed with atomic numbers, or only counted: then the sum must bear it out."""
    charges = neutral(shares)
    places = data.draw(st.sets(st.integers(1, len(charges) - 1), min_size=1))
    if not listed:
        places = {1}
    numbers = [12 + n for n in range(len(charges))]
    charges = [-abs(charge) if place in places else charge for place, charge in enumerate(charges, 1)]
    charges[-1] = round(charges[-1] - sum(charges), 3)
    owned = [
        (0 if place in places else z) - charge
        for place, (z, charge) in enumerate(zip(numbers, charges, strict=True), 1)
    ]
    notes = Paper()
    electrons.ghosts(notes, [(place, numbers[place - 1]) for place in sorted(places)], listed)
    found = populated(cell(numbers), owned, notes, analysed, zeros).populations
    assert found is not None
    assert found.nuclear_charges == [0.0 if place in places else z for place, z in enumerate(numbers, 1)]
    assert found.charges == pytest.approx(charges, abs=2e-3)


@FEW
@given(
    shares=moved,
    core=st.sampled_from([2, 10, 28, 46, 60]),
    told=st.booleans(),
    other=st.booleans(),
    many=st.integers(1, 2),
)
def test_a_core_behind_a_pseudopotential_is_no_charge(
    shares: list[float], core: int, told: bool, other: bool, many: int
) -> None:
    """With Z above 200 or under a plain number. Where the output does not print what is left of the nucleus, no charge."""
    charges = neutral(shares)
    z = core + 9
    # Beside a label above 200 a plain one of the same element keeps its whole nucleus.
    numbers = [z + 200 * other] * many + [z if other and n == 1 else 13 + n for n in range(len(charges) - many)]
    nuclei = [9.0] * many + [float(number) for number in numbers[many:]]
    owned = [nucleus - charge for nucleus, charge in zip(nuclei, charges, strict=True)]
    notes = Paper()
    if told:
        electrons.pseudopotentials(notes, {z: 9.0})
    found = populated(cell(numbers), owned, notes, analysed=False).populations
    assert found is not None
    if told:
        assert found.charges == pytest.approx(charges, abs=1e-3)
    else:
        assert found.charges[:many] == [None] * many
        known = [(own, true) for own, true in zip(found.charges, charges, strict=True) if own is not None]
        assert all(own == pytest.approx(true, abs=1e-3) for own, true in known)


def test_dummy_atoms_and_charged_cells() -> None:
    found = populated(cell([0, 12, 8]), [0.0, 10.2, 8.8], Paper(), analysed=False).populations
    assert found is not None
    assert found.nuclear_charges == [0.0, 12.0, 8.0]
    assert found.charges == pytest.approx([0.0, 1.8, -0.8], abs=1e-4)


# -- energies ------------------------------------------------------------------------------------------------------


@FEW
@given(
    energy=energies,
    width=st.sampled_from([1e-4, 5e-4, 8e-3]),
    entropy=st.floats(0, 0.4),
    correction=st.none() | st.just(-0.05),
)
def test_energies_of_smeared_electrons_are_apart(
    energy: float, width: float, entropy: float, correction: float | None
) -> None:
    paper, scf = opened(MGO, DFT), point(Conductor(-0.1), energy)
    cycles(paper, MGO, scf)
    lines = Paper()
    scf_end(lines, scf, DFT)
    paper.line(*lines.lines[:-2])
    mean = electrons.smeared(paper, width, energy, entropy)
    paper.line(f" TOTAL ENERGY(DFT)(AU)(  6) {mean:.13E} DE-1.0E-09 tester 1.0E-12")
    if correction is not None:
        dispersion(paper, mean, correction)
    frame.ended(paper)
    found = read_output(paper.text.encode())
    assert found.smearing is not None
    assert found.smearing.energy == pytest.approx(energy, rel=1e-11)
    assert found.smearing.free_energy == pytest.approx(energy - width * entropy, rel=1e-11)
    assert found.smearing.entropy_term == pytest.approx(width * entropy, abs=1e-12)
    assert found.energy_total == pytest.approx(mean + (correction or 0), rel=1e-11)
    assert found.energy_kind == ("DFT+DISP (E+F)/2" if correction is not None else "DFT (E+F)/2")
    assert found.energy_scf == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize(("name", "kind"), [("D2", "DISP"), ("GRIMME", "DISP"), ("D3", "DISP"), ("D4", "DISP")])
def test_every_dispersion_is_one(name: str, kind: str) -> None:
    paper, scf = opened(MGO, DFT), point(Conductor(-0.1), -274.5)
    cycles(paper, MGO, scf)
    scf_end(paper, scf, DFT)
    paper.line(
        f" {name} DISPERSION ENERGY (AU)      -1.2500000000000E-02",
        f" TOTAL ENERGY + {kind} (AU)  -2.7451250000000E+02",
    )
    frame.ended(paper)
    found = read_output(paper.text.encode())
    assert (found.energy_total, found.energy_kind, found.energy_dispersion) == (-274.5125, "DFT+DISP", -0.0125)


# -- contents ------------------------------------------------------------------------------------------------------


@FEW
@given(
    numbers=st.builds(electrons.Counts, *[st.integers(1, 9999)] * 5, st.integers(1, 48)),
    edited=st.booleans(), layer=st.booleans(), program=programs,
)  # fmt: skip
def test_counts_and_group(numbers: electrons.Counts, edited: bool, layer: bool, program: str) -> None:
    """A group is told where its operators are still all there."""
    notes = Paper()
    operators = numbers.operators + edited
    if layer:
        electrons.layer_group(notes, 77, "P 6 M M", operators)
    else:
        electrons.space_group(notes, "F M 3 M", operators, centre=False)
    box = Paper()
    electrons.counts(box, numbers)
    paper = opened(MGO, DFT, program, notes=notes.lines)
    paper.line(*box.lines)
    frame.ended(paper)
    found = read_output(paper.text.encode()).contents
    assert found is not None
    assert (found.atoms, found.shells, found.orbitals, found.electrons, found.core_electrons, found.symmetry_operators) == (
        numbers.atoms, numbers.shells, numbers.orbitals, numbers.electrons, numbers.core, numbers.operators,
    )  # fmt: skip
    group = (found.group, found.group_kind, found.group_number)
    if edited:
        assert group == (None, None, None)
    else:
        assert group == (("P 6 M M", "layer group", 77) if layer else ("F M 3 M", "space group", None))


def test_a_density_stands_beside_its_volume() -> None:
    found = read_output(single_point(MGO, point(Conductor(-0.1)), DFT).encode())
    assert found.geometry is not None
    assert found.geometry.density == 1.0 and found.geometry.volume == pytest.approx(MGO.volume)


@FEW
@given(
    first=st.integers(1, 90), more=st.integers(0, 90), unpaired=st.integers(-9, 9), electron_count=st.integers(1, 999)
)
def test_properties_tells_what_its_bands_hold(first: int, more: int, unpaired: int, electron_count: int) -> None:
    paper = Paper()
    frame.banner(paper, "CRYSTAL17")
    paper.line(f" EEEEEEEEEE STARTING  {paper.time()}", "")
    paper.headed(f" {MGO.title:<80}", " CRYSTAL - PROPERTIES - TYPE OF CALCULATION :  UNRESTRICTED OPEN SHELL")
    paper.line(f" SPIN POLARIZED SYSTEM: SUMMED SPIN DENSITY {unpaired:13.8f}", "")
    electrons.counts(paper, electrons.Counts(2, 8, 90, electron_count, 2, 48))
    electrons.band_numbers(paper, first, first + more)
    paper.line(f" FROM BAND {first + 1:4d} TO BAND {first + 2:4d} ENERGY RANGE -0.11794E+01  0.91694E+00")
    frame.ended(paper)
    found = read_output(paper.text.encode())
    assert found.band_numbers == [first, first + more]
    assert found.contents is not None
    assert (found.contents.unpaired, found.contents.electrons) == (unpaired, electron_count)


@pytest.mark.parametrize(
    ("state", "conducting"),
    [(Insulator(10, -0.2, 0.1), False), (Conductor(-0.1), True), (Polarised(Insulator(9, -0.3, 0.1), Conductor(-0.1)), True),
     (Polarised(Conductor(-0.1), Insulator(9, -0.3, 0.1)), True)],
)  # fmt: skip
def test_whether_the_state_conducts(state: State, conducting: bool) -> None:
    """One conducting spin is enough, in whichever order they are printed."""
    found = with_notes(scf=point(state))
    assert (found.conducting, found.gap_ev is None) == (conducting, conducting)
    assert found.fermi_energy is not None
