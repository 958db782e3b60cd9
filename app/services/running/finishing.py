"""Ended jobs: their files are fetched and read, and how they ended is decided. On failure too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.crystal.files import role_of
from app.crystal.outputs.results import Results
from app.db.engine import insert_rows
from app.db.repositories import jobs
from app.db.sessions import WriteSession
from app.db.tables import Job, JobFile, JobResult, RemoteJob, now
from app.domain.states import JobState
from app.domain.verdict import Marker, SchedulerWord, conclude
from app.errors import CrystalDeckError
from app.library.kept import is_inside
from app.runners.base import BaseRunner, Handle, Listing, RemoteFile, parse_marker
from app.services.clusters.registry import keep_program
from app.services.context import Context
from app.services.jobs.faults import Faults, mark_jobs
from app.services.running.fetching import Fetcher, kept_folder
from app.services.running.latecomers import Latecomers, missing_files
from app.services.running.reading import program_word, read_outputs
from app.services.transitions.jobs import Move, transition_jobs

GRACE = 60.0
"""Seconds that the scheduler may take to confirm an end that the job's own marker shows."""
ATTEMPTS = 3
"""So often is a job's end tried whose files do not all arrive."""
MOST_LEFT = 3
"""So many of the files left on the cluster are named."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """A job that is over: its files (None: its directory is gone), what each witness said, and which file is not here."""

    job: Job
    files: Listing | None
    word: SchedulerWord | None
    marker: Marker | None
    broken: str


class Finisher:
    """Fetches, reads and concludes. What was fetched stays; a repeated run replaces files by identical ones."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._fetcher = Fetcher(context)
        self._attempts: dict[str, int] = {}
        self._latecomers = Latecomers()
        self._faults = Faults(log)
        """Jobs whose end could not be dealt with, for a reason that nobody foresaw."""

    def rests(self, job_id: str) -> bool:
        """Nothing has to be done for its end just now: its files are still on their way."""
        return self._latecomers.rests(job_id)

    async def finish(
        self,
        runner: BaseRunner,
        ending: Sequence[tuple[Job, RemoteJob]],
        ended: dict[str, SchedulerWord],
        markers: dict[str, Marker | None],
    ) -> None:
        """Finish those of the `ending` jobs that a scheduler confirms, or whose marker is old enough.

        All together; where that fails for a reason that nobody foresaw, each alone, and the one that cannot says why.
        """
        ready = [
            (job, remote)
            for job, remote in ending
            if (job.id in ended or (now() - job.updated_at).total_seconds() > GRACE)
            and not (self._faults.waits(job.id) or self.rests(job.id))
        ]
        if not ready:
            return
        try:
            await self._finish(runner, ready, ended, markers)
        except CrystalDeckError:
            raise
        except Exception as error:
            if len(ready) == 1:
                job_id = ready[0][0].id
                reason = self._faults.blame(job_id, f"the end of job {job_id}", error)
                await mark_jobs(self._context, {job_id: f"Its end could not be processed yet; we will retry. {reason}"})
                return
            for pair in ready:
                await self.finish(runner, [pair], ended, markers)

    async def _finish(
        self,
        runner: BaseRunner,
        ready: Sequence[tuple[Job, RemoteJob]],
        ended: dict[str, SchedulerWord],
        markers: dict[str, Marker | None],
    ) -> None:
        handles = [Handle(job.id, remote.scheduler_id, remote.directory) for job, remote in ready]
        listed = await runner.list_files(handles)
        await self._fetcher.link_attached(listed)
        broken = await self._fetcher.fetch(runner, handles, listed)
        over = [(job, remote) for job, remote in ready if job.id not in broken or not self._try_again(job.id)]
        endings = [
            Ended(
                job,
                listed.get(job.id),
                ended.get(job.id),
                markers.get(job.id) or parse_marker(f"{remote.marker} 0"),
                broken.get(job.id, ""),
            )
            for job, remote in over
        ]
        endings = await self._all_there(endings)
        await self._conclude(endings)
        for end in endings:
            self._attempts.pop(end.job.id, None)
            self._latecomers.forget(end.job.id)

    async def _all_there(self, endings: Sequence[Ended]) -> list[Ended]:
        """Those of which nothing is missing, or not worth waiting for; the others say what they wait for."""
        waiting = {}
        for end in endings:
            if end.files is None or end.job.cancel_requested:
                continue
            listed = [file.name for file in end.files.files]
            seen = [
                name for name in end.job.outputs if name in listed or any(name in words for words in end.files.left)
            ]
            missing = missing_files(end.word, end.marker, end.job.outputs, seen)
            if words := self._latecomers.wait(end.job.id, missing):
                waiting[end.job.id] = words
        await mark_jobs(self._context, waiting)
        return [end for end in endings if end.job.id not in waiting]

    def _try_again(self, job_id: str) -> bool:
        self._attempts[job_id] = self._attempts.get(job_id, 0) + 1
        return self._attempts[job_id] < ATTEMPTS

    # -- concluding ----------------------------------------------------------------------------------------------

    async def _conclude(self, endings: Sequence[Ended]) -> None:
        """Read the outputs, and write verdicts, results and files of all jobs in one transaction."""
        read = await asyncio.to_thread(self._read, [end.job for end in endings])
        ids = [end.job.id for end in endings]
        async with self._context.database.write() as session:
            rows = await jobs.get_all(session, ids, whole=False)
            moves = []
            for end, outputs in zip(endings, read, strict=True):
                row = rows.get(end.job.id)
                if row is not None and row.state == JobState.FINISHING:
                    moves.append(_verdict(row, end, outputs))
            moved = {move.job.id for move in await transition_jobs(session, moves)}
            await self._keep_files(
                session,
                [file for end in endings if end.job.id in moved and end.files for file in end.files.files],
                moved,
            )
            await _keep_results(
                session, {end.job.id: outputs for end, outputs in zip(endings, read, strict=True)}, moved
            )
            for cluster_id, program in _programs(endings, read).items():
                await keep_program(session, cluster_id, program)

    def _read(self, ended: Sequence[Job]) -> list[dict[str, Results]]:
        return [read_outputs(job, kept_folder(self._context, job.id)) for job in ended]

    async def _keep_files(self, session: WriteSession, files: Sequence[RemoteFile], job_ids: Collection[str]) -> None:
        rows = await jobs.files_of(session, job_ids)
        fresh = []
        for file in files:
            if not is_inside(kept_folder(self._context, file.job_id), file.name):
                continue
            row = rows.get((file.job_id, file.name))
            if row is None:
                row = JobFile(job_id=file.job_id, name=file.name, size=0, sha256="", role="")
                fresh.append(row)
            row.size, row.sha256, row.role, row.fetched_at = file.size, file.sha256, role_of(file.name), now()
        await insert_rows(session, fresh)


