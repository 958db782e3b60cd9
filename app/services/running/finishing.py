"""Ended jobs: bring their files home, read them, and decide how they ended. On failure too."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from sqlmodel.ext.asyncio.session import AsyncSession

from app.crystal.decks.rendering import written_roles
from app.crystal.files import output_name, role_of
from app.crystal.outputs.diagnosis import diagnose
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.results import BandSummary, Results
from app.crystal.properties.bands import BandError, read_bands
from app.db.engine import insert_rows
from app.db.repositories import jobs, library
from app.db.repositories.jobs import Move
from app.db.tables import Job, JobAttachment, JobFile, JobResult, RemoteJob, now
from app.domain.states import JobState
from app.domain.verdict import Marker, ProgramWord, SchedulerWord, conclude
from app.errors import CrystalDeckError, RemoteFailure
from app.events.outbox import announce_jobs
from app.library.kept import is_inside, link_inside, move_inside, open_inside, open_regular, put_inside
from app.runners.base import BLOCK_SIZE, BaseRunner, Handle, Listing, RemoteFile, parse_marker
from app.services.context import Context
from app.services.jobs.attachments import attached_path
from app.services.jobs.faults import Faults, blame, mark_jobs

GRACE = 60.0
"""Seconds that the scheduler may take to confirm an end that the job's own marker shows."""
ATTEMPTS = 3
MOST_LEFT = 3
"""So many files that were left on the cluster are named."""
_READ = 1 << 20
_LOG_BYTES, _LOG_LINES = 1 << 16, 200
"""How much of the end of a log is looked at."""
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
        self._attempts: dict[str, int] = {}
        self._faults = Faults(log)
        """Jobs whose end could not be dealt with, for a reason that nobody foresaw."""

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
            if (job.id in ended or (now() - job.updated_at).total_seconds() > GRACE) and not self._faults.waits(job.id)
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
                await mark_jobs(self._context, {job_id: f"Its end is not dealt with yet; it is tried again. {reason}"})
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
        await self._link_attached(listed)
        broken = await self._fetch(runner, handles, listed)
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
        await self._conclude(endings)
        for job, _ in over:
            self._attempts.pop(job.id, None)
        self._context.broker.wake()

    def _try_again(self, job_id: str) -> bool:
        self._attempts[job_id] = self._attempts.get(job_id, 0) + 1
        return self._attempts[job_id] < ATTEMPTS

    async def _link_attached(self, listed: dict[str, Listing]) -> None:
        """What a job took along is here already and need not travel back."""
        async with self._context.database.read() as session:
            known = await library.attachments_of(session, list(listed))
        await asyncio.to_thread(self._link, known, listed)

    def _link(self, known: Mapping[str, Sequence[JobAttachment]], listed: Mapping[str, Listing]) -> None:
        for job_id, rows in known.items():
            sources = {row.sha256: attached_path(self._context, row) for row in rows}
            for file in listed[job_id].files if job_id in listed else ():
                source = sources.get(file.sha256)
                if source is not None and source.is_file() and not self._is_here(file):
                    with _alone(file):
                        link_inside(self._folder(file), file.name, source)

    # -- files -------------------------------------------------------------------------------------------------

    async def _fetch(self, runner: BaseRunner, handles: Sequence[Handle], listed: dict[str, Listing]) -> dict[str, str]:
        """Bring every file here and compare its checksum. Returns what went wrong, by job id."""
        every = [file for listing in listed.values() for file in listing.files]
        missing = await asyncio.to_thread(self._missing, [file for file in every if file.sha256])
        small = [file for file in missing if file.size < BLOCK_SIZE]
        large = [file for file in missing if file.size >= BLOCK_SIZE]
        broken: dict[str, str] = {}
        if small:
            with tempfile.TemporaryFile(dir=self._scratch()) as archive:
                try:
                    await runner.fetch(handles, small, archive.write)
                except RemoteFailure as error:
                    # tar says so when a file changed or vanished meanwhile; what it did send is checked below.
                    log.warning("%s", error.sentence)
                await asyncio.to_thread(self._unpack, cast(BinaryIO, archive), handles, small)
        by_id = {handle.job_id: handle for handle in handles}
        for file in large:
            # In a folder of its own, under its checksum: what came before a broken connection is part of this file alone.
            part = self._context.job_folder(file.job_id) / "incoming" / file.sha256
            part.parent.mkdir(parents=True, exist_ok=True)
            try:
                await runner.fetch_large(by_id[file.job_id], file, part)
            except RemoteFailure as error:
                # It became a link, or cannot be read: this job lacks a file, and the others go on.
                log.warning("%s", error.sentence)
                continue
            if await asyncio.to_thread(_sha256, part) == file.sha256:
                with _alone(file):
                    move_inside(self._folder(file), file.name, part)
            else:
                part.unlink()
        changed = [file for file in every if not file.sha256]
        for file in [*changed, *await asyncio.to_thread(self._missing, missing)]:
            broken[file.job_id] = f"{file.name} changed while it was copied, or could not be read"
        return broken

    def _scratch(self) -> Path:
        folder = self._context.settings.data / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _folder(self, file: RemoteFile) -> Path:
        return self._context.job_folder(file.job_id) / "files"

    def _missing(self, files: Sequence[RemoteFile]) -> list[RemoteFile]:
        """Those whose bytes are not here yet."""
        return [file for file in files if not self._is_here(file)]

    def _is_here(self, file: RemoteFile) -> bool:
        try:
            with open_inside(self._folder(file), file.name) as kept:
                same_size = os.fstat(kept.fileno()).st_size == file.size
                return same_size and hashlib.file_digest(kept, "sha256").hexdigest() == file.sha256
        except OSError:
            return False

    def _unpack(self, archive: BinaryIO, handles: Sequence[Handle], wanted: Sequence[RemoteFile]) -> None:
        """Take only the files asked for out of the stream; their names were checked when they were listed."""
        directories = {handle.job_id: handle.directory for handle in handles}
        expected = {f"{directories[file.job_id]}/{file.name}": file for file in wanted}
        archive.seek(0)
        try:
            with tarfile.open(fileobj=archive, mode="r|") as members:
                for member in members:
                    file = expected.get(member.name)
                    source = members.extractfile(member) if file and member.isreg() else None
                    if file and source:
                        with _alone(file):
                            put_inside(self._folder(file), file.name, cast(BinaryIO, source))
        except tarfile.TarError as error:
            log.warning("the file stream broke off: %s", error)

    # -- reading and concluding ----------------------------------------------------------------------------------

    async def _conclude(self, endings: Sequence[Ended]) -> None:
        """Read the outputs, and write verdicts, results and files of all jobs in one transaction."""
        read = await asyncio.to_thread(lambda: [self._read_outputs(end.job) for end in endings])
        ids = [end.job.id for end in endings]
        async with self._context.database.write() as session:
            rows = await jobs.get_all(session, ids)
            moves = []
            for end, outputs in zip(endings, read, strict=True):
                row = rows.get(end.job.id)
                if row is not None and row.state == JobState.FINISHING:
                    moves.append(_verdict(row, end, outputs))
            moved = {move.job.id for move in await jobs.transition_all(session, moves)}
            await self._keep_files(
                session,
                [file for end in endings if end.job.id in moved and end.files for file in end.files.files],
                moved,
            )
            await _keep_results(
                session, {end.job.id: outputs for end, outputs in zip(endings, read, strict=True)}, moved
            )
            ended = [move.job for move in moves if move.job.id in moved]
            await announce_jobs(session, ended)
        # Room on the cluster, and perhaps the next step of a workflow.
        self._context.nudge.set()

    def _read_outputs(self, job: Job) -> dict[str, Results]:
        read = {}
        for output in output_names(job):
            path = self._context.job_folder(job.id) / "files" / output
            if is_inside(path.parent, output):
                try:
                    read[output] = read_file(path)
                except Exception as error:
                    # Its files are here all the same, and the job must not stay `finishing` for it.
                    reason = blame(log, f"reading {output} of job {job.id}", error)
                    read[output] = Results(verdict="incomplete", diagnosis=f"The output cannot be read. {reason}")
                    continue
                if read[output].verdict != "completed" and not read[output].diagnosis_code:
                    self._explain(job, read[output], path)
                if output.endswith(".outp"):
                    read[output].bands = bands_beside(path)
        return read

    def _explain(self, job: Job, results: Results, output: Path) -> None:
        """What the output itself does not tell, the logs may: of the launcher, the scheduler and the file system."""
        folder = self._context.job_folder(job.id) / "files"
        lines = [line for path in (folder / "fort.87", folder / "job.log", output) for line in _last_lines(path)]
        signature = diagnose(lines)
        if signature is not None:
            results.diagnosis_code, results.remedy = signature.code, signature.remedy
            results.diagnosis = f"{results.diagnosis or ''} {signature.meaning}".strip()

    async def _keep_files(self, session: AsyncSession, files: Sequence[RemoteFile], job_ids: Collection[str]) -> None:
        known = await jobs.files_of(session, job_ids)
        fresh = []
        for file in files:
            if not is_inside(self._folder(file), file.name):
                continue
            row = known.get((file.job_id, file.name))
            if row is None:
                row = JobFile(job_id=file.job_id, name=file.name, size=0, sha256="", role="")
                fresh.append(row)
            row.size, row.sha256, row.role, row.fetched_at = file.size, file.sha256, role_of(file.name), now()
        await insert_rows(session, fresh)


