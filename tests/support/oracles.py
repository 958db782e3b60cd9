"""Programs of others that judge what we write, each in an environment of its own: their dependencies must not meet ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.lab import REPOSITORY

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
    """The folder of programs of an oracle's environment, made when it is first asked for.

    Raises:
        NotInstalled
    """
    folder = FOLDER / name
    programs = folder / "bin"
    stamp = folder / "complete"
    wanted = " ".join(PACKAGES[name])
    if not stamp.is_file() or stamp.read_text() != wanted:
        told = ""
        # Once more, since a registry may be away for a moment.
        for _ in range(2):
            told = _make(folder, PACKAGES[name])
            if not told:
                break
        if told:
            raise NotInstalled(f"{wanted} cannot be installed: {told}")
        stamp.write_text(wanted)
    return programs


def _make(folder: Path, packages: tuple[str, ...]) -> str:
    """A fresh environment with these packages; answers why not."""
    try:
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
        install = [folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", *packages]
        subprocess.run(install, check=True, capture_output=True, timeout=400)
    except (subprocess.SubprocessError, OSError) as error:
        return (getattr(error, "stderr", None) or b"").decode(errors="replace")[-300:] or str(error)
    return ""
