"""What every batch system offers on any transport. All actions take a whole batch and cost one round trip."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from app.crystal.files import output_name
from app.domain.names import safe_path
from app.domain.resources import Partition, Resources
from app.domain.verdict import SchedulerWord
from app.errors import RemoteFailure
from app.runners.answers import Glimpse as Glimpse
from app.runners.answers import Listing as Listing
from app.runners.answers import Receipt as Receipt
from app.runners.answers import RemoteEntry as RemoteEntry
from app.runners.answers import RemoteFile as RemoteFile
from app.runners.answers import complaints_in, entries_in, glimpses_in, listings_in
from app.runners.answers import parse_marker as parse_marker
from app.runners.answers import receipts as receipts
from app.runners.batch_systems import BatchSystem, Check, step
from app.runners.checks import check_packages
from app.runners.script import ScriptPlan, Step, render_script
from app.settings import ClusterSettings
from app.transport.base import Completed, Kept, Sink, Transport

PEEK_BYTES = 1 << 18
"""Most bytes of one output that one look brings."""
BLOCK_SIZE = 1 << 26
"""Files from this size on (64 MiB) travel alone and can be resumed; smaller ones travel as one tar stream."""
LIST_SECONDS = 1800
"""Longest time that the checksums of ended jobs may take."""
_HEADERS = 1 << 13
"""Most bytes that a tar archive holds for a file beside its own."""
_ARCHIVE_FILES = 8
"""Most attached files in one stream, so that at most half a gigabyte is held in memory."""


@dataclass(frozen=True)
class Attached:
    """A file that a job takes along: its name there, where it lies here, and perhaps on the cluster already."""

    name: str
    sha256: str
    local: Path
    remote: str = ""
    """Path below the work directory of the same account; empty: it is only here."""


@dataclass(frozen=True)
class Package:
    """A job as it is submitted: token, directory below the work directory, name in the batch system, files."""

    token: str
    directory: str
    name: str
    files: dict[str, bytes]
    attached: tuple[Attached, ...] = ()
    group: str = ""
    """Jobs of one batch bear the batch's name: a scheduler may take them all at once."""


@dataclass(frozen=True)
class Handle:
    """A submitted job, as a poll needs it."""

    job_id: str
    scheduler_id: str
    directory: str
    output: str = ""
    offset: int = 0
    asked_since: str = "now-7days"