@contextmanager
def _alone(file: RemoteFile) -> Iterator[None]:
    """One file that cannot be put in its place, such as `a/b` where `a` is a file, is missed; a full disk concerns all."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.warning("%s of job %s cannot be kept: %s", file.name, file.job_id, error)


def output_names(job: Job) -> list[str]:
    return [output_name(deck) for deck in written_roles(job.decks)]


def _verdict(row: Job, end: Ended, outputs: dict[str, Results]) -> Move:
    """How a job ended, by the scheduler, the exit marker and the program."""
    program = program_word(output_names(row), outputs, end.files is None)
    standing = conclude(end.word, end.marker, program, cancel_requested=row.cancel_requested)
    assert standing.state is not None
    left = end.files.left if end.files else []
    absent = [
        *([end.broken] if end.broken else []),
        *left[:MOST_LEFT],
        *(["and more"] if len(left) > MOST_LEFT else []),
    ]
    told = (standing.attention, absent and f"Not all files are here: {'; '.join(absent)}.")
    attention = " ".join(part for part in told if part)
    return Move(row, standing.state, standing.reason, {"attention": attention, **_times(row, end.marker)})


async def _keep_results(session: AsyncSession, read: dict[str, dict[str, Results]], job_ids: Collection[str]) -> None:
    known = await jobs.results_of(session, job_ids)
    fresh = []
    for job_id in job_ids:
        for output, results in read[job_id].items():
            row = known.get((job_id, output))
            if row is None:
                row = JobResult(job_id=job_id, output=output, verdict="", results={})
                fresh.append(row)
            row.verdict, row.energy_total, row.gap_ev = results.verdict, results.energy_total, results.gap_ev
            row.preview, row.results = results.preview, results.as_dict()
    await insert_rows(session, fresh)


def _times(row: Job, marker: Marker | None) -> dict[str, datetime | None]:
    """When it began and ended, by the job's own clock where it told."""
    began = datetime.fromtimestamp(marker.began_at, UTC) if marker and marker.began_at else row.started_at
    ended = datetime.fromtimestamp(marker.ended_at, UTC) if marker and marker.ended_at else now()
    return {"started_at": began, "ended_at": ended}


def bands_beside(output: Path) -> BandSummary | None:
    """What the BAND.DAT beside an output holds, where there is one that can be read."""
    path = output.with_name("BAND.DAT")
    try:
        with open_regular(path) as file:
            return read_bands(file.read().decode("utf-8", "replace")).summary()
    except (BandError, OSError):
        return None


def _last_lines(path: Path) -> list[str]:
    """The last lines of a text; none where it is not there."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []


def read_file(path: Path) -> Results:
    """Read an output of any size in pieces."""
    reader = OutputReader()
    with open_regular(path) as file:
        while data := file.read(_READ):
            reader.feed(data)
    return reader.results()


def program_word(outputs: Sequence[str], read: dict[str, Results], directory_gone: bool) -> ProgramWord:
    """One verdict from all outputs of a job: completed only if every program completed."""
    if directory_gone:
        return ProgramWord("incomplete", "The job's directory on the cluster is gone.")
    for output in outputs:
        if output not in read:
            return ProgramWord("incomplete", f"The output {output} is missing.")
        if read[output].verdict != "completed":
            return ProgramWord(read[output].verdict, f"{output}: {read[output].diagnosis}")
    return ProgramWord("completed")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
