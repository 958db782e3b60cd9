"""Submitting and fetching N jobs through CrystalDeck, as ratios to a bare `sbatch` loop on the same lab in the same run:
as N jobs of one request, and as a batch, whose jobs leave as job arrays.

The limit: one ssh, the files by tar, a shell loop of `sbatch`, a wait for the end, the results by tar. The same job script and
the same payload on both sides. Needs root and the lab's Debian packages.
"""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.machines.lab import Lab
from tests.support.service import Service, replayed

ROUNDS = 3
"""Both sides in turn: the jobs that start meanwhile make single runs differ by a factor of two on two cores."""
PAUSE = 3.0
CASE = "mgo-scf/main.out"


def ssh(lab: Lab, command: str, data: bytes = b"") -> bytes:
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    line = ["ssh", *options, "-i", str(lab.key_path), "-p", str(lab.ssh_port), "alice@127.0.0.1", command]
    return subprocess.run(line, input=data, capture_output=True, check=True).stdout


def limit(lab: Lab, script: str, deck: str, number: int, folder: str) -> tuple[float, float]:
    """Seconds until all are submitted, and until all results are here, for the bare loop."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for index in range(number):
            for name, text in (("job.sh", script), ("scf.d12", deck), (".crystaldeck/token", "x")):
                member = tarfile.TarInfo(f"{folder}/{index}/{name}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
    start = time.monotonic()
    ssh(lab, "tar -xf -", buffer.getvalue())
    ssh(lab, f"cd {folder} && for d in *; do (cd $d && sbatch --parsable job.sh); done")
    submitted = time.monotonic() - start
    ssh(
        lab,
        f"cd {folder} && while [ $(ls -d */.crystaldeck/exit 2>/dev/null | wc -l) -lt {number} ]; do sleep 0.2; done",
    )
    ssh(lab, f"tar -cf - {folder}")
    return submitted, time.monotonic() - start


def as_jobs(service: Service, number: int) -> tuple[float, float]:
    """The same through the service, as one request of N jobs."""
    job = replayed(CASE, seconds=0.5) | {"name": f"bench{number}"}
    start = time.monotonic()
    return followed(service, set(service.submit(*[job] * number)), start)


def as_batch(service: Service, number: int) -> tuple[float, float]:
    """The same as a sweep over N lattice constants."""
    job = replayed(CASE, seconds=0.5)
    axis = {"key": "a", "values": f"4.0..5.0 count {number}"}
    start = time.monotonic()
    asked = {"template": "scf", "cluster": "lab", "name": f"sweep{number}", "parameters": job["parameters"], "reuse": False,
             "resources": job["resources"], "sweep": {"axes": [axis]}}  # fmt: skip
    batch_id = service.client.post("/batches", json=asked).raise_for_status().json()["id"]
    while any(one["state"] == "making" for one in service.client.get("/batches").json()):
        time.sleep(0.1)
    rows = service.client.get(f"/batches/{batch_id}").json()["rows"]
    return followed(service, {row["job"] for row in rows}, start)


def followed(service: Service, ids: set[str], start: float) -> tuple[float, float]:
    """Seconds until all are in SLURM, and until all are concluded with their files here."""
    number = len(ids)
    while service.any_in("queued", "staging"):
        time.sleep(0.1)
    submitted = time.monotonic() - start
    while service.any_in("submitted", "running", "finishing"):
        time.sleep(0.1)
    done = time.monotonic() - start
    states = [found["state"] for found in service.jobs() if found["id"] in ids]
    assert states == ["completed"] * number, states
    return submitted, done


Pair = tuple[float, float]


def report(number: int, rounds: list[tuple[Pair, Pair, Pair]]) -> None:
    """Every round and the medians of the ratios."""
    for bare, jobs, batch in rounds:
        for name, times in (("sbatch loop", bare), ("jobs", jobs), ("batch", batch)):
            print(f"{number:>4} {name:<14} {times[0]:>8.2f} s {times[1]:>8.2f} s")
    for index, name in ((1, "ratio, jobs"), (2, "ratio, batch")):
        ratios = [statistics.median(one[index][part] / one[0][part] for one in rounds) for part in (0, 1)]
        print(f"{number:>4} {name:<14} {ratios[0]:>9.2f}  {ratios[1]:>9.2f}", flush=True)


def main() -> None:
    lab = Lab().start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            service = Service(Path(folder), "dispatch_interval = 0.2\n" + lab.cluster_table("lab"))
            service.add_user()
            service.start()
            try:
                [first] = service.submit(replayed(CASE, seconds=0.5))
                service.wait([first])
                job = service.job(first)
                print(f"{'N':>4} {'':<14} {'submitted':>10} {'all here':>10}")
                for number in (200, 50):
                    rounds = []
                    for turn in range(ROUNDS):
                        bare = limit(lab, job["script"], job["decks"]["scf.d12"], number, f"bare-{number}-{turn}")
                        time.sleep(PAUSE)
                        jobs = as_jobs(service, number)
                        time.sleep(PAUSE)
                        rounds.append((bare, jobs, as_batch(service, number)))
                        time.sleep(PAUSE)
                    report(number, rounds)
            finally:
                service.stop()
    finally:
        lab.stop()


if __name__ == "__main__":
    main()
