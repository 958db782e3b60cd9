"""From the end of a job on the cluster to the change in an open stream, in seconds: median and worst of N jobs.

The end is the time that the job's own exit marker bears, to the millisecond by its file's change time; the change is the
moment at which `/api/v1/events` tells `finishing`, and `completed`.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx

from tests.support.machines.lab import Lab
from tests.support.service import Service, replayed

NUMBER = 20


def listen(service: Service, seen: dict[tuple[str, str], float], ready: threading.Event) -> None:
    headers = {"Authorization": str(service.client.headers["Authorization"])}
    event = ""
    try:
        with httpx.stream("GET", f"{service.url}/api/v1/events", headers=headers, timeout=None) as answer:
            ready.set()
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: ") and event == "job":
                    data = json.loads(line[6:])
                    seen.setdefault((data["id"], data["state"]), time.time())
    except httpx.HTTPError:
        return


def main() -> None:
    lab = Lab().start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            service = Service(Path(folder), lab.cluster_table("lab", workdir="latency"))
            service.add_user()
            service.start()
            seen: dict[tuple[str, str], float] = {}
            ready = threading.Event()
            threading.Thread(target=listen, args=(service, seen, ready), daemon=True).start()
            ready.wait()
            try:
                delays: dict[str, list[float]] = {"finishing": [], "completed": []}
                for number in range(NUMBER):
                    job = replayed("mgo-scf/main.out", seconds=3 + number % 5)
                    [job_id] = service.submit(job)
                    service.wait([job_id])
                    directory = service.job(job_id)["scheduler"]["directory"]
                    ended = Path(f"/home/alice/latency/{directory}/.crystaldeck/exit").stat().st_mtime
                    time.sleep(0.3)
                    for state, values in delays.items():
                        values.append(seen[job_id, state] - ended)
                for state, values in delays.items():
                    print(
                        f"job end → {state:<10} median {statistics.median(values):5.2f} s   worst {max(values):5.2f} s"
                    )
            finally:
                service.stop()
    finally:
        lab.stop()


if __name__ == "__main__":
    main()
