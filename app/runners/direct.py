"""No batch system: a job is a process group of its own, known by process id and start time."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.resources import Resources
from app.domain.verdict import WARNING_SIGNAL, Ending, Marker, Phase, SchedulerWord
from app.runners.base import BaseRunner, Check, Handle
from app.settings import ClusterSettings


class DirectRunner(BaseRunner):
    kind = "direct"
    default_launcher = "mpirun -np {ntasks}"

    @classmethod
    def directives(cls, settings: ClusterSettings, name: str, token: str, resources: Resources) -> tuple[str, ...]:
        return ()

    async def queue(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        """The process table: alive means running; how a dead one ended, only its marker can say."""
        ids = "".join(f"{job.scheduler_id}\n" for job in jobs)
        done = await self._run("direct_poll", stdin=ids.encode(), doing="looking at processes")
        alive = dict(line.split("\t", 1) for line in done.text.splitlines() if "\t" in line)
        return {
            job.job_id: SchedulerWord("RUNNING", Phase.RUNNING)
            for job in jobs
            if alive.get(job.scheduler_id) == "alive"
        }

    async def accounting(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        """The exit markers take the part of an accounting; a process that left none was killed."""
        glimpses = await self.peek(jobs)
        return {job.job_id: direct_ending(glimpses[job.job_id].marker) for job in jobs if job.job_id in glimpses}

    async def cancel(self, scheduler_ids: Sequence[str]) -> None:
        if scheduler_ids:
            await self._run("direct_cancel", stdin="\n".join([*scheduler_ids, ""]).encode(), doing="ending processes")

    async def probe(self) -> list[Check]:
        done = await self.transport.run('printf "%s cores, %s" "$(nproc)" "$(uname -sr)"')
        return [Check("scheduler", True, f"none needed; {done.text.strip()}")]


def direct_ending(marker: Marker | None) -> SchedulerWord:
    """How a process that is gone ended."""
    if marker is None:
        return SchedulerWord("KILLED", Phase.ENDED, Ending.ERROR, "The process is gone without an exit marker.")
    if marker.signal == WARNING_SIGNAL:
        return SchedulerWord("TIMEOUT", Phase.ENDED, Ending.TIMEOUT, exit_code=marker.status)
    if marker.signal:
        return SchedulerWord("CANCELLED", Phase.ENDED, Ending.CANCELLED, exit_code=marker.status)
    ending = Ending.NORMAL if marker.status == 0 else Ending.ERROR
    return SchedulerWord(f"EXITED {marker.status}", Phase.ENDED, ending, exit_code=marker.status)