class BaseRunner(BatchSystem):
    """A batch system on a transport: what it says of itself is in `BatchSystem`, what is done with it is here."""

    def __init__(self, transport: Transport, settings: ClusterSettings) -> None:
        self.transport = transport
        self.settings = settings

    # -- asking the batch system -----------------------------------------------------------------------------------

    async def queue(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        """The queue's word on each job, by job id; jobs that it does not list are absent. One remote command."""
        if self.lists_all:
            return _by_job(jobs, await self.listed())
        done = await self._run(self.step("queue"), stdin=_ids(jobs), doing="reading the queue")
        return _by_job(jobs, self.read_queue(done.text))

    async def listed(self) -> dict[str, SchedulerWord]:
        """Everything that the batch system lists of this account, whoever submitted it, by scheduler id."""
        if not self.lists_all:
            return {}
        return self.read_queue((await self._run(self.step("queue"), doing="reading the queue")).text)

    async def accounting(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        """The accounting's word, by job id; where there is none, what the exit markers say. At most one remote command."""
        if not self.has_accounting:
            glimpses = await self.peek(jobs)
            return {
                job.job_id: self.word_of_marker(glimpses[job.job_id].marker) for job in jobs if job.job_id in glimpses
            }
        since = min((job.asked_since for job in jobs), default="now-7days")
        asked = [job for job in jobs if self.is_id(job.scheduler_id)]
        if not asked:
            return {}
        done = await self.transport.run(self.step("accounting"), [since], stdin=_ids(asked))
        # A site without accounting has one witness less; that is no error of the poll.
        return _by_job(jobs, self.read_accounting(done.text)) if done.status == 0 else {}

    async def cancel(self, scheduler_ids: Sequence[str]) -> dict[str, str]:
        """Ask the batch system to end jobs; what it has against that, by id. One remote command.

        Raises:
            RemoteFailure: it failed, and does not say for which jobs.
        """
        complaints = dict.fromkeys(scheduler_ids, "its scheduler id is none that this batch system gives")
        ids = [one for one in scheduler_ids if self.is_id(one) and complaints.pop(one)]
        if not ids:
            return complaints
        done = await self.transport.run(self.step("cancel"), stdin="".join(f"{one}\n" for one in ids).encode())
        named = complaints_in(done.text + done.stderr.decode("utf-8", "replace"), ids)
        if done.status != 0 and not named:
            raise self._failure(done, "cancelling jobs")
        return complaints | named

    async def probe(self) -> list[Check]:
        """Checks of the batch system itself for a test report. One remote command."""
        return self.read_probe((await self.transport.run(self.step("probe"))).text)

    async def partitions(self) -> list[Partition]:
        """Partitions with their limits; none where there is no scheduler. At most one remote command."""
        if not self.has_partitions:
            return []
        return self.read_partitions((await self.transport.run(self.step("partitions"))).text)

    def companions(self, batch: Sequence[Package]) -> dict[str, bytes]:
        """Files that a batch needs besides those of its jobs, by path below the work directory."""
        return {}

    # -- scripts and submission --------------------------------------------------------------------------------------

    @classmethod
    def write_script(
        cls, settings: ClusterSettings, name: str, token: str, decks: Sequence[str], resources: Resources
    ) -> str:
        """The job script for decks in their order: `.d12` runs crystal, `.d3` runs properties."""
        programs = {"d12": settings.crystal, "d3": settings.properties}
        steps = tuple(Step(programs[deck.rpartition(".")[2]], deck, output_name(deck)) for deck in decks)
        plan = ScriptPlan(
            name=name,
            token=token,
            steps=steps,
            resources=resources,
            setup=settings.setup,
            launcher=settings.launcher or (cls.default_launcher if resources.ntasks > 1 else ""),
            directives=cls.directives(settings, name, token, resources),
            preflight=settings.preflight,
        )
        return render_script(plan, cls.with_variables)

    async def stage(self, batch: Sequence[Package]) -> None:
        """Bring all files of a batch to the cluster as one tar stream; attached files are copied there where they can be."""
        check_packages(batch, self.companions(batch))
        await self._run(step("stage"), self.settings.workdir, stdin=_tar(self._members(batch)), doing="staging files")
        wanted = {f"{package.directory}/{file.name}": file for package in batch for file in package.attached}
        if not wanted:
            return
        missing = await self._attach(wanted, {target: (file.remote or "-", "copy") for target, file in wanted.items()})
        for target in missing:
            if not wanted[target].local.is_file():
                raise RemoteFailure(
                    f"The attached file {target} is gone from {self.transport.where} and from CrystalDeck's own files.",
                    hint="Attach it from another job, or upload it again.",
                )
        small = [target for target in missing if wanted[target].local.stat().st_size < BLOCK_SIZE]
        for start in range(0, len(small), _ARCHIVE_FILES):
            members = {target: wanted[target].local.read_bytes() for target in small[start : start + _ARCHIVE_FILES]}
            await self._run(step("stage"), self.settings.workdir, stdin=_tar(members), doing="staging attached files")
        arrived = dict.fromkeys(missing, ("-", "copy"))
        for target in set(missing) - set(small):
            # Large ones come under a name of ours first: nothing half sent ever bears the name that a program reads.
            place = f"{target.rpartition('/')[0]}/.crystaldeck/incoming-{wanted[target].sha256[:16]}"
            await self.transport.upload(wanted[target].local, self.settings.workdir, place)
            arrived[target] = (place, "move")
        if missing and (left := await self._attach({target: wanted[target] for target in missing}, arrived)):
            raise RemoteFailure(
                f"The attached file {left[0]} did not arrive intact on {self.transport.where}.",
                hint="Is the disk full? No job is submitted with incomplete files.",
            )

    def _members(self, batch: Sequence[Package]) -> dict[str, bytes]:
        members = self.companions(batch)
        for package in batch:
            for name, data in {**package.files, ".crystaldeck/token": package.token.encode()}.items():
                members[f"{package.directory}/{name}"] = data
        return members

    async def _attach(self, wanted: dict[str, Attached], sources: dict[str, tuple[str, str]]) -> list[str]:
        """Which of the targets are not there with the right checksum, after copying or moving what the cluster has."""
        lines = "".join("\t".join((file.sha256, target, *sources[target])) + "\n" for target, file in wanted.items())
        done = await self._run(
            step("attach"), self.settings.workdir, stdin=lines.encode(), doing="attaching files", timeout=1800
        )
        words = dict(line.split("\t", 1)[::-1] for line in done.text.splitlines() if "\t" in line)
        return [target for target in wanted if words.get(target) != "have"]

    async def submit(self, batch: Sequence[Package]) -> dict[str, Receipt]:
        """Submit staged jobs for the first time; the answers by token."""
        return await self.submit_each(batch)

    async def submit_each(self, batch: Sequence[Package]) -> dict[str, Receipt]:
        """Submit jobs one by one; the answers by token. Run again, it reports what exists and starts nothing twice."""
        lines = [f"{package.token}\t{package.directory}\t{package.name}\n" for package in batch]
        done = await self._run(
            self.submission(step("submit")),
            self.settings.workdir,
            stdin="".join([*lines, "end\n"]).encode(),
            doing="submitting jobs",
            timeout=60 + 2 * len(batch),
        )
        return receipts(done, self.is_id)

    async def find(self, batch: Sequence[Package]) -> dict[str, Receipt]:
        """By token: `claimed` if a submission was ever begun on the cluster, else `absent`. Changes nothing."""
        lines = "".join(f"{package.token}\t{package.directory}\n" for package in batch)
        return receipts(
            await self._run(step("find"), self.settings.workdir, stdin=lines.encode(), doing="looking for jobs")
        )

    async def peek(self, jobs: Sequence[Handle]) -> dict[str, Glimpse]:
        """Exit markers of many jobs and new output of those that still run, by job id. One remote command."""
        return await self._peek(jobs, "running")

    async def tail(self, job: Handle) -> bytes:
        """The next bytes of one job's output from its offset on, whether it runs or not."""
        glimpse = (await self._peek([job], "all")).get(job.job_id)
        return glimpse.data if glimpse else b""

    async def _peek(self, jobs: Sequence[Handle], which: str) -> dict[str, Glimpse]:
        lines = "".join(f"{job.job_id}\t{job.directory}\t{job.output}\t{job.offset}\n" for job in jobs)
        arguments = self.settings.workdir, str(PEEK_BYTES), which
        done = await self._run(step("peek"), *arguments, stdin=lines.encode(), doing="reading progress")
        return glimpses_in(done.stdout)

    async def list_files(self, jobs: Sequence[Handle]) -> dict[str, Listing]:
        """What lies in the jobs' directories, by job id; a job whose directory is gone is absent."""
        lines = "".join(f"{job.job_id}\t{job.directory}\n" for job in jobs)
        limits = (
            self.settings.max_files,
            *(int(gb * 2**30) for gb in (self.settings.max_file_gb, self.settings.max_job_gb)),
        )
        done = await self._run(
            step("list"),
            self.settings.workdir,
            *map(str, limits),
            stdin=lines.encode(),
            doing="listing files",
            timeout=LIST_SECONDS,
        )
        return listings_in(done.stdout, {job.directory: job.job_id for job in jobs}, self.settings)

    async def browse(self, directory: str, most: int) -> list[RemoteEntry]:
        """What lies in one directory now, at most so many entries. One remote command."""
        arguments = self.settings.workdir, str(most)
        done = await self._run(step("browse"), *arguments, stdin=f"{directory}\n".encode(), doing="listing files")
        return entries_in(done.stdout)

    async def read(self, directory: str, name: str, offset: int) -> tuple[bytes, int]:
        """Bytes of a file from `offset` on, at most as many as one look brings, and its size. One remote command."""
        if not safe_path(name):
            return b"", 0
        glimpse = (await self._peek([Handle("file", "", directory, name, offset)], "all")).get("file")
        return (glimpse.data, glimpse.size) if glimpse else (b"", 0)

    async def fetch(self, jobs: Sequence[Handle], files: Sequence[RemoteFile], sink: Sink) -> None:
        """Small files of many jobs as one tar stream into `sink`; members are `<directory>/<name>`."""
        directories = {job.job_id: job.directory for job in jobs}
        names = "".join(f"{directories[file.job_id]}/{file.name}\0" for file in files)
        room = Kept(self.transport.where, sum(file.size + _HEADERS for file in files) + BLOCK_SIZE, sink)
        await self._run(
            step("pack"),
            self.settings.workdir,
            stdin=names.encode(),
            doing="fetching files",
            timeout=1800,
            sink=room.add,
        )

    async def fetch_large(self, job: Handle, file: RemoteFile, local: Path) -> None:
        """One large file, going on from what `local` already holds."""
        await self.transport.download(self.settings.workdir, f"{job.directory}/{file.name}", local, file.size)

    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Lines `token word time` that jobs append to the events file."""
        return self.transport.follow(step("follow"))

    async def _run(
        self,
        script: str,
        *args: str,
        stdin: bytes = b"",
        doing: str,
        timeout: float | None = None,
        sink: Sink | None = None,
    ) -> Completed:
        done = await self.transport.run(script, args, stdin=stdin, timeout=timeout, sink=sink)
        if done.status != 0:
            raise self._failure(done, doing)
        return done

    def _failure(self, done: Completed, doing: str) -> RemoteFailure:
        return RemoteFailure(
            f"{doing.capitalize()} on {self.transport.where} failed: {done.complaint or f'status {done.status}'}.",
            hint=_hint(done.complaint, self.settings.workdir),
        )


def _ids(jobs: Sequence[Handle]) -> bytes:
    return "".join(f"{job.scheduler_id}\n" for job in jobs).encode()


def _by_job(jobs: Sequence[Handle], words: Mapping[str, SchedulerWord]) -> dict[str, SchedulerWord]:
    return {job.job_id: words[job.scheduler_id] for job in jobs if job.scheduler_id in words}


def _hint(complaint: str, workdir: str) -> str:
    if "quota" in complaint.lower() or "no space" in complaint.lower():
        return f"The disk or quota of {workdir} is full: free some space there; CrystalDeck will retry."
    if "permission denied" in complaint.lower():
        return f"The account cannot write to {workdir}: choose another work directory on the cluster's page."
    return "Test the cluster for details; CrystalDeck will retry by itself."


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
