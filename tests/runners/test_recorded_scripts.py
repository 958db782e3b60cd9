"""Job scripts byte for byte as they were recorded: whatever writes them, what clusters run must not change unnoticed.

Three scripts are kept whole, to be read; of the whole matrix the checksums. Where a change is meant, record anew:
`.venv/bin/python -m tests.runners.test_recorded_scripts`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from app.domain.resources import Resources
from app.runners.direct import DirectRunner
from app.runners.slurm import SlurmRunner
from app.runners.slurm_arrays import array_script
from app.settings import ClusterSettings

EXPECTED = Path(__file__).parent / "expected"
WHOLE = {
    "slurm-parallel.sh": "slurm, scf, parallel, preflight, setup, default launcher",
    "direct-serial.sh": "direct, bands, serial, plain, no setup, default launcher",
    "array.sh": "slurm array",
}
DECKS = {"scf": ["scf.d12"], "bands": ["scf.d12", "bands.d3"], "dos": ["dos.d3"]}
SETUP = "module load crystal/23\nexport TMPDIR=/scratch/$USER\n"
RESOURCES = {
    "serial": Resources(ntasks=1, walltime_s=60),
    "parallel": Resources(
        nodes=2,
        ntasks=64,
        cpus_per_task=2,
        memory_mb=8000,
        walltime_s=86400,
        partition="long",
        account="chem",
        qos="high",
    ),
}


def scripts() -> Iterator[tuple[str, str]]:
    """Every job of the matrix: what it is, and its script."""
    matrix = product(
        (DirectRunner, SlurmRunner),
        DECKS,
        RESOURCES,
        (False, True),
        ("", SETUP),
        ("", "mpirun -np {ntasks} --bind-to core"),
    )
    for kind, job, size, preflight, setup, launcher in matrix:
        settings = ClusterSettings(
            hostname="h", crystal="'/opt/crystal 23/Pcrystal'", properties="Pproperties", default_partition="short",
            setup=setup, launcher=launcher, preflight=preflight,
        )  # fmt: skip
        what = ", ".join((
            kind.kind, job, size, "preflight" if preflight else "plain", "setup" if setup else "no setup",
            "own launcher" if launcher else "default launcher",
        ))  # fmt: skip
        yield what, kind.write_script(settings, f"MgO's-{job}-1a2b", f"token-{job}", DECKS[job], RESOURCES[size])
    directives = SlurmRunner.directives(ClusterSettings(hostname="h"), "n", "t", RESOURCES["parallel"])
    yield "slurm array", array_script("volumes-0123456789", directives, 12)


def checksums() -> dict[str, str]:
    return {what: hashlib.sha256(text.encode()).hexdigest() for what, text in scripts()}


@pytest.mark.parametrize(("file", "what"), WHOLE.items())
def test_scripts_that_are_kept_whole(file: str, what: str) -> None:
    assert dict(scripts())[what] == (EXPECTED / file).read_text()


def test_the_whole_matrix() -> None:
    assert checksums() == json.loads((EXPECTED / "checksums.json").read_text())


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for file, what in WHOLE.items():
        (EXPECTED / file).write_text(dict(scripts())[what])
    (EXPECTED / "checksums.json").write_text(json.dumps(checksums(), indent=1) + "\n")
