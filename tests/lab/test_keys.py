"""Keys made by the server, and a way through a jump host, against the real sshd."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.machines.lab import Lab
from tests.support.service import PASSWORD, Service, replayed

pytestmark = pytest.mark.lab
SCF_OUTPUT = "mgo-scf/main.out"


def test_a_key_made_by_the_server_runs_jobs_as_its_user(lab: Lab, tmp_path: Path) -> None:
    """The page gives the public half; once it is on the cluster, the user's jobs run there under the user's own account."""
    table = lab.cluster_table("lab", username="", key_path="", host_key="", workdir="own")
    service = Service(tmp_path, "".join(line + "\n" for line in table.splitlines() if "key_path" not in line))
    service.add_user()
    try:
        service.start()
        with httpx.Client(base_url=service.url, follow_redirects=True) as browser:
            browser.post("/login", data={"name": "ada", "password": PASSWORD})
            waiting = service.submit(replayed(SCF_OUTPUT))
            assert browser.post("/clusters/lab/key", data={"username": "bob"}).status_code == 200
            page = browser.get("/clusters/lab").text
            public = re.search(r'id="public-key">([^<]+)<', page)
            assert public is not None
            lab.allow("bob", html.unescape(public.group(1)))
            untrusted = service.command("cluster", "list").stdout
            assert "lab\tslurm\t127.0.0.1" in untrusted
            trusted = browser.post("/clusters/lab/trust", data={"fingerprint": lab.host_fingerprint})
            assert trusted.status_code == 200
            [job] = service.wait(waiting)
        assert job["state"] == "completed", job["reason"]
        assert lab.ended_rows(f"replayed-{job['id']}", 1, user="bob") == [[f"replayed-{job['id']}", "COMPLETED"]]
    finally:
        service.stop()
    stored = (tmp_path / "data" / "crystaldeck.sqlite3").read_bytes()
    assert b"OPENSSH PRIVATE KEY" not in stored
    assert "PRIVATE KEY" not in service.log.read_text()


def test_through_a_jump_host(lab: Lab, tmp_path: Path) -> None:
    jump = {"proxy_jump": f"alice@127.0.0.1:{lab.ssh_port}", "hostname": "localhost", "workdir": "jumped"}
    unknown = Service(tmp_path / "a", lab.cluster_table("lab", **jump))
    refused = unknown.command("cluster", "test", "lab")
    assert refused.returncode == 1
    assert "has not been confirmed" in refused.stdout
    service = Service(tmp_path / "b", lab.cluster_table("lab", **jump, proxy_host_key=lab.host_fingerprint))
    report: subprocess.CompletedProcess[str] = service.command("cluster", "test", "lab")
    assert report.returncode == 0, report.stdout
    service.add_user()
    try:
        service.start()
        [job] = service.wait(service.submit(replayed(SCF_OUTPUT)))
        assert job["state"] == "completed", job["reason"]
    finally:
        service.stop()
