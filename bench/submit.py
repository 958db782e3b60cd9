"""Submitting and fetching N jobs through CrystalDeck, as ratios to a bare `sbatch` loop on the same lab in the same run.

The limit: one ssh, the files by tar, a shell loop of `sbatch`, a wait for the end, the results by tar. The same job script and
the same payload on both sides. Needs root and the lab's Debian packages.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.lab import Lab
from tests.support.service import TERMINAL, Service, replayed

CASE = "c17-mgo-sto3g-rhf-scf/main.out"


def ssh(lab: Lab, command: str, data: bytes = b"") -> bytes:
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    line = ["ssh", *options, "-i", str(lab.key_path), "-p", str(lab.ssh_port), "alice@127.0.0.1", command]
    return subprocess.run(line, input=data, capture_output=True, check=True).stdout


def limit(lab: Lab, script: str, deck: str, number: int) -> tuple[float, float]:
    """Seconds until all are submitted, and until all results are here, for the bare loop."""
    folder = f"bare-{number}"
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
    ssh(lab, f"cd {folder} && while [ $(ls -d */.crystaldeck/exit 2>/dev/null | wc -l) -lt {number} ]; do sleep 0.2; done")
    ssh(lab, f"tar -cf - {folder}")
    return submitted, time.monotonic() - start


def crystaldeck(service: Service, number: int) -> tuple[float, float]:
    """The same through the service: until all are in SLURM, and until all are concluded with their files here."""
    job = replayed(CASE, seconds=0.5) | {"name": f"bench{number}"}
    start = time.monotonic()
    ids = set(service.submit(*[job] * number))
    submitted = 0.0
    while True:
        states = [found["state"] for found in service.jobs() if found["id"] in ids]
        if not submitted and not {"queued", "staging"} & set(states):
            submitted = time.monotonic() - start
        if all(state in TERMINAL for state in states):
            assert set(states) == {"completed"}, states
            return submitted, time.monotonic() - start
        time.sleep(0.1)


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
                    bare = limit(lab, job["script"], job["decks"]["scf.d12"], number)
                    ours = crystaldeck(service, number)
                    print(f"{number:>4} {'sbatch loop':<12} {bare[0]:>8.2f} s {bare[1]:>8.2f} s")
                    print(f"{number:>4} {'CrystalDeck':<12} {ours[0]:>8.2f} s {ours[1]:>8.2f} s")
                    print(f"{number:>4} {'ratio':<12} {ours[0] / bare[0]:>9.2f}  {ours[1] / bare[1]:>9.2f}", flush=True)
            finally:
                service.stop()
    finally:
        lab.stop()


if __name__ == "__main__":
    main()
