"""SLURM: its states and reasons, sbatch directives, and what squeue, sacct and sinfo print.

Source: squeue(1), sacct(1), sinfo(1), sbatch(1) of SLURM 22.05; the job state codes and reasons there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from app.crystal.files import JOB_LOG
from app.domain.resources import Partition, Resources, parse_walltime
from app.domain.verdict import Ending, Phase, SchedulerWord, Usage
from app.runners.base import BaseRunner, Package, Receipt, receipts
from app.runners.batch_systems import TIME_OUTS, Check, Meaning, Reply, RunnerType
from app.runners.registry import register
from app.runners.script import SIGNAL_LEAD
from app.runners.slurm_arrays import JobArray, arrays_of
from app.settings import ClusterSettings

_P, _E = Phase, Ending

STATES: dict[str, tuple[Phase, Ending | None]] = {
    "PENDING": (_P.PENDING, None),
    "CONFIGURING": (_P.PENDING, None),
    "REQUEUED": (_P.PENDING, None),
    "REQUEUE_FED": (_P.PENDING, None),
    "REQUEUE_HOLD": (_P.PENDING, None),
    "SPECIAL_EXIT": (_P.PENDING, None),
    "RESV_DEL_HOLD": (_P.PENDING, None),
    "RUNNING": (_P.RUNNING, None),
    "COMPLETING": (_P.ENDING, None),
    "SUSPENDED": (_P.RUNNING, None),
    "STOPPED": (_P.RUNNING, None),
    "SIGNALING": (_P.RUNNING, None),
    "STAGE_OUT": (_P.RUNNING, None),
    "RESIZING": (_P.RUNNING, None),
    "COMPLETED": (_P.ENDED, _E.NORMAL),
    "FAILED": (_P.ENDED, _E.ERROR),
    "CANCELLED": (_P.ENDED, _E.CANCELLED),
    "REVOKED": (_P.ENDED, _E.CANCELLED),
    "TIMEOUT": (_P.ENDED, _E.TIMEOUT),
    "DEADLINE": (_P.ENDED, _E.TIMEOUT),
    "OUT_OF_MEMORY": (_P.ENDED, _E.MEMORY),
    "NODE_FAIL": (_P.ENDED, _E.NODE),
    "BOOT_FAIL": (_P.ENDED, _E.NODE),
    "LAUNCH_FAILED": (_P.ENDED, _E.NODE),
    "PREEMPTED": (_P.ENDED, _E.PREEMPTED),
}

STATE_WORDS: dict[str, str] = {
    "CONFIGURING": "Nodes are allocated and being prepared.",
    "REQUEUED": "Put back into the queue.",
    "REQUEUE_HOLD": "Put back into the queue and held.",
    "COMPLETING": "Ending: the nodes are being cleaned.",
    "SUSPENDED": "Suspended by the scheduler.",
    "STOPPED": "Stopped by a signal.",
}

REASONS: dict[str, str] = {
    "None": "",
    "Priority": "Waiting: other jobs have a higher priority.",
    "Resources": "Waiting for free nodes.",
    "Dependency": "Waiting for another job.",
    "DependencyNeverSatisfied": "The job that it depends on failed; it will never start.",
    "JobHeldUser": "Held by its owner.",
    "JobHeldAdmin": "Held by an administrator.",
    "BeginTime": "Its start time has not come yet.",
    "PartitionTimeLimit": "The requested time limit is longer than the partition allows.",
    "PartitionNodeLimit": "More nodes were requested than the partition allows.",
    "PartitionDown": "The partition is down.",
    "PartitionInactive": "The partition is inactive.",
    "ReqNodeNotAvail": "A node that it needs is not available, or is reserved for maintenance.",
    "Reservation": "Waiting for its reservation.",
    "Licenses": "Waiting for a licence.",
    "NodeDown": "A node that it needs is down.",
    "BadConstraints": "No node has the requested resources.",
    "AssocGrpCpuLimit": "The group's core limit is reached.",
    "AssocGrpJobsLimit": "The group's limit on running jobs is reached.",
    "AssocMaxJobsLimit": "The account's limit on running jobs is reached.",
    "QOSMaxJobsPerUserLimit": "The per user limit on running jobs is reached.",
    "QOSMaxCpuPerUserLimit": "The per user core limit is reached.",
    "QOSGrpCpuLimit": "The core limit of this quality of service is reached.",
    "QOSMaxWallDurationPerJobLimit": "The requested time limit is longer than the quality of service allows.",
    "InvalidAccount": "The account is not valid.",
    "InvalidQOS": "The quality of service is not valid.",
    "Prolog": "The node is being prepared.",
    "Cleaning": "Put back into the queue; its nodes are being cleaned.",
    "launch failed requeued held": "The start failed; held by the scheduler.",
    "NonZeroExitCode": "The job script ended with an error status.",
    "TimeLimit": "The time limit was reached.",
    "OutOfMemory": "The job ran out of memory.",
}

_PASSING = (
    # Too many requests (rl_: the rate limiter of slurmctld).
    Reply("rl_", Meaning.LATER, limits_rate=True),
    Reply("rate limit", Meaning.LATER, limits_rate=True),
    Reply("backoff", Meaning.LATER, limits_rate=True),
    Reply("back off", Meaning.LATER, limits_rate=True),
    Reply("back-off", Meaning.LATER, limits_rate=True),
    Reply("backing off", Meaning.LATER, limits_rate=True),
    # The request was never accepted as ours, or never sent.
    Reply("munge", Meaning.LATER),
    Reply("authentication", Meaning.LATER),
    Reply("standby mode", Meaning.LATER),
    Reply("process configuration file", Meaning.LATER),
    Reply("i/o error writing", Meaning.LATER),
    Reply("no space left", Meaning.LATER),
    Reply("disk quota", Meaning.LATER),
    # It has too many jobs, or too little of something, just now.
    Reply("temporarily un", Meaning.LATER),
    Reply("maxsubmit", Meaning.LATER),
    Reply("grpsubmit", Meaning.LATER),
    Reply("maxjobs", Meaning.LATER),
    Reply("grpjobs", Meaning.LATER),
    Reply("not available now", Meaning.LATER),
    Reply("partition not available", Meaning.LATER),
    Reply("partition is down", Meaning.LATER),
)
_FINAL = (
    Reply("maxwall", Meaning.REFUSED),
    Reply("perjob", Meaning.REFUSED),
    Reply("pernode", Meaning.REFUSED),
    Reply("minmemory", Meaning.REFUSED),
    Reply("invalid partition", Meaning.REFUSED),
    Reply("invalid account", Meaning.REFUSED),
    Reply("invalid qos", Meaning.REFUSED),
    Reply("invalid wckey", Meaning.REFUSED),
    Reply("invalid license", Meaning.REFUSED),
    Reply("invalid feature", Meaning.REFUSED),
    Reply("invalid constraint", Meaning.REFUSED),
    Reply("invalid generic resource", Meaning.REFUSED),
    Reply("invalid node name", Meaning.REFUSED),
    Reply("invalid job array", Meaning.REFUSED),
    Reply("invalid --", Meaning.REFUSED),
    Reply("invalid number", Meaning.REFUSED),
    Reply("invalid time", Meaning.REFUSED),
    Reply("time limit is invalid", Meaning.REFUSED),
    Reply("reservation is invalid", Meaning.REFUSED),
    Reply("node count specification", Meaning.REFUSED),
    Reply("node configuration is not available", Meaning.REFUSED),
    Reply("more processors requested", Meaning.REFUSED),
    Reply("memory specification can not", Meaning.REFUSED),
    Reply("memory required by task", Meaning.REFUSED),
    Reply("group not permitted", Meaning.REFUSED),
    Reply("access/permission denied", Meaning.REFUSED),
    Reply("dependency problem", Meaning.REFUSED),
    Reply("batch script", Meaning.REFUSED),
    Reply("unrecognized option", Meaning.REFUSED),
    Reply("invalid option", Meaning.REFUSED),
    Reply("unable to open file", Meaning.REFUSED),
)
REPLIES = (
    *TIME_OUTS,
    *_PASSING,
    Reply("communicat", Meaning.UNCERTAIN),
    *_FINAL,
    # Of the limits that this speaks of, those that last are named before it by words of their own.
    Reply("accounting/qos policy", Meaning.LATER),
)
"""Source: slurm_errno.c and the reasons of job_state_reason in SLURM 22.05. What passes stands before what lasts."""


@register
class SlurmRunner(BaseRunner):
    """SLURM with its accounting, partitions and job arrays."""

    kind = "slurm"
    id_shape = re.compile(r"[0-9]+(?:_[0-9]+)?")
    runner_types = (RunnerType("slurm", "SLURM over SSH"),)
    default_limit = 500
    default_launcher = "srun"
    aiida_scheduler = "core.slurm"
    has_accounting = True
    has_partitions = True
    states = STATES
    state_words = STATE_WORDS
    reasons = REASONS
    replies = REPLIES

    @classmethod
    def directives(cls, settings: ClusterSettings, name: str, token: str, resources: Resources) -> tuple[str, ...]:
        """Lines `#SBATCH --option=value`; the job is warned by USR1 before its time limit, and never requeued by SLURM."""
        lead = min(SIGNAL_LEAD, resources.walltime_s // 10)
        options = {
            "job-name": name,
            "comment": token,
            "output": JOB_LOG,
            "error": JOB_LOG,
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

    @classmethod
    def read_queue(cls, text: str) -> dict[str, SchedulerWord]:
        """Lines `id|state|nodes|start|reason` of squeue."""
        words: dict[str, SchedulerWord] = {}
        for line in text.splitlines():
            fields = line.strip().split("|", 4)
            if len(fields) == 5:
                word = cls.word(fields[1], reason=fields[4], nodes=fields[2], start=fields[3])
                words |= dict.fromkeys(_elements(fields[0]), word)
        return words

    @classmethod
    def read_accounting(cls, text: str) -> dict[str, SchedulerWord]:
        """Lines `id|state|exit:signal|nodes|elapsed|cpu|memory|reason` of sacct, of jobs and below each of its steps.

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
        words: dict[str, SchedulerWord] = {}
        for job_id, (_, state, code, nodes, wall, cpu, _, reason) in jobs.items():
            usage = Usage(int(wall) if wall.isdigit() else 0, _seconds(cpu), memory[job_id])
            word = cls.word(state, reason=reason, exit_code=code, nodes=nodes, usage=usage)
            words |= dict.fromkeys(_elements(job_id), word)
        return words

    @classmethod
    def read_partitions(cls, text: str) -> list[Partition]:
        """Lines `name|available|time limit|nodes|cores|memory` of sinfo, one for each kind of nodes in a partition."""
        partitions: dict[str, Partition] = {}
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
            earlier = partitions.get(name)
            partitions[name] = entry if earlier is None else earlier.with_nodes(entry)
        return list(partitions.values())

    @classmethod
    def read_probe(cls, text: str) -> list[Check]:
        """Version, partitions and accounting, each as a line of the report."""
        told = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
        version, accounting = told.get("version", ""), told.get("accounting", "")
        answers = version.lower().startswith("slurm")
        return [
            Check("scheduler", answers, version if answers else _NOT_FOUND),
            Check("partitions", bool(told.get("partitions")) and answers, told.get("partitions", "none")),
            Check("accounting", accounting == "available", accounting or "sacct gave no answer"),
        ]

    # -- job arrays ----------------------------------------------------------------------------------------------

    def companions(self, batch: Sequence[Package]) -> dict[str, bytes]:
        """The scripts and lists of the job arrays that the batch leaves as."""
        return {path: data for array in self._arrays(batch) for path, data in array.files().items()}

    def _arrays(self, batch: Sequence[Package]) -> list[JobArray]:
        return arrays_of(batch) if self.settings.job_arrays else []

    async def submit(self, batch: Sequence[Package]) -> dict[str, Receipt]:
        """Submit jobs of one group as arrays, the others one by one; the answers by token."""
        answers: dict[str, Receipt] = {}
        for array in self._arrays(batch):
            lines = [f"{package.token}\t{package.directory}\n" for package in array.packages]
            done = await self._run(
                self.submission(self.step("submit_array")),
                self.settings.workdir,
                array.directory,
                array.name,
                stdin="".join([*lines, "end\n"]).encode(),
                doing="submitting a job array",
                timeout=120,
            )
            answers |= {
                token: receipt for token, receipt in receipts(done, self.is_id).items() if receipt.word != "single"
            }
        rest = [package for package in batch if package.token not in answers]
        return answers | (await self.submit_each(rest) if rest else {})


MAX_ELEMENTS = 100_000
"""Elements of one array that are looked at; SLURM's own limit is far below."""


_NOT_FOUND = (
    "SLURM's commands were not found. Commands see what ~/.bashrc sets for shells that are not interactive, "
    "and with login_shell = true also what /etc/profile and ~/.profile set."
)


def _elements(job_id: str) -> Iterator[str]:
    """The ids that one line speaks of: `123_[4-6,9%2]` are the elements of an array that wait, or were cancelled while they did."""
    array, bracket, rest = job_id.partition("_[")
    if not bracket:
        yield job_id
        return
    left = MAX_ELEMENTS
    for part in rest.rstrip("]").partition("%")[0].split(","):
        if match := _RANGE.fullmatch(part):
            first, last, pace = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
            indices = range(first, last + 1, max(pace, 1))[:left]
            left -= len(indices)
            yield from (f"{array}_{index}" for index in indices)


_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9})(?::([0-9]{1,9}))?)?")


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


def _leading(text: str) -> int:
    """`64+` is at least 64; the largest node may be larger, so nothing is known: 0."""
    return int(text) if text.isdigit() else 0
