"""What a job asks of a cluster: nodes, ranks, threads, memory, wall time, partition."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.errors import FieldError, InvalidInput

_WALLTIME = re.compile(r"(?:(?:(\d+)-)?(\d{1,3}):)?(\d{1,3}):(\d{2})")
_WORD = re.compile(r"[A-Za-z0-9_.,:+-]*")


def parse_walltime(text: str) -> int:
    """Seconds in `[days-][hours:]minutes:seconds`, or in a plain number of minutes, as SLURM reads it.

    Raises:
        ValueError: neither form.
    """
    text = text.strip()
    if text.isdigit():
        return int(text) * 60
    match = _WALLTIME.fullmatch(text)
    if match is None:
        raise ValueError("is not a time such as 02:00:00, 1-12:00:00 or a number of minutes")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def format_walltime(seconds: int) -> str:
    """`[days-]HH:MM:SS`."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}-{hour:02}:{minute:02}:{second:02}" if days else f"{hour:02}:{minute:02}:{second:02}"


@dataclass(frozen=True)
class Partition:
    """A partition's limits: wall time in seconds, nodes, cores and MiB of one node. 0: none, or not known."""

    name: str
    up: bool = True
    walltime_s: int = 0
    nodes: int = 0
    cores: int = 0
    memory_mb: int = 0

    def with_nodes(self, other: Partition) -> Partition:
        """The same partition with nodes of one more kind; only the largest kind limits a job."""
        cores = max(self.cores, other.cores) if self.cores and other.cores else 0
        memory = max(self.memory_mb, other.memory_mb) if self.memory_mb and other.memory_mb else 0
        return replace(
            self,
            up=self.up or other.up,
            nodes=self.nodes + other.nodes,
            cores=cores,
            memory_mb=memory,
            walltime_s=max(self.walltime_s, other.walltime_s) if self.walltime_s and other.walltime_s else 0,
        )

    def refusals(self, wanted: Resources) -> list[FieldError]:
        """What this partition would not take."""
        per_node = -(-wanted.cores // wanted.nodes)
        limits: list[tuple[str, int, int, Callable[[int], str], str]] = [
            ("walltime", wanted.walltime_s, self.walltime_s, format_walltime, "the partition's time limit"),
            ("nodes", wanted.nodes, self.nodes, str, "the partition's number of nodes"),
            ("ntasks", per_node, self.cores, str, "the cores of one of its nodes"),
            ("memory_mb", wanted.memory_mb, self.memory_mb, str, "the memory of one of its nodes in MiB"),
        ]
        return [
            FieldError(f"resources.{key}", f"must be at most {words(limit)}, {what} ({self.name})", words(value))
            for key, value, limit, words, what in limits
            if limit and value > limit
        ]


class Resources(BaseModel):
    """Requested resources. Memory is per node in MiB (0: the partition's default); wall time in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: int = Field(1, ge=1, le=10000)
    ntasks: int = Field(1, ge=1, le=1_000_000, description="MPI ranks in total")
    cpus_per_task: int = Field(1, ge=1, le=1024, description="OpenMP threads per rank")
    memory_mb: int = Field(0, ge=0, le=100_000_000)
    walltime_s: int = Field(3600, ge=60, le=90 * 86400)
    partition: str = ""
    account: str = ""
    qos: str = ""

    @field_validator("walltime_s", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return parse_walltime(value) if isinstance(value, str) else value

    @field_validator("partition", "account", "qos")
    @classmethod
    def _plain_word(cls, value: str) -> str:
        value = value.strip()
        if not _WORD.fullmatch(value) or value.startswith("-") or len(value) > 64:
            raise ValueError("may contain only letters, digits and _ . , : + -")
        return value

    @property
    def cores(self) -> int:
        """Cores of all tasks together."""
        return self.ntasks * self.cpus_per_task

    @property
    def walltime(self) -> str:
        """The time limit as `[days-]HH:MM:SS`."""
        return format_walltime(self.walltime_s)


def read_resources(values: dict[str, Any]) -> Resources:
    """Validate what a form or a notebook sent. `walltime` may stand for `walltime_s` as text.

    Raises:
        InvalidInput: names each wrong field as `resources.<key>`.
    """
    values = {key: value for key, value in values.items() if value not in ("", None)}
    if "walltime" in values:
        values["walltime_s"] = values.pop("walltime")
    try:
        return Resources.model_validate(values)
    except ValidationError as error:
        fields = [
            FieldError(
                "resources." + str(item["loc"][0]).replace("walltime_s", "walltime"),
                item["msg"].removeprefix("Value error, "),
                str(item.get("input", ""))[:80],
            )
            for item in error.errors()
        ]
        raise InvalidInput(
            "The requested resources are invalid: " + "; ".join(f"{f.field} {f.reason}" for f in fields) + ".",
            hint="Correct the marked fields and submit again.",
            fields=fields,
        ) from error
