"""The part of a job's page that shows its results: every subject, outputs of every kind, and what an older reader left."""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from types import SimpleNamespace
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from app.crystal.outputs.facts.elasticity import Elasticity
from app.crystal.outputs.reader import read_output
from app.crystal.outputs.results import Results
from app.crystal.outputs.stored import with_all_fields
from app.routes.rendering import pages
from app.services.results.remedies import Remedies
from tests.support.corpus import CORPUS

OUTPUTS = sorted(CORPUS.glob("*/*.out*"))


def shown(*outputs: tuple[str, dict[str, Any]]) -> str:
    """The results of a job's outputs as its page shows them."""
    results = [
        SimpleNamespace(output=name, verdict=stored.get("verdict", "completed"), results=stored)
        for name, stored in outputs
    ]
    view = SimpleNamespace(results=results, main_result=results[0].results if results else {})
    return pages.env.get_template("jobs/results.html").render(view=view, remedies=Remedies())


def words(html: str) -> str:
    """The text alone, with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def cells(html: str) -> list[list[str]]:
    """The rows of all tables."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [[words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_results_of_every_output_can_be_shown(path: Any) -> None:
    stored = read_output(path.read_bytes()).as_dict()
    html = shown((path.name, stored))
    assert stored["verdict"] in words(html)
    if stored["energy_total"] is not None:
        assert f"{stored['energy_total']:.8f} Ha" in words(html)
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        assert len({len(row) for row in cells(table)}) == 1, table


def test_an_empty_document_of_an_older_reader_can_be_shown() -> None:
    assert "Verdict" in shown(("a.out", {"verdict": "failed"}))
    assert shown().strip() == ""


def bare(hint: Any) -> Any:
    """A part, or a list of one part, without any of its fields; None for what is no part."""
    if is_dataclass(hint):
        return {}
    for inner in get_args(hint):
        if (part := bare(inner)) is not None and get_origin(hint) is not dict:
            return [part] if get_origin(hint) is list else part
    return None


@pytest.mark.parametrize("name", [name for name, hint in get_type_hints(Results).items() if bare(hint) is not None])
def test_a_part_that_lacks_all_its_fields_can_be_shown(name: str) -> None:
    """As an older reader wrote it before the part had any of the fields of now."""
    assert "Verdict" in shown(("a.out", {name: bare(get_type_hints(Results)[name])}))


def test_charges_without_a_geometry_are_shown_by_the_number_of_the_atom() -> None:
    html = shown(("a.out", {"populations": {"charges": [1.25, None], "spins": []}}))
    assert cells(html) == [["Atom", "Charge / |e|"], ["1", "+1.2500"], ["2", "–"]]


def test_charges_and_spins_stand_beside_their_atoms() -> None:
    atoms = [{"number": 26, "symbol": "FE"}, {"number": 8, "symbol": "O"}]
    populations = {"charges": [1.5, -1.5], "spins": [3.6, 0.25]}
    html = shown(("a.out", {"populations": populations, "geometry": {"atoms": atoms}}))
    assert cells(html)[1:] == [["1 FE", "+1.5000", "+3.6000"], ["2 O", "-1.5000", "+0.2500"]]


def test_a_long_table_says_what_it_leaves_out() -> None:
    html = shown(("a.out", {"populations": {"charges": [0.5] * 230}}))
    assert len(cells(html)) == 201 and "The first 200 of 230 rows" in words(html)


def test_a_column_without_any_value_is_left_out() -> None:
    states = [{"temperature": 298.15, "pressure": 0.1, "gibbs_energy": -1.5}]
    html = shown(("a.out", {"thermodynamics": states}))
    assert cells(html) == [["T / K", "p / MPa", "EL+E0+ET+PV−TS / Ha"], ["298.15", "0.1", "-1.50000000"]]


def test_a_tensor_names_its_axes_and_its_unit() -> None:
    constants = [[300.0 if row == column else 100.0 for column in range(6)] for row in range(6)]
    html = shown(("a.out", {"elasticity": {"constants": constants, "bulk_modulus": 166.667}}))
    assert cells(html)[0] == ["GPa", "xx", "yy", "zz", "yz", "xz", "xy"]
    assert cells(html)[2][:3] == ["yy", "100.00", "300.00"]
    assert "Elastic constants, bulk modulus 166.67 GPa" in words(html)


