"""The main path over SSH and SLURM: from HTTP to sacct."""

from __future__ import annotations

import pytest

from tests.support.machines.lab import Lab
from tests.support.service import Service, lih, replayed

pytestmark = pytest.mark.lab


def test_a_stored_calculation_goes_all_the_way(lab: Lab, lab_service: Service) -> None:
    [job_id] = lab_service.submit(replayed("mgo-scf/main.out"))
    lab_service.wait([job_id])
    job = lab_service.job(job_id)
    assert job["state"] == "completed", job["reason"]
    assert job["attention"] == ""
    assert job["results"]["energy_total"] == pytest.approx(-271.1234567891, abs=1e-10)
    assert job["scheduler"]["accounting_state"] == "COMPLETED"
    assert lab.ended_rows(f"replayed-{job_id}", 1) == [[f"replayed-{job_id}", "COMPLETED"]]
    states = [event["to_state"] for event in job["events"] if event["to_state"]]
    assert states[:3] == ["queued", "staging", "submitted"]
    assert states[-2:] == ["finishing", "completed"]
    names = {file["name"] for file in job["files"]}
    assert {"scf.d12", "job.sh", "scf.out", "fort.9", "job.log"} <= names
    sent = lab_service.client.get(f"/jobs/{job_id}/files/scf.d12").text
    assert sent == job["decks"]["scf.d12"]


@pytest.mark.preview
def test_the_preview_engine_computes_on_a_node(lab: Lab, lab_service: Service) -> None:
    [job_id] = lab_service.submit(
        {"template": "scf", "parameters": lih(), "cluster": "real", "resources": {"cpus_per_task": 2}}
    )
    lab_service.wait([job_id], 180)
    job = lab_service.job(job_id)
    assert job["state"] == "completed", job["reason"]
    assert job["results"]["preview"] is True
    assert job["results"]["energy_total"] == pytest.approx(-7.9220, abs=2e-4)
