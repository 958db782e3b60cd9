"""Programs of others that judge what we write, each in an environment of its own: their dependencies must not meet ours.

    python -m tests.support.session.oracles aiida crates

makes these environments, which `scripts/test` does in the background while other tests run.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from pathlib import Path

from tests.support.machines.lab import REPOSITORY

FOLDER = REPOSITORY / ".oracles"
PACKAGES = {
    "aiida": ("aiida-core==2.9.4",),
    # The second one ships the JSON-LD context that the first would fetch from the network.
    "crates": ("roc-validator==0.13.0", "rocrate==0.13.0"),
    # Two readers of outputs that agree with us or have their reasons; only for `bench/parse.py`.
    "pycrystal": ("pycrystal==1.1.0",),
    "crystalclear": ("CRYSTALClear==0.2.18",),
}


class NotInstalled(Exception):
    """The environment cannot be made here, and why."""


def environment(name: str) -> Path:
    """The folder of programs of an oracle's environment. Made where it is missing; waits where another process makes it.

    Raises:
        NotInstalled
    """
    folder = FOLDER / name
    stamp = folder / "complete"
    wanted = " ".join(PACKAGES[name])
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            # Once more, since a registry may be away for a moment.
            if told := (_make(folder, PACKAGES[name]) and _make(folder, PACKAGES[name])):
                raise NotInstalled(f"{wanted} cannot be installed: {told}")
            stamp.write_text(wanted)
    return folder / "bin"


def _make(folder: Path, packages: tuple[str, ...]) -> str:
    """A fresh environment with these packages; answers why not."""
    try:
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
        install = [folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *packages]
        subprocess.run(install, check=True, capture_output=True, timeout=400)
    except (subprocess.SubprocessError, OSError) as error:
        return (getattr(error, "stderr", None) or b"").decode(errors="replace")[-300:] or str(error)
    return ""


def main(names: list[str]) -> int:
    """Make the environments one after the other, with a line for each."""
    failed = 0
    for name in names:
        begun = time.monotonic()
        try:
            environment(name)
            print(f".oracles/{name}: ready after {time.monotonic() - begun:.0f} s", flush=True)
        except NotInstalled as error:
            failed = 1
            print(f".oracles/{name}: {error}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(PACKAGES)))
