"""From job to job on the real SLURM, computed by the preview engine: optimisation, SCF at its geometry, bands of that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import Service, lih

pytestmark = [pytest.mark.lab, pytest.mark.preview]


def run(service: Service, template: str, parameters: dict[str, Any], cluster: str = "real") -> dict[str, Any]:
    [job_id] = service.submit({"template": template, "parameters": parameters, "cluster": cluster})
    service.wait([job_id], 280)
    return service.job(job_id)


def test_geometry_and_wave_function_pass_from_job_to_job(lab_service: Service) -> None:
    optimised = run(lab_service, "optimization", lih() | {"a": 4.033, "toldee": 7})
    assert optimised["state"] == "completed", optimised["reason"]
    assert optimised["results"]["optimization"]["converged"]
    cell = optimised["results"]["geometry"]["conventional_cell"]
    assert cell[0] == pytest.approx(4.0335, abs=0.005)

    source = f"job:{optimised['id']}"
    method = {key: lih()[key] for key in ("title", "basis_set", "method", "shrink", "gilat")}
    files = {"system": "external", "geometry_file": f"{source}/fort.34", "guess_file": f"{source}/fort.9"}
    single = run(lab_service, "scf", method | files | {"toldee": 7})
    assert single["state"] == "completed", single["reason"]
    assert single["results"]["energy_total"] == pytest.approx(optimised["results"]["energy_total"], abs=1e-6)
    # The density of the optimisation is the answer already.
    assert single["results"]["scf_cycles"] <= 2

    # The path is that of the geometry in the file; nothing of the structure is typed again.
    start = {"start": "wavefunction", "wavefunction_file": f"job:{single['id']}/fort.9", "points": 12, "last_band": 4}
    bands = run(
        lab_service, "bands", {"title": "LiH", "system": "external", "geometry_file": f"{source}/fort.34"} | start
    )
    assert bands["state"] == "completed", bands["reason"]
    assert list(bands["decks"]) == ["bands.d3"]
    assert bands["decks"]["bands.d3"].splitlines()[1].startswith("G-X-U|K-G-L-W-X")
    rows = lab_service.client.get(f"/jobs/{bands['id']}/files/BAND.DAT").text.splitlines()
    assert len([row for row in rows if row[:1] not in "#@"]) >= 12


def test_what_the_program_refuses_fails_in_the_trial_run(lab_service: Service) -> None:
    """The cluster `trial` runs each deck with TESTPDIM first; SCFDIR is a keyword that the preview engine refuses."""
    good = run(lab_service, "scf", lih(), "trial")
    assert good["state"] == "completed", good["reason"]
    assert "preflight scf.out" in good["script"]
    bad = run(lab_service, "scf", lih() | {"scf_extra": "SCFDIR"}, "trial")
    assert bad["state"] == "failed"
    assert "preview engine does not implement" in bad["reason"] or "SCFDIR" in bad["reason"]
    assert bad["scheduler"]["exit_code"] == 65
    assert "fort.9" not in {file["name"] for file in bad["files"]}
