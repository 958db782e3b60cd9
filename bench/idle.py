"""What a service costs that has nothing to do: share of one core, and SQL statements a second.

The real service with one cluster, on SQLite: first alone, then with the list of jobs open in a browser (its stream is held),
then with a job on the cluster, for comparison. The processor time is that of the service's process and of its workers, from
/proc; statements are counted by SQLAlchemy in the process itself, those that only begin a transaction with them.

    python bench/idle.py          the cluster is this machine, without a scheduler
    python bench/idle.py --lab    a real SLURM behind a real sshd; one job has run there, so that its connection is open

Aims where nothing is to do: less than 0.5 % of a core, less than one statement a second.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx

from tests.support.lab import Lab
from tests.support.service import Service, mgo, replayed

SECONDS = 30.0
SETTLED = 15.0
"""Seconds after which what a start or the end of a job leaves to do is done."""
CORE, STATEMENTS = 0.5, 1.0
"""Aims: per cent of a core, statements a second."""
COUNTER = "CRYSTALDECK_BENCH_COUNTER"
TICKS = os.sysconf("SC_CLK_TCK")


class CountedService(Service):
    """A service that counts its statements in a file of eight bytes."""

    def start(self) -> Service:
        self.counter = self.folder / "statements"
        self.counter.write_bytes(bytes(8))
        self.environment[COUNTER] = str(self.counter)
        return super().start()

    @property
    def statements(self) -> int:
        return int(struct.unpack("q", self.counter.read_bytes())[0])

    @property
    def seconds_used(self) -> float:
        """Of a processor, by the service and its workers."""
        assert self.process is not None
        found = 0.0
        for pid in (str(self.process.pid), *_descendants(self.process.pid)):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found += (int(fields[11]) + int(fields[12])) / TICKS
        return found


def _descendants(pid: int) -> list[str]:
    listed = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,comm="], capture_output=True, text=True, check=False)
    return [line.split()[0] for line in listed.stdout.splitlines() if line.split()[1].startswith("python")]


def count_and_serve() -> None:
    """In the process of the service: count, then serve as always."""
    from sqlalchemy import Engine, event

    from app.cli import main

    with Path(os.environ[COUNTER]).open("r+b") as file:
        counted = mmap.mmap(file.fileno(), 8)

    def note(*_: object) -> None:
        counted[:] = struct.pack("q", struct.unpack("q", counted[:])[0] + 1)

    event.listen(Engine, "before_cursor_execute", note)
    sys.argv = ["crystaldeck", *sys.argv[1:]]
    main()


@contextmanager
def programs(folder: Path) -> Iterator[Path]:
    """A folder with a `crystaldeck` that counts."""
    program = folder / "crystaldeck"
    program.write_text(f'#!/bin/sh\n[ "$1" = serve ] && exec {sys.executable} {__file__} serve\n'
                       f'exec {Path(sys.executable).parent / "crystaldeck"} "$@"\n')  # fmt: skip
    program.chmod(0o755)
    yield folder


@contextmanager
def open_page(service: Service) -> Iterator[None]:
    """The stream of a page, held and read."""
    headers = {"Authorization": str(service.client.headers["Authorization"])}
    done = threading.Event()

    def read() -> None:
        with httpx.stream("GET", f"{service.url}/live?since=0", headers=headers, timeout=None) as answer:
            for _ in answer.iter_lines():
                if done.is_set():
                    return

    threading.Thread(target=read, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def measure(service: CountedService, name: str) -> bool:
    time.sleep(SETTLED)
    began, used, statements = time.monotonic(), service.seconds_used, service.statements
    time.sleep(SECONDS)
    taken = time.monotonic() - began
    core = 100 * (service.seconds_used - used) / taken
    rate = (service.statements - statements) / taken
    fine = core < CORE and rate < STATEMENTS
    print(f"{name:<28} {core:7.2f} % {core / CORE:7.2f} {rate:11.2f} {rate / STATEMENTS:7.2f}  {'fine' if fine else 'MORE'}",
          flush=True)  # fmt: skip
    return fine


def run(service: CountedService, job: dict[str, object], long: dict[str, object], *, before: bool) -> bool:
    service.add_user()
    service.start()
    try:
        if before:
            service.wait(service.submit(job), 120)
        print(f"{'':<28} {'core':>9} {'of aim':>7} {'statements/s':>11} {'of aim':>6}")
        fine = measure(service, "nothing to do")
        with open_page(service):
            fine &= measure(service, "nothing to do, a page open")
        service.submit(long)
        measure(service, "a job runs")
    finally:
        service.stop()
    return fine


def main(with_lab: bool) -> None:
    lab = Lab().start() if with_lab else None
    try:
        with tempfile.TemporaryDirectory() as name, programs(Path(name)) as folder:
            CountedService.programs = folder
            if lab is not None:
                config = lab.cluster_table("lab", workdir="idle")
                service = CountedService(folder / "service", config)
                fine = run(service, replayed("mgo-scf/main.out", seconds=1), replayed("mgo-scf/main.out", seconds=600),
                           before=True)  # fmt: skip
            else:
                crystal = folder / "crystal"
                crystal.write_text("#!/bin/sh\nsleep 600\n")
                crystal.chmod(0o755)
                config = (
                    f'[clusters.here]\nrunner_type = "local"\ncrystal = "{crystal}"\nworkdir = "{folder / "work"}"\n'
                )
                service = CountedService(folder / "service", config)
                job = {"template": "scf", "parameters": mgo(), "cluster": "here", "name": "running"}
                fine = run(service, job, job, before=False)
            print("both aims are reached while nothing is to do" if fine else "an aim is missed")
    finally:
        if lab is not None:
            lab.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        count_and_serve()
    else:
        main("--lab" in sys.argv[1:])
