"""The process in which strangers' files are read does not outlive a service that was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.lab import REPOSITORY, wait_until

SERVICE = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
if __name__ == "__main__":
    from app.services.worker import Worker
    print(Worker(5).call(os.getpid), flush=True)
    time.sleep(100)
"""


def test_a_killed_service_leaves_no_process_behind(tmp_path: Path) -> None:
    program = tmp_path / "service.py"
    program.write_text(SERVICE)
    service = subprocess.Popen([sys.executable, program, REPOSITORY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with service:
        assert service.stdout is not None
        worker = Path("/proc", service.stdout.readline().decode().strip())
        assert worker.exists()
        service.kill()
    wait_until(lambda: not worker.exists(), "the end of the worker", 20)
