"""SLURM: sbatch directives, one squeue and one sacct for all jobs of an account, scancel."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.resources import Resources
from app.domain.verdict import Phase, SchedulerWord
from app.runners.base import BaseRunner, Check, Handle, step
from app.runners.script import SIGNAL_LEAD
from app.runners.slurm_states import STATE_WORDS, STATES, base_state, reason_words
from app.settings import ClusterSettings

_PROBE = r"""
export LC_ALL=C
printf 'version\t%s\n' "$(sinfo --version 2>&1 | head -n 1)"
printf 'partitions\t%s\n' "$(sinfo -h -o '%P(%a,%l,%D nodes)' 2>&1 | tr '\n' ' ' | cut -c1-600)"
if out=$(sacct -n -X -S now-1hours -o JobID 2>&1); then printf 'accounting\tavailable\n'
else printf 'accounting\tfailed: %s\n' "$(printf %s "$out" | tr '\n' ' ' | cut -c1-200)"; fi
"""


class SlurmRunner(BaseRunner):
    kind = "slurm"
    default_launcher = "srun"

    @classmethod
    def directives(cls, settings: ClusterSettings, name: str, token: str, resources: Resources) -> tuple[str, ...]:
        lead = min(SIGNAL_LEAD, resources.walltime_s // 10)
        options = {
            "job-name": name,
            "comment": token,
            "output": "job.log",
            "error": "job.log",
            "open-mode": "append",
            "signal": f"B:USR1@{lead}",
            "nodes": str(resources.nodes),
            "ntasks": str(resources.ntasks),
            "cpus-per-task": str(resources.cpus_per_task),
            "time": resources.walltime,
            "mem": f"{resources.memory_mb}M" if resources.memory_mb else "",
            "partition": resources.partition or settings.default_partition,
            "account": resources.account,
            "qos": resources.qos,
        }
        return (*(f"#SBATCH --{key}={value}" for key, value in options.items() if value), "#SBATCH --no-requeue")

    async def queue(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        done = await self._run("squeue", doing="asking squeue")
        return _by_job(jobs, parse_squeue(done.text))

    async def accounting(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        ids = "".join(f"{job.scheduler_id}\n" for job in jobs)
        since = min((job.asked_since for job in jobs), default="now-7days")
        done = await self.transport.run(step("sacct"), [since], stdin=ids.encode())
        # A site without accounting has one witness less; that is no error of the poll.
        return _by_job(jobs, parse_sacct(done.text)) if done.status == 0 else {}

    async def cancel(self, scheduler_ids: Sequence[str]) -> None:
        if scheduler_ids:
            await self._run("scancel", stdin="\n".join(scheduler_ids).encode(), doing="cancelling jobs")

    async def probe(self) -> list[Check]:
        done = await self.transport.run(_PROBE)
        found = dict(line.split("\t", 1) for line in done.text.splitlines() if "\t" in line)
        version = found.get("version", "")
        accounting = found.get("accounting", "")
        known = version.lower().startswith("slurm")
        return [
            Check(
                "scheduler", known, version if known else "SLURM's commands were not found: load them in ~/.profile."
            ),
            Check("partitions", bool(found.get("partitions")) and known, found.get("partitions", "none")),
            Check("accounting", accounting == "available", accounting or "sacct gave no answer"),
        ]


def _by_job(jobs: Sequence[Handle], words: dict[str, SchedulerWord]) -> dict[str, SchedulerWord]:
    return {job.job_id: words[job.scheduler_id] for job in jobs if job.scheduler_id in words}


def word(raw: str, reason: str = "", exit_code: str = "", nodes: str = "") -> SchedulerWord:
    """Translate one state; a state that no table knows is UNKNOWN, which is not terminal."""
    state = base_state(raw)
    phase, ending = STATES.get(state, (Phase.UNKNOWN, None))
    code, _, signal = exit_code.partition(":")
    return SchedulerWord(
        raw=raw,
        phase=phase,
        ending=ending,
        reason=STATE_WORDS.get(state) or (reason_words(reason) if phase is Phase.PENDING else ""),
        exit_code=int(code) if code.isdigit() else None,
        signal=int(signal) if signal.isdigit() else None,
        nodes="" if nodes.startswith("None") else nodes,
    )


def parse_squeue(text: str) -> dict[str, SchedulerWord]:
    """Lines `id|state|nodes|reason`."""
    words = {}
    for line in text.splitlines():
        fields = line.strip().split("|", 3)
        if len(fields) == 4:
            words[fields[0]] = word(fields[1], reason=fields[3], nodes=fields[2])
    return words


def parse_sacct(text: str) -> dict[str, SchedulerWord]:
    """Lines `id|state|exit:signal|nodes|reason` of allocations; `CANCELLED by 1001` keeps who did it."""
    words = {}
    for line in text.splitlines():
        fields = line.strip().split("|", 4)
        if len(fields) == 5 and "." not in fields[0]:
            words[fields[0]] = word(fields[1], reason=fields[4], exit_code=fields[2], nodes=fields[3])
    return words
