"""Submitting and fetching N jobs through CrystalDeck, as ratios to a bare `sbatch` loop on the same lab in the same run.

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

from tests.support.lab import Lab
from tests.support.service import Service, replayed

ROUNDS = 3
"""Both sides in turn: the jobs that start meanwhile make single runs differ by a factor of two on two cores."""
PAUSE = 3.0
CASE = "c17-mgo-sto3g-rhf-scf/main.out"


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


def crystaldeck(service: Service, number: int) -> tuple[float, float]:
    """The same through the service: until all are in SLURM, and until all are concluded with their files here."""
    job = replayed(CASE, seconds=0.5) | {"name": f"bench{number}"}
    start = time.monotonic()
    ids = set(service.submit(*[job] * number))
    while service.any_in("queued", "staging"):
        time.sleep(0.1)
    submitted = time.monotonic() - start
    while service.any_in("submitted", "running", "finishing"):
        time.sleep(0.1)
    done = time.monotonic() - start
    states = [found["state"] for found in service.jobs() if found["id"] in ids]
    assert states == ["completed"] * number, states
    return submitted, done


def report(number: int, rounds: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    """Every round and the median of the ratios."""
    for bare, ours in rounds:
        print(f"{number:>4} {'sbatch loop':<12} {bare[0]:>8.2f} s {bare[1]:>8.2f} s")
        print(f"{number:>4} {'CrystalDeck':<12} {ours[0]:>8.2f} s {ours[1]:>8.2f} s")
    ratios = [statistics.median(ours[part] / bare[part] for bare, ours in rounds) for part in (0, 1)]
    print(f"{number:>4} {'ratio':<12} {ratios[0]:>9.2f}  {ratios[1]:>9.2f}", flush=True)


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
                print(f"{'N':>4} {'':<12} {'submitted':>10} {'all here':>10}")
                for number in (50, 200):
                    rounds = []
                    for turn in range(ROUNDS):
                        bare = limit(lab, job["script"], job["decks"]["scf.d12"], number, f"bare-{number}-{turn}")
                        time.sleep(PAUSE)
                        rounds.append((bare, crystaldeck(service, number)))
                        time.sleep(PAUSE)
                    report(number, rounds)
            finally:
                service.stop()
    finally:
        lab.stop()


if __name__ == "__main__":
    main()
