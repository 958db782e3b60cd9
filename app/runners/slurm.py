"""SLURM: sbatch directives, one squeue and one sacct for all jobs of an account, scancel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.resources import Partition, Resources, parse_walltime
from app.domain.verdict import Phase, SchedulerWord, Usage
from app.runners.base import BaseRunner, Check, Handle, Package, Receipt, receipts, step
from app.runners.script import SIGNAL_LEAD, array_script
from app.runners.slurm_states import STATE_WORDS, STATES, base_state, reason_words
from app.settings import ClusterSettings

_PROBE = r"""
export LC_ALL=C
printf 'version\t%s\n' "$(sinfo --version 2>&1 | head -n 1)"
printf 'partitions\t%s\n' "$(sinfo -h -o '%P(%a,%l,%D nodes)' 2>&1 | tr '\n' ' ' | cut -c1-600)"
if out=$(sacct -n -X -S now-1hours -o JobID 2>&1); then printf 'accounting\tavailable\n'
else printf 'accounting\tfailed: %s\n' "$(printf %s "$out" | tr '\n' ' ' | cut -c1-200)"; fi
"""


_SINFO = "export LC_ALL=C; sinfo --noheader --format='%R|%a|%l|%D|%c|%m'"
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
        return hashlib.sha256(" ".join(package.token for package in self.packages).encode()).hexdigest()[:10]

    @property
    def name(self) -> str:
        return f"{self.group}-{self.key}"

    @property
    def directory(self) -> str:
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


class SlurmRunner(BaseRunner):
    kind = "slurm"
    default_launcher = "srun"
    has_accounting = True

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

    def companions(self, batch: Sequence[Package]) -> dict[str, bytes]:
        return {path: data for array in self._arrays(batch) for path, data in array.files().items()}

    def _arrays(self, batch: Sequence[Package]) -> list[JobArray]:
        return arrays_of(batch) if self.settings.job_arrays else []

    async def submit(self, batch: Sequence[Package]) -> dict[str, Receipt]:
        """Jobs of one group go out as arrays, the others one by one."""
        answers: dict[str, Receipt] = {}
        for array in self._arrays(batch):
            lines = [f"{package.token}\t{package.directory}\n" for package in array.packages]
            done = await self._run(
                "submit_array", self.settings.workdir, array.directory, array.name,
                stdin="".join([*lines, "end\n"]).encode(), doing="submitting a job array", timeout=120,
            )  # fmt: skip
            answers |= {token: receipt for token, receipt in receipts(done).items() if receipt.word != "single"}
        rest = [package for package in batch if package.token not in answers]
        return answers | (await self.submit_each(rest) if rest else {})

    async def queue(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        return _by_job(jobs, await self.listed())

    async def accounting(self, jobs: Sequence[Handle]) -> dict[str, SchedulerWord]:
        ids = "".join(f"{job.scheduler_id}\n" for job in jobs)
        since = min((job.asked_since for job in jobs), default="now-7days")
        done = await self.transport.run(step("sacct"), [since], stdin=ids.encode())
        # A site without accounting has one witness less; that is no error of the poll.
        return _by_job(jobs, parse_sacct(done.text)) if done.status == 0 else {}

    async def listed(self) -> dict[str, SchedulerWord]:
        return parse_squeue((await self._run("squeue", doing="asking squeue")).text)

    async def partitions(self) -> list[Partition]:
        return parse_sinfo((await self.transport.run(_SINFO)).text)

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


def word(
    raw: str, reason: str = "", exit_code: str = "", nodes: str = "", start: str = "", usage: Usage | None = None
) -> SchedulerWord:
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
        expected_start=int(start) if phase is Phase.PENDING and start.isdigit() else None,
        usage=usage,
    )


def parse_squeue(text: str) -> dict[str, SchedulerWord]:
    """Lines `id|state|nodes|start|reason`."""
    words = {}
    for line in text.splitlines():
        fields = line.strip().split("|", 4)
        if len(fields) == 5:
            words[fields[0]] = word(fields[1], reason=fields[4], nodes=fields[2], start=fields[3])
    return words


def parse_sacct(text: str) -> dict[str, SchedulerWord]:
    """Lines `id|state|exit:signal|nodes|elapsed|cpu|memory|reason`, of jobs and below each of its steps.

    `CANCELLED by 1001` keeps who did it. The memory is that of the step that used most.
    """
    jobs: dict[str, list[str]] = {}
    memory: dict[str, int] = {}
    for line in text.splitlines():
        fields = line.strip().split("|", 7)
        if len(fields) == 8:
            job_id, _, step_name = fields[0].partition(".")
            memory[job_id] = max(memory.get(job_id, 0), _mebibytes(fields[6]))
            if not step_name:
                jobs[job_id] = fields
    return {
        job_id: word(
            state, reason=reason, exit_code=code, nodes=nodes,
            usage=Usage(int(wall) if wall.isdigit() else 0, _seconds(cpu), memory[job_id]),
        )
        for job_id, (_, state, code, nodes, wall, cpu, _, reason) in jobs.items()
    }  # fmt: skip


def _mebibytes(text: str) -> int:
    """`123456K` as sacct prints memory; nothing where it is not known."""
    units = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
    number = text.rstrip("KMGT")
    try:
        return round(float(number) * units.get(text[len(number) :], 1 / 1024**2))
    except ValueError:
        return 0


def _seconds(text: str) -> int:
    """`[days-][hours:]minutes:seconds[.fraction]`."""
    try:
        return parse_walltime(text.partition(".")[0])
    except ValueError:
        return 0


def parse_sinfo(text: str) -> list[Partition]:
    """Lines `name|available|time limit|nodes|cores|memory`; a partition with nodes of several kinds has several lines."""
    found: dict[str, Partition] = {}
    for line in text.splitlines():
        fields = line.strip().split("|")
        if len(fields) != 6:
            continue
        name, state, limit, nodes, cores, memory = fields
        try:
            seconds = parse_walltime(limit)
        except ValueError:
            # `infinite` and `n/a`
            seconds = 0
        entry = Partition(name, state == "up", seconds, int(nodes), _leading(cores), _leading(memory))
        known = found.get(name)
        found[name] = entry if known is None else known.with_nodes(entry)
    return list(found.values())


def _leading(text: str) -> int:
    """`64+` is at least 64; the largest node may be larger, so nothing is known: 0."""
    return int(text) if text.isdigit() else 0


def _directives_of(package: Package) -> tuple[str, ...]:
    """What a job asks of the scheduler, but for its name."""
    lines = package.files["job.sh"].decode().splitlines()
    return tuple(
        line for line in lines
        if line.startswith("#SBATCH ") and not line.startswith(("#SBATCH --job-name", "#SBATCH --comment"))
    )  # fmt: skip


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