def _programs(endings: Sequence[Ended], read: Sequence[dict[str, Results]]) -> dict[int, str]:
    """The CRYSTAL that each cluster runs, by the last output of its wave-function program."""
    return {
        end.job.cluster_id: results.program_version
        for end, outputs in zip(endings, read, strict=True)
        for name, results in outputs.items()
        if name.endswith(".out") and results.program_version and not results.preview
    }


def _verdict(row: Job, end: Ended, outputs: dict[str, Results]) -> Move:
    """How a job ended, by the scheduler, the exit marker and the program."""
    program = program_word(row.outputs, outputs, end.files is None)
    standing = conclude(end.word, end.marker, program, cancel_requested=row.cancel_requested)
    assert standing.state is not None
    left = end.files.left if end.files else []
    absent = [
        *([end.broken] if end.broken else []),
        *left[:MOST_LEFT],
        *(["and more"] if len(left) > MOST_LEFT else []),
    ]
    told = (standing.attention, absent and f"Not all files were fetched: {'; '.join(absent)}.")
    attention = " ".join(part for part in told if part)
    return Move(row, standing.state, standing.reason, {"attention": attention, **_times(row, end.marker)})


async def _keep_results(session: WriteSession, read: dict[str, dict[str, Results]], job_ids: Collection[str]) -> None:
    rows = await jobs.results_of(session, job_ids)
    fresh = []
    for job_id in job_ids:
        for output, results in read[job_id].items():
            row = rows.get((job_id, output))
            if row is None:
                row = JobResult(job_id=job_id, output=output, verdict="", results={})
                fresh.append(row)
            row.verdict, row.energy_total, row.gap_ev = results.verdict, results.own_energy, results.gap_ev
            row.preview, row.results = results.preview, results.as_dict()
    await insert_rows(session, fresh)


def _times(row: Job, marker: Marker | None) -> dict[str, datetime | None]:
    """When it began and ended, by the job's own clock where it told."""
    began = datetime.fromtimestamp(marker.began_at, UTC) if marker and marker.began_at else row.started_at
    ended = datetime.fromtimestamp(marker.ended_at, UTC) if marker and marker.ended_at else now()
    return {"started_at": began, "ended_at": ended}
