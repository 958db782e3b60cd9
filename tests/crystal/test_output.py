"""The reader against every recorded output with reference values, in pieces, cut, and with noise."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.crystal.outputs.reader import OutputReader, read_output
from tests.support.lab import RECORDED

FAILED = {"c17-nio-afm-maxcycle", "c17-one-cycle", "c14-fe-scf-failed", "c17-mackinawite-opt-failed", "c17-elastic-failed",
          "c17-itol-error", "c09-fe50-no-fort9"}  # fmt: skip
INCOMPLETE = {"c17-nio-afm-opt-walltime", "c17-incomplete-scf", "c17-guessp-cut"}


@cache
def reference() -> dict[str, Any]:
    file = RECORDED / "reference.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def cases() -> list[tuple[str, str]]:
    return [
        (case, name)
        for case, entry in reference().items()
        for name in entry.get("values", {})
        if name.endswith((".out", ".outp"))
    ]


@pytest.mark.parametrize(("case", "name"), cases())
def test_every_value_equals_the_reference(recorded: Path, case: str, name: str) -> None:
    wanted = reference()[case]["values"][name]
    found = read_output((recorded / case / name).read_bytes())
    assert (found.program, found.release) == (wanted["program"], wanted["release"])
    assert found.normal_end == wanted["normal_end"]
    first = wanted.get("scf_first")
    assert found.energy_scf == (first["energy_Ha"] if first else None)
    assert found.scf_cycles == (first["cycles"] if first else None)
    total = (
        wanted.get("total_energy_disp_gcp_Ha")
        or wanted.get("total_energy_disp_Ha")
        or wanted.get("total_energy_last_Ha")
    )
    assert found.energy_total == (pytest.approx(total, abs=1e-9) if total else None)
    assert found.dimensionality == wanted.get("dimensionality", found.dimensionality)
    assert found.k_mesh == wanted.get("kmesh", found.k_mesh)
    assert found.frequencies_cm1 == wanted.get("frequencies_cm1")
    if "telapse_s" in wanted:
        assert found.wall_time_s == wanted["telapse_s"]
    _compare_geometry(found, wanted)
    _compare_gap(case, found, wanted)


def _compare_geometry(found: Any, wanted: dict[str, Any]) -> None:
    cell = wanted.get("cell_last") or wanted.get("cell_last_lowdim")
    if cell:
        assert found.geometry.primitive_cell == cell
    if "conventional_cell_last" in wanted:
        assert found.geometry.conventional_cell == wanted["conventional_cell_last"]
    if "volume_last" in wanted:
        assert found.geometry.volume == wanted["volume_last"]
    if wanted.get("opt"):
        last = wanted["opt"][-1]
        opt = found.optimization
        assert (opt.converged, opt.points, opt.energy) == (
            last["status"] == "CONVERGED",
            last["points"],
            last["energy_Ha"],
        )


def _compare_gap(case: str, found: Any, wanted: dict[str, Any]) -> None:
    if after := wanted.get("gap_after_opt_eV"):
        assert found.gap_ev == min(value for _, value in after)
    elif case == "c17-guessp-cut":
        # The last cycles are conducting: an earlier cycle's gap is none.
        assert found.gap_ev is None
    elif "gap_last_eV" in wanted and found.gap_spin_ev:
        assert found.gap_spin_ev["beta"] == wanted["gap_last_eV"]
    elif "gap_last_eV" in wanted:
        assert (found.gap_ev, found.gap_kind) == (wanted["gap_last_eV"], wanted["gap_last_kind"])


@pytest.mark.parametrize(("case", "name"), cases())
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


@pytest.mark.parametrize(("case", "name"), cases())
def test_a_cut_output_is_never_completed(recorded: Path, case: str, name: str) -> None:
    data = (recorded / case / name).read_bytes()
    source = random.Random(case)
    end = data.find(b"EEEEEEEEEE TERMINATION  DATE")
    for _ in range(10):
        cut = source.randrange(len(data) if end < 0 else end)
        assert read_output(data[:cut]).verdict != "completed"


def test_noise_raises_nothing() -> None:
    source = random.Random(1)
    for _ in range(50):
        assert read_output(source.randbytes(3000)).verdict == "incomplete"


def test_progress_of_a_growing_output(recorded: Path) -> None:
    data = (recorded / "c17-mgo-sto3g-rhf-scf/main.out").read_bytes()
    reader = OutputReader()
    assert reader.progress.as_dict() == {"phase": "waiting"}
    reader.feed(data[: data.index(b"CYC   3")])
    assert (reader.progress.phase, reader.progress.cycle) == ("SCF", 2)
    reader.feed(data[data.index(b"CYC   3") :])
    assert (reader.progress.phase, reader.progress.cycle) == ("ended", 7)
