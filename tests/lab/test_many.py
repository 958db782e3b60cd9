"""Fifty jobs in one go, over one connection, at a constant number of remote commands per poll."""

from __future__ import annotations

import pytest

from tests.support.machines.lab import Lab
from tests.support.service import Service, replayed

pytestmark = pytest.mark.lab


def test_fifty_jobs_complete_each_once_over_one_connection(lab: Lab, tmp_path) -> None:  # type: ignore[no-untyped-def]
    service = Service(tmp_path, "poll_interval_busy = 1\n" + lab.cluster_table("lab", workdir="fifty"))
    service.add_user()
    before = lab.logins()
    try:
        service.start()
        jobs = [replayed("mgo-scf/main.out", seconds=1) | {"name": "fifty"} for _ in range(50)]
        ids = service.submit(*jobs)
        assert len(set(ids)) == 50
        found = service.wait(ids, 200)
        assert {job["state"] for job in found} == {"completed"}
        for job_id in ids:
            job = service.job(job_id)
            assert {"scf.out", "fort.9", "job.log"} <= {file["name"] for file in job["files"]}
            assert job["attention"] == ""
    finally:
        service.stop()
    rows = lab.ended_rows("fifty-", 50)
    assert len(rows) == 50
    assert {row[0] for row in rows} == {f"fifty-{job_id}" for job_id in ids}
    assert lab.logins() - before == 1


async def test_a_poll_costs_the_same_for_any_number_of_jobs(lab: Lab, lab_service: Service) -> None:
    """Count the remote commands of one look at 3 and at 30 jobs that the scheduler knows."""
    from app.runners.base import Handle
    from app.runners.slurm import SlurmRunner
    from app.settings import ClusterSettings
    from app.transport.host_keys import offered_key
    from app.transport.ssh import Endpoint, Login, SSHTransport, connect

    ids = lab_service.submit(*[replayed("mgo-scf/main.out", seconds=20) for _ in range(30)])
    lab_service.wait(ids, states=("running",))
    known = [lab_service.job(job_id) for job_id in ids]
    endpoint = Endpoint("127.0.0.1", lab.ssh_port, "alice", await offered_key("127.0.0.1", lab.ssh_port))
    transport = SSHTransport(await connect(Login(endpoint, (lab.key_path.read_bytes(),))), "lab")
    runner = SlurmRunner(transport, ClusterSettings(hostname="127.0.0.1", workdir="crystaldeck"))
    costs = []
    for number in (3, 30):
        handles = [
            Handle(job["id"], job["scheduler"]["id"], job["scheduler"]["directory"], "scf.out")
            for job in known[:number]
        ]
        start = transport.commands
        words = await runner.queue(handles)
        glimpses = await runner.peek(handles)
        await runner.accounting(handles)
        assert len(words) == len(glimpses) == number
        costs.append(transport.commands - start)
    await transport.close()
    assert costs == [3, 3]
    for job_id in ids:
        lab_service.client.post(f"/jobs/{job_id}/cancel")
    assert {job["state"] for job in lab_service.wait(ids)} == {"cancelled"}
