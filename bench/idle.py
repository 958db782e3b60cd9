"""What a service costs that has nothing to do: share of one core, and SQL statements a second.

The real service with one cluster, on SQLite: first alone, then with the list of jobs open in a browser (its stream is held),
then with a job on the cluster, for comparison. The processor time is that of the service's process and of its workers, from
/proc; statements are counted by SQLAlchemy in the process itself, those that only begin a transaction with them.

    python bench/idle.py          the cluster is this machine, without a scheduler
    python bench/idle.py --ssh    an account behind a real sshd; one job has run there, so that its connection is open
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

import asyncssh
import httpx

from tests.support.machines.lab import Lab
from tests.support.machines.sshd import Sshd
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


def run(service: CountedService, cluster: str, before: dict[str, object] | None, long: dict[str, object]) -> None:
    service.add_user()
    service.start()
    try:
        if before is not None:
            [job] = service.wait(service.submit(before), 120)
            print(f"one job has run on {cluster}: {job['state']}")
        print(f"{'':<28} {'core':>9} {'of aim':>7} {'statements/s':>11} {'of aim':>6}")
        fine = measure(service, "nothing to do")
        with open_page(service):
            fine &= measure(service, "nothing to do, a page open")
        service.submit(long)
        measure(service, "a job runs")
    finally:
        service.stop()
    print("both aims are reached while nothing is to do" if fine else "an aim is missed")


def here(folder: Path) -> None:
    """The cluster is this machine."""
    job = {"template": "scf", "parameters": mgo(), "cluster": "here", "name": "running"}
    config = f'[clusters.here]\nrunner_type = "local"\ncrystal = "{sleeper(folder)}"\nworkdir = "{folder / "work"}"\n'
    run(CountedService(folder / "service", config), "here", None, job)


def over_ssh(folder: Path) -> None:
    """The cluster is an account behind a real sshd, without a scheduler."""
    server = Sshd(folder / "sshd").start()
    try:
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(folder / "key")
        (folder / "key").chmod(0o600)
        server.allow(key.export_public_key().decode())
        config = (
            f'[clusters.far]\nrunner_type = "ssh"\nhostname = "127.0.0.1"\nport = {server.port}\n'
            f'username = "{server.username}"\nkey_path = "{folder / "key"}"\nhost_key = "{server.fingerprint}"\n'
            f'crystal = "{sleeper(folder)}"\nworkdir = "idle"\n'
        )
        job = {"template": "scf", "parameters": mgo(), "cluster": "far", "name": "running"}
        short = job | {"parameters": mgo("short"), "name": "short"}
        run(CountedService(folder / "service", config), "far", short, job)
    finally:
        server.stop()


def with_slurm(folder: Path) -> None:
    """The cluster is a real SLURM behind a real sshd."""
    lab = Lab().start()
    try:
        service = CountedService(folder / "service", lab.cluster_table("lab", workdir="idle"))
        run(service, "lab", replayed("mgo-scf/main.out", seconds=1), replayed("mgo-scf/main.out", seconds=600))
    finally:
        lab.stop()


def sleeper(folder: Path) -> Path:
    """A program that runs for ten minutes, unless its deck says that it is short."""
    program = folder / "crystal"
    program.write_text('#!/bin/sh\nread title\n[ "$title" = short ] || sleep 600\n')
    program.chmod(0o755)
    return program


KINDS = {"": here, "--ssh": over_ssh, "--lab": with_slurm}


def main(kind: str) -> None:
    with tempfile.TemporaryDirectory() as name, programs(Path(name)) as folder:
        CountedService.programs = folder
        KINDS[kind](folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        count_and_serve()
    else:
        main(sys.argv[1] if sys.argv[1:] else "")
