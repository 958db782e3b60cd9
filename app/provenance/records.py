"""What the exports are written from: a run or some jobs, with people, files, parameters, programs and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FileRecord:
    """A file of a job. `path` is where its bytes lie here; None: they are no longer here."""

    name: str
    sha256: str
    size: int
    role: str
    path: Path | None = None


@dataclass(frozen=True)
class Taken:
    """A file that a job took along: its name there, and where it is from (`job` empty: it was uploaded)."""

    name: str
    sha256: str
    size: int
    job: str
    source: str
    path: Path | None = None


@dataclass(frozen=True)
class JobRecord:
    """One calculation."""

    id: str
    name: str
    state: str
    reason: str
    template: str
    revision: str
    parameters: Mapping[str, Any]
    decks: Mapping[str, str]
    resources: Mapping[str, Any]
    cluster: str
    hostname: str
    scheduler: str
    """The plugin of AiiDA for the cluster's batch system."""
    scheduler_id: str
    directory: str
    person: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    results: Mapping[str, Mapping[str, Any]]
    """By output; see `crystal.results`."""
    files: Sequence[FileRecord]
    taken: Sequence[Taken]
    step: str = ""
    number: int = 0
    reused: bool = False
    uses: Sequence[Mapping[str, Any]] = ()
    """Values that came from other steps."""

    @property
    def main_results(self) -> Mapping[str, Any]:
        """Results of the job's first program."""
        return next(iter(self.results.values()), {})

    @property
    def program(self) -> str:
        """The program as its output names it."""
        return program_of(self.main_results) or "CRYSTAL"

    @property
    def is_preview(self) -> bool:
        """True where the preview engine computed something of it, not CRYSTAL."""
        return any(bool(results.get("preview")) for results in self.results.values())


@dataclass(frozen=True)
class StepRecord:
    """One step of a workflow."""

    name: str
    title: str
    does: str
    """The template, the workflow, or `values`."""
    after: Sequence[str]
    state: str
    message: str
    started_at: datetime | None
    ended_at: datetime | None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """A run of a workflow, with all its jobs."""

    id: str
    name: str
    workflow: str
    title: str
    description: str
    version: str
    definition: str
    """As TOML."""
    person: str
    state: str
    remark: str
    cluster: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    created_at: datetime
    ended_at: datetime | None
    steps: Sequence[StepRecord]
    jobs: Sequence[JobRecord]
    links: Sequence[tuple[str, str, str]] = ()
    """Files that pass between steps: from, to, role."""
    software: str = "CrystalDeck"
    """Name and version of the service that ran it."""


def program_of(results: Mapping[str, Any]) -> str:
    """Program and version as an output names them; empty where it does not."""
    program, version = str(results.get("program") or ""), str(results.get("program_version") or "")
    return version if version.startswith(program) else f"{program} {version}".strip()


Source = bytes | Path
"""What a member of an archive is made of."""


def folder_of(job: JobRecord) -> str:
    """Where the files of a job lie in an export."""
    return f"jobs/{job.name}-{job.id}"
