"""Trial runs on the real SLURM with the preview engine: what the program refuses costs no time on the nodes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.service import Service, quick

pytestmark = [pytest.mark.lab, pytest.mark.preview]


def run(service: Service, template: str, parameters: dict[str, Any], cluster: str = "real") -> dict[str, Any]:
    [job_id] = service.submit({"template": template, "parameters": parameters, "cluster": cluster})
    service.wait([job_id], 280)
    return service.job(job_id)


def test_what_the_program_refuses_fails_in_the_trial_run(lab_service: Service) -> None:
    """The cluster `trial` runs each deck with TESTPDIM first; SCFDIR is a keyword that the preview engine refuses."""
    good = run(lab_service, "scf", quick(), "trial")
    assert good["state"] == "completed", good["reason"]
    assert "preflight scf.out" in good["script"]
    bad = run(lab_service, "scf", quick() | {"scf_extra": "SCFDIR"}, "trial")
    assert bad["state"] == "failed"
    assert "preview engine does not implement" in bad["reason"] or "SCFDIR" in bad["reason"]
    assert bad["scheduler"]["exit_code"] == 65
    assert "fort.9" not in {file["name"] for file in bad["files"]}
