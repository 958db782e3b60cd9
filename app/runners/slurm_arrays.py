"""Job arrays of SLURM: jobs of one batch that ask for the same leave by one `sbatch`, and each stays a job of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from app.crystal.files import JOB_SCRIPT
from app.runners.base import Package
from app.runners.batch_systems import step

LEAST_ARRAY = 3
"""Fewer jobs are not worth an array."""


@dataclass(frozen=True)
class JobArray:
    """Jobs that one `sbatch` submits: each becomes its own job's script in its own directory."""

    group: str
    directives: list[str]
    packages: tuple[Package, ...]

    @property
    def key(self) -> str:
        """Ten characters that follow from the tokens of the jobs, so that the same batch makes the same array again."""
        return hashlib.sha256(" ".join(package.token for package in self.packages).encode()).hexdigest()[:10]

    @property
    def name(self) -> str:
        """The array's name in the scheduler."""
        return f"{self.group}-{self.key}"

    @property
    def directory(self) -> str:
        """Its directory below the work directory."""
        owner = self.packages[0].directory.partition("/")[0]
        return f"{owner}/arrays/{self.name}"

    def files(self) -> dict[str, bytes]:
        """The array's script and list, and in each job's directory where it belongs."""
        up = "../" * (self.directory.count("/") + 1)
        members = {
            f"{self.directory}/array.sh": array_script(self.name, self.directives, len(self.packages)).encode(),
            f"{self.directory}/list": "".join(f"{up}{package.directory}\n" for package in self.packages).encode(),
            f"{self.directory}/.crystaldeck/name": self.name.encode(),
        }
        for index, package in enumerate(self.packages):
            line = f"{self.directory}\t{self.name}\t{index}\n"
            members[f"{package.directory}/.crystaldeck/array"] = line.encode()
        return members


def array_script(name: str, directives: Sequence[str], count: int) -> str:
    """The script of an array of `count` jobs: each task takes its line of `list` as its directory, and becomes the job there."""
    own = [line for line in directives if not line.startswith(("#SBATCH --output", "#SBATCH --error"))]
    lines = [
        "#!/bin/bash -l",
        *own,
        f"#SBATCH --job-name={name}",
        f"#SBATCH --comment={name}",
        "#SBATCH --output=/dev/null",
        f"#SBATCH --array=0-{count - 1}",
        step("slurm/array"),
    ]
    return "\n".join(lines)


def _directives_of(package: Package) -> tuple[str, ...]:
    """What a job asks of the scheduler, but for its name."""
    lines = package.files[JOB_SCRIPT].decode().splitlines()
    return tuple(
        line
        for line in lines
        if line.startswith("#SBATCH ") and not line.startswith(("#SBATCH --job-name", "#SBATCH --comment"))
    )


def arrays_of(batch: Sequence[Package]) -> list[JobArray]:
    """Jobs of one group that ask for the same go out together; the plan follows from the batch alone."""
    groups: dict[tuple[str, ...], list[Package]] = {}
    for package in batch:
        if package.group:
            groups.setdefault((package.group, *_directives_of(package)), []).append(package)
    return [
        JobArray(group, directives, tuple(packages))
        for (group, *directives), packages in groups.items()
        if len(packages) >= LEAST_ARRAY
    ]