def test_phonons_of_a_supercell_name_their_own_cell_and_energy() -> None:
    text = words(
        shown(("a.out", {"phonon_cell": {"atoms": 2, "multiple": 8, "energy": -275.25}, "energy_total": -2202.0}))
    )
    assert "2 atoms a supercell of 8 such cells was computed" in text
    assert "Electronic energy of this cell -275.25000000 Ha" in text


def test_fields_charges_and_longitudinal_modes_are_tables() -> None:
    unit = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    polarisation = {
        "polarizability": unit, "responses": [{"frequency_ev": 0.0}, {"frequency_ev": 2.5, "dielectric": unit}],
        "chi2_unit": "PM/V",
        "second_order": [{"component": "XXZ", "beta": 1.5, "chi2": -2.5}],
        "born_charges": [{"atom": 1, "symbol": "Mg", "charge": 1.0, "tensor": unit}],
        "oscillator_strengths": [{"mode": 4, "tensor": unit}],
    }  # fmt: skip
    mode = {"first": 4, "last": 6, "frequency_cm1": 250.5, "shift_cm1": 80.25, "directions": [[0.0, 0.0, 1.0]]}
    scattering = {
        "first": 1,
        "last": 1,
        "frequency_cm1": 99.5,
        "raman_intensity": 5.0,
        "raman_crystal": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    }
    html = shown(("a.out", {"polarisation": polarisation, "longitudinal_modes": [mode], "modes": [scattering]}))
    rows = cells(html)
    assert next(row for row in rows if "Mg" in row)[:5] == ["1", "Mg", "+1.0000", "+1.0000", "+0.0000"]
    assert ["XXZ", "1.5000", "-2.5000"] in rows and ["Component", "β / a.u.", "χ(2) / PM/V"] in rows
    assert ["4", "6", "250.5000", "80.250"] in rows and ["4", "6", "0.0000", "0.0000", "1.0000"] in rows
    assert ["1", "1", "99.5000", "1.00", "2.00", "3.00", "4.00", "5.00", "6.00"] in rows
    assert "Response at 2.5 eV" in words(html) and "Response at 0 eV" not in words(html)


def test_constants_of_a_slab_are_shown_per_cell_and_by_area() -> None:
    matrix = [[4.0, 0.5, 0.0], [0.5, 4.0, 0.0], [0.0, 0.0, 1.75]]
    elasticity = {"constants": matrix, "unit": "hartree", "per_size": matrix, "per_size_unit": "N/m"}
    html = shown(("a.out", {"elasticity": elasticity}))
    assert [cells(html)[0], cells(html)[4]] == [["Ha/cell", "xx", "yy", "xy"], ["N/m", "xx", "yy", "xy"]]
    assert "GPa" not in words(html)


def test_an_enthalpy_stands_beside_the_energy_with_its_doubt() -> None:
    load = {"kind": "pressure", "pressure_gpa": 50.0, "work": 0.2, "energy_uncertainty": 0.0005}
    text = words(shown(("a.out", {"energy_total": -100.0, "enthalpy": -99.8, "external": load})))
    assert "Total energy -100.00000000 Ha" in text and "Enthalpy -99.80000000 Ha" in text
    assert "External pressure 50.0000 GPa" in text and "± 5e-04 Ha" in text
    exact = words(shown(("a.out", {"enthalpy": -99.8, "external": load | {"energy_uncertainty": None}})))
    assert "±" not in exact


def test_stress_and_forces_name_their_geometry() -> None:
    stress = {
        "tensor": [[-1e-3, 0, 0], [0, -1e-3, 0], [0, 0, -1e-3]],
        "pressure_gpa": 29.4,
        "point": 1,
        "of_last_geometry": False,
    }
    forces = {"atoms": [[0.0, 0.0, 0.25]], "point": 4, "of_last_geometry": True}
    text = words(shown(("a.out", {"stress": stress, "forces": forces})))
    assert "Stress of point 1, 29.400 GPa" in text and "Forces of the last geometry" in text


