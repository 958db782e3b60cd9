"""From the end of a step's job on the cluster to the next step's job in SLURM, in seconds: a chain of N hops.

The end is the change time of the job's exit marker; the next job is in SLURM when its directory holds the scheduler's id,
which the submission writes as soon as `sbatch` has answered. Beside it the limit: what one bare `sbatch` over one ssh channel
takes on the same machine. Peers: jobflow-remote's users report 114 s; AiiDA 2.9 with its defaults needs 27–55 s for what
follows an end (20 jobs of 20 s on this kind of machine).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.machines.lab import Lab
from tests.support.service import Service, mgo

HOPS = 12
WORKDIR = f"hop-{int(time.time())}"
REPORTED = 114.0


def chain(length: int) -> dict[str, object]:
    """SCF after SCF, each from the wave function before."""
    steps = [{"name": "step_1", "template": "scf"}]
    steps += [{"name": f"step_{n}", "template": "scf", "after": [f"step_{n - 1}"]} for n in range(2, length + 1)]
    return {"name": "hop", "steps": steps}


def moments(service: Service, job_id: str) -> tuple[float, float]:
    """When a job was in SLURM, and when it ended."""
    folder = Path(f"/home/alice/{WORKDIR}") / service.job(job_id)["scheduler"]["directory"] / ".crystaldeck"
    return (folder / "job_id").stat().st_mtime, (folder / "exit").stat().st_mtime


def bare(lab: Lab) -> float:
    """Seconds of one `sbatch` by ssh, its login included."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
    command = ["ssh", "-p", str(lab.ssh_port), "-i", str(lab.key_path)]
    command += [part for option in options for part in ("-o", option)]
    command += ["alice@127.0.0.1", "sbatch --wrap true -o /dev/null"]
    taken = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def main() -> None:
    lab = Lab().start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            service = Service(Path(folder), lab.cluster_table("lab", workdir=WORKDIR))
            service.add_user()
            service.start()
            try:
                body = {"definition": chain(HOPS + 1), "cluster": "lab", "reuse": False,
                        "parameters": mgo("replay mgo-scf/main.out seconds=3")}  # fmt: skip
                answer = service.client.post("/runs", json=body)
                assert answer.status_code == 201, answer.text
                run = service.wait_run(answer.json()["id"], 400)
                assert run["state"] == "completed", run["remark"]
                times = [moments(service, step["tasks"][0]["job"]) for step in run["steps"]]
                hops = [times[place][0] - times[place - 1][1] for place in range(1, len(times))]
                limit = bare(lab)
                median = statistics.median(hops)
                print(f"{len(hops)} hops: median {median:.2f} s, best {min(hops):.2f} s, worst {max(hops):.2f} s")
                print(f"limit, one sbatch by ssh: {limit:.2f} s; the median hop is {median / limit:.1f} × that")
                print(f"jobflow-remote's reported {REPORTED:.0f} s are {REPORTED / median:.0f} × ours; AiiDA's 27–55 s "
                      f"{27 / median:.0f}–{55 / median:.0f} ×")  # fmt: skip
            finally:
                service.stop()
    finally:
        lab.stop()


if __name__ == "__main__":
    main()
