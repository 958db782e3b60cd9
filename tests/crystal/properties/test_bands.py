"""Band structures against the models that wrote them, and what follows from bands, slabs and volumes."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from app.crystal.decks.remedies import apply
from app.crystal.properties.bands import BandError, filled_bands, read_bands
from app.crystal.properties.equation_of_state import birch_murnaghan, fit_eos
from app.crystal.properties.surfaces import aligned_edge, heaviest, surface_energy
from app.library.templates import TemplateLibrary
from tests.support.corpus import CORPUS
from tests.support.corpus.cases.figures import BETA, MGO_FERMI, MGO_PATH
from tests.support.corpus.electronic import MAGNESIA, cosines
from tests.support.corpus.figures import band_file


def test_every_energy_is_that_of_the_model() -> None:
    """Five digits are printed; the gap is that of the output beside it, 6.895 eV, direct at Γ."""
    found = read_bands((CORPUS / "mgo-bands" / "main.BAND").read_text())
    points = [point for _, line in MGO_PATH.parts for point in line]
    assert found.energies.shape == (1, 14, 91) == (1, len(MAGNESIA), len(points))
    model = np.array([cosines(MAGNESIA)(point) for point in points]).T
    assert np.allclose(found.energies[0], model, rtol=1e-4, atol=1e-9)
    assert [name for _, name in found.nodes] == ["(0,0,0)/4", "(2,0,2)/4", "(2,2,2)/4", "(0,0,0)/4", "(2,1,3)/4"]
    # From Γ to X in a face-centred lattice: 2π/a.
    assert found.nodes[1][0] == pytest.approx(2 * np.pi / 4.24 * 0.529177, abs=1e-5)
    summary = found.summary()
    assert (summary.fermi_energy, summary.valence_top) == (MGO_FERMI, pytest.approx(MGO_FERMI, abs=1e-6))
    assert (summary.conduction_bottom - summary.valence_top) * 27.2114 == pytest.approx(6.8954, abs=1e-3)  # type: ignore[operator]
    assert (summary.count, summary.spins, summary.points) == (14, 1, 91)
    assert summary.means[0] == pytest.approx(-46.6 + MGO_FERMI, abs=1e-6)


def test_two_spins_letters_and_bands_that_touch() -> None:
    both = read_bands((CORPUS / "mgo-spin" / "main.BAND").read_text())
    assert both.energies.shape == (2, 14, 91)
    assert np.allclose(both.energies[0, :10], both.energies[1, :10])
    assert both.energies[1, 10, 0] == pytest.approx(BETA[10][0])
    assert both.summary().conduction_bottom == pytest.approx(MGO_FERMI + BETA[10][0])
    letters = read_bands((CORPUS / "nacl-crystal14" / "main.BAND").read_text())
    assert [name for _, name in letters.nodes] == ["A"] * 5
    assert letters.fermi is None
    graphene = read_bands((CORPUS / "graphene" / "main.BAND").read_text())
    place = next(index for index, distance in enumerate(graphene.distances) if distance == graphene.nodes[1][0])
    assert graphene.nodes[1][1] == "(2,2,0)/6"
    assert graphene.energies[0, 2:, place] == pytest.approx([0, 0], abs=1e-6)


def test_a_band_that_crosses_the_fermi_energy_leaves_no_edges() -> None:
    metal = read_bands(band_file(MGO_PATH, [cosines(((-0.3, 0.1), (-0.1, 0.4), (0.5, 0.1)))], 0.1)).summary()
    assert (metal.valence_top, metal.conduction_bottom, metal.fermi_energy) == (None, None, 0.1)


def test_a_cut_or_foreign_file_is_refused() -> None:
    text = (CORPUS / "graphene" / "main.BAND").read_text()
    chance = random.Random(1)
    for _ in range(60):
        cut = text[: chance.randrange(len(text) - 60)]
        with pytest.raises(BandError):
            read_bands(cut)
    with pytest.raises(BandError):
        read_bands("# NKPT 999999 NBND 999999 NSPIN 9\n")
    assert "-0.10103E+02" in text
    with pytest.raises(BandError, match="not a number"):
        read_bands(text.replace("-0.10103E+02", "nonsense", 1))


def test_the_minimum_of_a_parabola_and_nothing_else() -> None:
    """A Birch–Murnaghan curve made with its own formula is found again."""
    v0, e0, b0 = 18.7, -274.6, 160.0
    b = b0 / 4359.744722 * 1.0  # GPa in hartree/Å³
    volumes = [v0 * (1 + x / 100) for x in range(-8, 9, 2)]

    def energy(v: float) -> float:
        x = (v0 / v) ** (2 / 3)
        return e0 + 9 * v0 * b / 16 * ((x - 1) ** 3 * 4.0 + (x - 1) ** 2 * (6 - 4 * x))

    found = fit_eos([*volumes, None], [*map(energy, volumes), -1.0])
    assert found["volume"] == pytest.approx(v0, rel=1e-6)
    assert found["energy"] == pytest.approx(e0, abs=1e-8)
    assert found["bulk_modulus"] == pytest.approx(b0, rel=1e-5)
    known = {"volume": v0, "energy": e0, "bulk_modulus": b0, "derivative": 4.0}
    assert [birch_murnaghan(v, known) for v in volumes] == pytest.approx([energy(v) for v in volumes], abs=1e-8)
    with pytest.raises(ValueError, match="at least five"):
        fit_eos([1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="minimum"):
        fit_eos([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1])


def test_surface_energy_and_alignment() -> None:
    """Two hartree more than the bulk on two faces of 10 Å² each: 0.1 Ha/Å²."""
    assert surface_energy(-98, 10, -20, 2, [2, 5, 500, 90, 90, 90]) == pytest.approx(0.1 * 435.97447222)
    with pytest.raises(ValueError):
        surface_energy(-98, 0, -20, 2, [2, 5, 500, 90, 90, 90])
    assert heaviest([{"number": 12}, {"number": 8}, {"number": 112}, {"number": 12}]) == 1
    # The slab's cores lie 0.3 Ha lower than the bulk's: so does the edge.
    assert aligned_edge(-0.1, [-46.0, -18.0], [-46.35, -46.3, -46.25, -18.3], 1, 3) == pytest.approx(-0.4)
    with pytest.raises(ValueError):
        aligned_edge(-0.1, [-46.0], [-46.3], 2, 3)


@pytest.mark.parametrize(
    ("name", "end", "expected"),
    [
        ("more_cycles", "scf-not-converged", ({"maxcycle": 200, "guess_file": "job:a/fort.9"}, {})),
        ("more_cycles", "timeout", None),
        ("more_mixing", "scf-not-converged", ({"fmixing": 80, "guess_file": "job:a/fort.9"}, {})),
        ("longer", "timeout", ({"guess_file": "job:a/fort.9"}, {"walltime": "02:00:00"})),
        ("more_memory", "memory", ({}, {"memory_mb": 4000})),
        ("restart", "opt-not-converged", None),
    ],
)  # fmt: skip
def test_remedies_change_what_they_say(name: str, end: str, expected: Any) -> None:
    template = TemplateLibrary().get("scf").spec
    resources = {"walltime": "01:00:00", "memory_mb": 2000}
    found = apply(
        name, end, template, {"maxcycle": 100}, resources, {"fort.9": "job:a/fort.9"} if name != "restart" else {}
    )
    assert ((found.parameters, found.resources) if found else None) == expected


def test_a_remedy_stays_within_what_a_field_takes() -> None:
    template = TemplateLibrary().get("scf").spec
    found = apply("more_cycles", "scf-not-converged", template, {"maxcycle": 900}, {}, {})
    assert found is not None
    assert found.parameters == {"maxcycle": 999}
    assert apply("more_cycles", "scf-not-converged", template, {"maxcycle": 999}, {}, {}) is None


def test_the_time_limit_of_a_job_is_known_in_seconds() -> None:
    """So it stands in the database; requests say it as text."""
    template = TemplateLibrary().get("scf").spec
    found = apply("longer", "timeout", template, {}, {"walltime_s": 60, "ntasks": 1}, {})
    assert found is not None
    assert found.resources == {"walltime": "00:02:00"}


def test_restart_files_go_where_they_fit() -> None:
    files = {name: f"job:a/{name}" for name in ("OPTINFO.DAT", "FREQINFO.DAT", "fort.13", "fort.9")}
    library = TemplateLibrary()
    found = apply("longer", "timeout", library.get("phonon").spec, {}, {"walltime_s": 60}, files)
    assert found is not None
    assert found.parameters["restart_file"] == "job:a/FREQINFO.DAT"
    assert found.parameters["restart_density"] == "job:a/fort.13"
    optimisation = library.get("optimization").spec
    again = apply("restart", "opt-not-converged", optimisation, {"max_points": 50}, {}, files)
    assert again is not None
    assert (again.parameters["restart_file"], again.parameters["max_points"]) == ("job:a/OPTINFO.DAT", 100)
    fresh = apply("fresh_start", "bfgs", optimisation, {"restart_file": "job:a/OPTINFO.DAT"}, {}, files)
    assert fresh is not None
    assert fresh.parameters == {"restart_file": None}


# -- insulator or metal ---------------------------------------------------------------------------------------------------

SEMIMETAL = ((-0.5, 0.02), (-0.1, 0.1), (0.0, 0.3), (0.6, 0.1))
"""The second band ends where the third begins."""


@pytest.mark.parametrize("error", [-0.04, 0.0, 0.05])
def test_counted_electrons_decide_whatever_the_fermi_energy(error: float) -> None:
    """A Fermi energy of a coarse mesh lies within a band; the edges follow from the bands that are filled."""
    model = ((-0.5 - error, 0.02), (-0.1 - error, 0.08), (0.2 - error, 0.3), (0.6 - error, 0.1))
    bands = read_bands(band_file(MGO_PATH, [cosines(model)], 0.1 + error))
    summary = bands.summary(filled_bands(4, None, 1, 1))
    assert summary.filled == [2]
    assert summary.conduction_bottom is not None and summary.valence_top is not None
    edges = bands.energies[0, :2].max(), bands.energies[0, 2:].min()
    assert summary.conduction_bottom - summary.valence_top == pytest.approx(edges[1] - edges[0])
    assert bands.summary(filled_bands(6, None, 1, 1)).filled == [3]


def test_bands_that_touch_or_overlap_have_no_edges() -> None:
    touching = read_bands(band_file(MGO_PATH, [cosines(SEMIMETAL)], 0.1))
    assert touching.energies[0, 1].max() == pytest.approx(touching.energies[0, 2].min(), abs=0.02)
    overlap = read_bands(band_file(MGO_PATH, [cosines(((-0.5, 0.0), (-0.1, 0.2), (0.05, 0.3), (0.9, 0.0)))], 0.1))
    summary = overlap.summary(filled_bands(4, None, 1, 1))
    assert (summary.valence_top, summary.conduction_bottom, summary.filled) == (None, None, [2])
    graphene = read_bands((CORPUS / "graphene" / "main.BAND").read_text())
    half = graphene.summary(filled_bands(6, None, 1, 1))
    assert (half.valence_top, half.filled) == (None, [3])


def test_each_spin_has_its_own_electrons() -> None:
    alpha, beta = cosines(((-0.6, 0.0), (-0.3, 0.1), (0.4, 0.1))), cosines(((-0.5, 0.0), (0.2, 0.1), (0.5, 0.1)))
    bands = read_bands(band_file(MGO_PATH, [alpha, beta], 0.0))
    filled = filled_bands(3, 1.0, 1, 2)
    assert filled == [2, 1]
    summary = bands.summary(filled)
    assert summary.valence_top == pytest.approx(bands.energies[0, 1].max())
    assert summary.conduction_bottom == pytest.approx(bands.energies[1, 1].min())


@pytest.mark.parametrize(
    ("electrons", "unpaired", "first", "spins", "filled"),
    [
        (20, None, 1, 1, [10]), (20, None, 8, 1, [3]), (20, None, 14, 1, []), (19, None, 1, 1, []), (None, None, 1, 1, []),
        (20, None, None, 1, []), (20, None, 1, 2, []), (20, 2.0, 1, 2, [11, 9]), (20, -4.0, 3, 2, [6, 10]),
        (20, 1.0, 1, 2, []), (20, 2.37, 1, 2, []), (20, 0.001, 1, 2, [10, 10]),
    ],
)  # fmt: skip
def test_electrons_are_counted_or_not(
    electrons: int | None, unpaired: float | None, first: int | None, spins: int, filled: list[int]
) -> None:
    assert filled_bands(electrons, unpaired, first, spins) == filled