def test_several_volumes_their_fits_and_tables_are_shown() -> None:
    fits = [{"form": "VINET 1987", "volume": 19.0, "energy": -271.5, "bulk_modulus": 160.0, "derivative": None}]
    tables = [{"title": "THERMAL PROPERTIES", "order": 3, "pressure_gpa": 5.0, "columns": ["T(K)", "V(A^3)"],
               "rows": [[100.0, 19.25], [300.0, None]]}]  # fmt: skip
    results = {
        "energy_volume": {"fits": fits}, "thermal_tables": tables, "volumes": [{"volume": 19.0, "energy": -271.25}],
        "thermodynamics": [{"temperature": 300.0, "pressure": 0.1, "gibbs_energy": -1.0, "volume": 27.5}],
    }  # fmt: skip
    html = shown(("a.out", results))
    assert ["VINET 1987", "19.0000", "-271.50000000", "160.00"] in cells(html)
    assert ["19.000000", "-271.25000000"] in cells(html)
    assert ["T(K)", "V(A^3)"] in cells(html) and ["300", "–"] in cells(html)
    assert "Thermal properties at 5.0 GPa, polynomials of order 3" in words(html)
    assert cells(html)[1][0] == "27.5000"


def test_one_warning_is_not_called_warnings() -> None:
    assert "1 warning " in words(shown(("a.out", {"warnings": ["WARNING **** SYMM"]})))
    assert "2 warnings" in words(shown(("a.out", {"warnings": ["a", "b"]})))


def test_each_output_shows_its_own_values() -> None:
    html = shown(
        ("main.out", {"verdict": "completed", "energy_total": -1.0}),
        ("bands.outp", {"verdict": "failed", "dielectric": {"electronic": [[2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]]}}),
    )
    assert html.count('id="energy"') == 1
    assert words(html).index("bands.outp") < words(html).index("Dielectric tensor")


def test_stored_results_get_the_fields_of_now_in_all_depths() -> None:
    filled = with_all_fields({"elasticity": {"bulk_modulus": 5.0}, "modes": [{"first": 1}], "geometry": None})
    assert filled["elasticity"] == {**vars(Elasticity()), "bulk_modulus": 5.0}
    assert filled["modes"][0]["first"] == 1 and filled["modes"][0]["raman_intensity"] is None
    assert filled["modes"][0]["frequency_cm1"] is None
    assert filled["geometry"] is None and filled["populations"] is None and filled["thermodynamics"] == []


def test_what_is_stored_completely_stays_as_it_is() -> None:
    stored = read_output((CORPUS / "mgo-scf" / "main.out").read_bytes()).as_dict()
    assert with_all_fields(stored) == stored


def test_vectors_of_atoms_have_a_column_for_each_axis() -> None:
    forces = {"atoms": [[0.0, 0.0, 0.0015], [0.0, 0.0, -0.0015]], "of_last_geometry": True}
    html = shown(("a.out", {"forces": forces}))
    assert cells(html)[0] == ["Atom", "Fx / Ha/bohr", "Fy / Ha/bohr", "Fz / Ha/bohr"]
    assert cells(html)[2] == ["2", "0.000000", "0.000000", "-0.001500"]


def test_places_of_critical_points_are_numbers_side_by_side() -> None:
    points = [
        {"signature": -1, "field": "density", "fractional": [0.25, 0.0, 0.5], "density": 0.0412},
        {"signature": 3, "field": "density", "fractional": None, "density": 0.001},
    ]
    html = shown(("a.outp", {"critical_points": points}))
    assert [row[2] for row in cells(html)] == ["x y z / cell", "0.2500 0.0000 0.5000", "–"]


def test_names_in_titles_keep_their_capital() -> None:
    table = {"title": "thermal properties from helmholtz free energy", "columns": ["T(K)"], "rows": [[100.0]]}
    assert "Thermal properties from Helmholtz free energy" in words(shown(("a.out", {"thermal_tables": [table]})))
