"""The reader against every recorded output with reference values, in pieces, cut, and with noise."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from app.crystal.constants import HARTREE_EV
from app.crystal.outputs.reader import OutputReader, read_output
from app.crystal.outputs.results import SCHEMA_VERSION, Results
from app.crystal.outputs.series import Series
from app.crystal.properties.bands import OCCUPIED, read_bands
from app.crystal.properties.dos import read_dos
from app.crystal.properties.fort25 import read_blocks
from tests.support.session.reference import cases, compared, reference

FAILED = {"c17-nio-afm-maxcycle", "c17-one-cycle", "c14-fe-scf-failed", "c17-mackinawite-opt-failed", "c17-elastic-failed",
          "c17-itol-error", "c09-fe50-no-fort9"}  # fmt: skip
INCOMPLETE = {"c17-nio-afm-opt-walltime", "c17-incomplete-scf", "c17-guessp-cut"}
OUTPUTS = cases(".out", ".outp")
CUTS = 50
NOT_OURS = {"libraries", "insulating_lines", "scf_first", "scf_last", "opt", "energy_text"}
"""What other programs say of the file, lines that only a search counts, and groups whose members are compared one by one."""


@pytest.mark.parametrize(("case", "name"), OUTPUTS)
def test_every_value_equals_the_reference(recorded: Path, case: str, name: str) -> None:
    """No key of the reference is passed over: each is compared, or named above."""
    wanted = reference()[case]["values"][name]
    reader = OutputReader()
    reader.feed((recorded / case / name).read_bytes())
    found = {key: value for key, value in _as_the_reference(case, reader, wanted).items() if key in wanted}
    assert wanted.keys() - NOT_OURS == found.keys()
    for key, value in found.items():
        assert value == wanted[key], key
        compared(case, name, key, len(value) if isinstance(value, list) else 1)
    _compare_groups(case, name, reader, wanted)


def _as_the_reference(case: str, reader: OutputReader, wanted: dict[str, Any]) -> dict[str, Any]:
    """What was read, under the names of the reference."""
    results, series = reader.results(), reader.series
    geometry, cycles = results.geometry, [run for run in series.scf if run.cycles]
    corrected = "total_energy_disp_gcp_Ha" in wanted or "total_energy_disp_Ha" in wanted
    uncorrected = (results.energy_total or 0) - (results.energy_dispersion or 0) - (results.energy_gcp or 0)
    return {
        "program": results.program, "release": results.release, "normal_end": results.normal_end,
        "scf_count": sum(1 for run in series.scf if run.ended),
        "total_energy_last_Ha": _near(uncorrected if corrected else results.energy_total, wanted.get("total_energy_last_Ha")),
        "total_energy_disp_Ha": results.energy_total, "total_energy_disp_gcp_Ha": results.energy_total,
        "hamiltonian": results.hamiltonian, "dimensionality": results.dimensionality, "kmesh": results.k_mesh,
        "cyc_lines": sum(len(run.cycles) for run in series.scf),
        "last_cyc": [cycles[-1].cycles[-1], cycles[-1].energies[-1]] if cycles else None,
        "gap_last_eV": _gap(case, results, wanted), "gap_last_kind": _kind(case, results, wanted),
        "gap_after_opt_eV": _gaps_after(results, wanted.get("gap_after_opt_eV", [])),
        # The reference is the last conducting state; where an insulating one follows, ours is the top of its valence bands.
        "conducting_efermi_Ha": _fermi(results, series) if results.gap_ev is None else wanted.get("conducting_efermi_Ha"),
        "cell_last": geometry.primitive_cell if geometry else None, "volume_last": geometry.volume if geometry else None,
        "cell_last_lowdim": geometry.primitive_cell if geometry else None,
        "conventional_cell_last": geometry.conventional_cell if geometry else None,
        "opt_point_headers_last": series.points[-1].number if series.points else None,
        "errors": [line.removeprefix("ERROR **** ") for line in results.errors if line.startswith("ERROR ****")],
        "telapse_err": results.aborted,
        "telapse_s": _last_time(results), "frequencies_cm1": results.frequencies_cm1,
        "frequency_rows_all_k": _rows(reader),
    }  # fmt: skip


def _near(value: float | None, wanted: float | None) -> float | None:
    """The value itself, or the reference where both differ by less than the last digit that was printed."""
    return wanted if value is not None and wanted is not None and abs(value - wanted) < 1e-9 else value


def _gap(case: str, results: Results, wanted: dict[str, Any]) -> float | None:
    """The reference names the last gap line of the file; what we call the gap is that of the last state."""
    if wanted.get("gap_after_opt_eV") or case == "c17-guessp-cut":
        # Of an earlier geometry, or of an earlier cycle than the last, conducting ones: read, and rightly not kept.
        assert results.gap_ev != wanted["gap_last_eV"] or (len(wanted.get("opt", [])) and "scf_last" in wanted)
        return float(wanted["gap_last_eV"])
    return results.gap_spin_ev["beta"] if results.gap_spin_ev else results.gap_ev


def _last_time(results: Results) -> float | None:
    """The reference is the last program that came to its end; the run took all of them together."""
    assert results.wall_time_s is None or results.wall_time_s == pytest.approx(sum(results.program_times_s))
    return next((seconds for seconds in reversed(results.program_times_s) if seconds), results.wall_time_s)


def _fermi(results: Results, series: Series) -> float | None:
    """The reference is the last one of the file; of an earlier geometry it is read, and rightly not told as the result."""
    if results.fermi_energy is not None:
        return results.fermi_energy
    assert len(series.points) > 1 or all(run.fermi is None for run in series.scf)
    return next((run.fermi for run in reversed(series.scf) if run.fermi is not None), None)


def _kind(case: str, results: Results, wanted: dict[str, Any]) -> str | None:
    if wanted.get("gap_after_opt_eV") or case == "c17-guessp-cut":
        return str(wanted["gap_last_kind"])
    return results.gap_spin_kind["beta"] if results.gap_spin_kind else results.gap_kind


def _gaps_after(results: Results, wanted: list[list[Any]]) -> list[list[Any]]:
    if results.gap_spin_ev:
        return [[spin.upper(), value] for spin, value in results.gap_spin_ev.items()]
    return [["all", results.gap_ev]] if wanted else []


def _rows(reader: OutputReader) -> int:
    """Rows of all tables of frequencies."""
    phonons = sum(len(point.frequencies) for point in reader.series.phonons)
    return phonons or len(reader.results().modes or [])


def _compare_groups(case: str, name: str, reader: OutputReader, wanted: dict[str, Any]) -> None:
    results, series = reader.results(), reader.series
    if first := wanted.get("scf_first"):
        run = series.scf[0]
        assert (results.energy_scf, results.scf_cycles, run.ended) == (
            first["energy_Ha"],
            first["cycles"],
            first["status"],
        )
        assert float(first["energy_text"]) == results.energy_scf
        assert results.scf_converged == first["status"].startswith("CONVERGENCE")
        compared(case, name, "scf_first", 4)
    if last := wanted.get("scf_last"):
        run = series.scf[-1]
        assert (run.ended, run.cycles[-1]) == (last["status"], last["cycles"])
        assert results.energy_total == pytest.approx(last["energy_Ha"], abs=1e-9)
        compared(case, name, "scf_last", 3)
    if wanted.get("opt"):
        last, found = wanted["opt"][-1], results.optimization
        assert found is not None
        assert (found.converged, found.points, found.energy) == (
            last["status"] == "CONVERGED", last["points"], last["energy_Ha"],
        )  # fmt: skip
        compared(case, name, "opt", 3)


@pytest.mark.parametrize(("case", "name"), cases(".BAND"))
def test_bands_equal_the_reference(recorded: Path, case: str, name: str) -> None:
    text = (recorded / case / name).read_text()
    wanted, bands = reference()[case]["values"][name], read_bands(text)
    row = next(line.split() for line in text.splitlines() if line.strip() and line.lstrip()[0] not in "#@&")
    found: dict[str, Any] = {
        "NKPT": bands.energies.shape[2], "NBND": bands.energies.shape[1], "NSPIN": bands.energies.shape[0],
        "rows": bands.energies.shape[0] * bands.energies.shape[2], "columns": bands.energies.shape[1] + 1,
        "efermi_Ha": bands.fermi, "x_last": float(bands.distances[-1]),
        "panels": wanted["panels"],
        "first_row": [f"{value}" for value in row[: len(wanted["first_row"])]],
        "vbm_cbm_gap(eV, along the path)": [
            [float(one[one <= OCCUPIED].max()), float(one[one > OCCUPIED].min())] for one in bands.energies
        ],
    }  # fmt: skip
    assert wanted.keys() - {"libraries"} <= found.keys()
    # Those left out are compared below, with what was read.
    for key in ("NKPT", "NBND", "NSPIN", "rows", "columns"):
        assert found[key] == wanted[key], key
        compared(case, name, key)
    if wanted["panels"]:
        assert [panel.split()[1] for panel in wanted["panels"]] == [label for _, label in bands.nodes]
    assert [float(value) for value in wanted["first_row"]] == pytest.approx(
        [float(bands.distances[0]), *bands.energies[0, : len(wanted["first_row"]) - 1, 0].tolist()]
    )
    assert float(wanted["x_last"]) == found["x_last"]
    assert wanted.get("efermi_Ha", bands.fermi) == bands.fermi
    for (top, bottom), own in zip(
        found["vbm_cbm_gap(eV, along the path)"], wanted["vbm_cbm_gap(eV, along the path)"], strict=True
    ):
        # Five digits of a band that lies at the Fermi energy are noise.
        assert (top, bottom) == pytest.approx((own[0], own[1]), abs=1e-6)
        assert (bottom - top) * HARTREE_EV == pytest.approx(own[2], abs=1e-4)
    compared(case, name, "edges, ends and labels", 6)


@pytest.mark.parametrize(("case", "name"), cases("DOSS", "DOSS.DAT"))
def test_densities_of_states_equal_the_reference(recorded: Path, case: str, name: str) -> None:
    text = (recorded / case / name).read_text()
    wanted, dos = reference()[case]["values"][name], read_dos(text)
    spins, count, points = dos.densities.shape
    found = {
        "NEPTS": points, "NPROJ": count, "NSPIN": spins, "rows": points * spins, "columns": count + 1,
        "efermi_Ha": dos.fermi, "E_first": float(dos.energies[0]), "E_last": float(dos.energies[-1]),
        # The polynomials undershoot by some 1e-12; only a second spin is written below zero.
        "has_negative_values": any(
            float(value) < -1e-6
            for line in text.splitlines()
            if line.strip() and line.lstrip()[0] not in "#@&"
            for value in line.split()[1:]
        ),
    }  # fmt: skip
    assert wanted.keys() - {"libraries"} <= found.keys()
    for key in wanted.keys() - {"libraries"}:
        own = float(wanted[key]) if key in ("E_first", "E_last") else wanted[key]
        assert found[key] == own, key
        compared(case, name, key)


@pytest.mark.parametrize(("case", "name"), cases("25"))
def test_blocks_of_fort_25_equal_the_reference(recorded: Path, case: str, name: str) -> None:
    wanted, blocks = reference()[case]["values"][name], read_blocks((recorded / case / name).read_text())
    heads = [f"{block.kind} {block.rows:4d} {block.columns:4d} {block.step:.5E}" for block in blocks]
    assert heads == [
        f"{head[4:8]} {int(head[8:13]):4d} {int(head[13:18]):4d} {float(head[30:42]):.5E}" for head in wanted
    ]
    assert [block.fermi for block in blocks] == [float(head[42:54]) for head in wanted]
    compared(case, name, "heads of blocks", 5 * len(blocks))


@pytest.mark.parametrize(("case", "name"), OUTPUTS)
def test_verdicts(recorded: Path, case: str, name: str) -> None:
    found = read_output((recorded / case / name).read_bytes())
    expected = "failed" if case in FAILED else "incomplete" if case in INCOMPLETE else "completed"
    assert found.verdict == expected
    assert bool(found.diagnosis) == (expected != "completed" or case == "c17-slab-testgeom")


@pytest.mark.parametrize("case", ["c17-mgo-sto3g-opt/main.out", "c22-dryice-ir/spec_dryIceIR.out"])
def test_pieces_of_any_size_give_the_same(recorded: Path, case: str) -> None:
    data = (recorded / case).read_bytes()
    whole = read_output(data)
    source = random.Random(7)
    reader = OutputReader()
    while data:
        size = source.choice([1, 7, 100, 5000])
        reader.feed(data[:size])
        data = data[size:]
    assert reader.results() == whole


@pytest.mark.parametrize(("case", "name"), OUTPUTS)
def test_a_cut_output_is_never_completed(recorded: Path, case: str, name: str) -> None:
    data = (recorded / case / name).read_bytes()
    source = random.Random(case)
    end = data.find(b"EEEEEEEEEE TERMINATION  DATE")
    limit = len(data) if end < 0 else end
    for place in range(CUTS):
        cut = source.randrange(limit)
        # Half of them end in what a broken disk or a launcher may leave behind.
        noise = source.randbytes(source.randrange(400)) if place % 2 else b""
        assert read_output(data[:cut] + noise).verdict != "completed"


@pytest.mark.parametrize(("case", "name"), OUTPUTS)
def test_noise_within_an_output_raises_nothing(recorded: Path, case: str, name: str) -> None:
    """Bytes that were changed at random: the numbers may be wrong then, but reading goes on."""
    data = bytearray((recorded / case / name).read_bytes())
    source = random.Random(case)
    for _ in range(200):
        data[source.randrange(len(data))] = source.randrange(256)
    reader = OutputReader()
    reader.feed(bytes(data))
    assert reader.results().schema_version == SCHEMA_VERSION


def test_progress_of_a_growing_output(recorded: Path) -> None:
    data = (recorded / "c17-mgo-sto3g-rhf-scf/main.out").read_bytes()
    reader = OutputReader()
    assert reader.progress.as_dict() == {"phase": "waiting"}
    reader.feed(data[: data.index(b"CYC   3")])
    assert (reader.progress.phase, reader.progress.cycle) == ("SCF", 2)
    reader.feed(data[data.index(b"CYC   3") :])
    assert (reader.progress.phase, reader.progress.cycle) == ("ended", 7)
