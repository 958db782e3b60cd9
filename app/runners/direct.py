"""No batch system: a job is a process group of its own, known by process id and start time."""

from __future__ import annotations

import re

from app.domain.resources import Resources
from app.domain.verdict import WARNING_SIGNAL, Ending, Marker, Phase, SchedulerWord
from app.runners.base import BaseRunner
from app.runners.batch_systems import Check, RunnerType
from app.runners.registry import register
from app.settings import ClusterSettings


@register
class DirectRunner(BaseRunner):
    """Processes on a machine without a scheduler. Its queue is the process table; exit markers say how a job ended."""

    kind = "direct"
    id_shape = re.compile(r"[0-9]+(?:\.[0-9]+)?")
    runner_types = (
        RunnerType("ssh", "SSH, no scheduler", host=True),
        RunnerType("local", "this server", host=False),
    )
    default_limit = 1
    default_launcher = "mpirun -np {ntasks}"
    lists_all = False

    @classmethod
    def directives(cls, settings: ClusterSettings, name: str, token: str, resources: Resources) -> tuple[str, ...]:
        """Nobody reads any."""
        return ()

    @classmethod
    def read_queue(cls, text: str) -> dict[str, SchedulerWord]:
        """Lines `id<TAB>alive|gone`. Alive means running; how one that is gone ended, only its marker can say."""
        told = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
        return {job_id: SchedulerWord("RUNNING", Phase.RUNNING) for job_id, word in told.items() if word == "alive"}

    @classmethod
    def read_probe(cls, text: str) -> list[Check]:
        """What the machine is."""
        return [Check("scheduler", True, f"none needed; {text.strip().removeprefix('machine').strip()}")]

    @classmethod
    def word_of_marker(cls, marker: Marker | None) -> SchedulerWord:
        """How a process that is gone ended; one that left no marker was killed."""
        if marker is None:
            return SchedulerWord("KILLED", Phase.ENDED, Ending.ERROR, "The process disappeared without an exit marker.")
        if marker.signal == WARNING_SIGNAL:
            return SchedulerWord("TIMEOUT", Phase.ENDED, Ending.TIMEOUT, exit_code=marker.status)
        if marker.signal:
            return SchedulerWord("CANCELLED", Phase.ENDED, Ending.CANCELLED, exit_code=marker.status)
        return super().word_of_marker(marker)
