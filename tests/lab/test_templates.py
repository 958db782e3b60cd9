"""Each of the five templates through the lab: computed by the preview engine where it can, else a stored output is
replayed in its place (optimization, phonon), and the test says so by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import Service, mgo, quick

pytestmark = [pytest.mark.lab, pytest.mark.preview]


def _run(service: Service, template: str, parameters: dict[str, Any], cluster: str) -> dict[str, Any]:
    [job_id] = service.submit(
        {"template": template, "parameters": parameters, "cluster": cluster, "resources": {"cpus_per_task": 2}}
    )
    service.wait([job_id], 280)
    return service.job(job_id)


def test_scf_bands_and_dos_are_computed(lab_service: Service) -> None:
    requests = [
        {"template": template, "parameters": quick(**more), "cluster": "real", "resources": {"cpus_per_task": 1}}
        for template, more in (("scf", {}), ("bands", {"points": 12}), ("dos", {"newk": 2, "newk_gilat": 2}))
    ]
    scf, bands, dos = ids = lab_service.submit(*requests)
    lab_service.wait(ids, 280)
    for job_id in ids:
        job = lab_service.job(job_id)
        assert job["state"] == "completed", (job["template"], job["reason"])
        assert job["results"]["energy_total"] == pytest.approx(-8.3352, abs=2e-4)
    band_file = lab_service.client.get(f"/jobs/{bands}/files/BAND.DAT").text
    assert "EFERMI (HARTREE)" in band_file
    assert len([line for line in band_file.splitlines() if line[:1] not in "#@"]) >= 12
    dos_file = lab_service.client.get(f"/jobs/{dos}/files/DOSS.DAT").text
    assert dos_file.startswith("# NEPTS   400 NPROJ    3")
    assert lab_service.job(scf)["outputs"].keys() == {"scf.out"}
    assert lab_service.job(bands)["outputs"]["bands.outp"]["verdict"] == "completed"


def test_frequencies_are_refused_by_the_preview_engine_and_it_says_why(lab_service: Service) -> None:
    job = _run(lab_service, "phonon", {**quick(), "toldee": 10}, "real")
    assert job["state"] == "failed"
    assert "preview engine does not implement" in job["reason"]


@pytest.mark.parametrize(
    ("template", "case", "more"),
    [
        ("optimization", "mgo-opt/main.out", {"toldee": 7}),
        ("phonon", "dry-ice-ir/main.out", {"toldee": 10}),
    ],
)
def test_replayed(lab_service: Service, template: str, case: str, more: dict[str, Any]) -> None:
    job = _run(lab_service, template, mgo(f"replay {case}", **more), "lab")
    assert job["state"] == "completed", job["reason"]
    if template == "optimization":
        found = job["results"]["optimization"]
        assert (found["converged"], found["points"], found["energy"]) == (True, 6, -271.1570345679)
        assert job["results"]["gap_ev"] == 16.4321
        assert job["results"]["geometry"]["conventional_cell"][0] == 3.9632128
    else:
        assert job["results"]["frequencies_cm1"][1] == [4, 6, 71.2345]
