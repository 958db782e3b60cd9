"""The live copies of outputs that still grow: each look adds the bytes that are new, and the copy tells how far the job is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from app.crystal.files import SCF_LOG
from app.db.tables import Job, RemoteJob
from app.runners.base import Glimpse, Handle
from app.services.context import Context

_LOG = "+log"
"""Behind the id of a job: a look at the log of its SCFs."""


def log_key(job_id: str) -> str:
    """Under which id a look at the log of a job's SCFs is asked for and answered."""
    return job_id + _LOG


class LiveOutputs:
    """The copies here of what jobs have printed so far."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def handle(self, job: Job, remote: RemoteJob) -> Handle:
        """What a poll needs of a job: its main output is read on from where the copy ends."""
        since = (job.created_at - timedelta(days=1)).strftime("%Y-%m-%d")
        live = self._path(job)
        return Handle(job.id, remote.scheduler_id, remote.directory, live.name, _size(live), since)

    def log_handles(self, job: Job, remote: RemoteJob) -> list[Handle]:
        """The same look brings what the SCFs of an optimisation wrote beside the output; nothing for other jobs."""
        if not job.scf_log:
            return []
        offset = _size(self._path(job).with_name(SCF_LOG))
        return [Handle(log_key(job.id), remote.scheduler_id, remote.directory, SCF_LOG, offset)]

    def advance(self, job: Job, glimpse: Glimpse, log_glimpse: Glimpse | None) -> dict[str, object]:
        """Add the new bytes to the copies; returns the progress that they show."""
        live = self._path(job)
        progress = self._grow(live, glimpse)
        if log_glimpse is not None and log_glimpse.size:
            log_progress = self._grow(live.with_name(SCF_LOG), log_glimpse)
            progress |= {key: log_progress[key] for key in ("cycle", "energy", "delta") if key in log_progress}
            progress["log_size"] = log_glimpse.size
        return {**progress, "output_size": glimpse.size, "output_mtime": glimpse.mtime}

    def _path(self, job: Job) -> Path:
        return self._context.job_folder(job.id) / "live" / job.outputs[0]

    def _grow(self, live: Path, glimpse: Glimpse) -> dict[str, object]:
        if glimpse.data or not live.exists():
            live.parent.mkdir(parents=True, exist_ok=True)
            with live.open("ab") as file:
                file.write(glimpse.data)
        return self._context.readings.look(live, lambda reader: reader.progress.as_dict())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
