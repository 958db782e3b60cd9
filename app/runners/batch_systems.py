"""What a batch system says of itself: its words as tables, its output read by a few functions, its commands as shell steps.

One class describes one batch system, and is found by the name that a cluster's settings give (`registry`). Its commands lie in a
folder of shell steps named after it, `steps/<kind>/`: `submission`, `queue`, `cancel` and `probe`, and `accounting` and
`partitions` where it has them. The idea of a table and a handful of methods is that of psij-python's executors.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources as package_resources
from typing import ClassVar

from app.domain.resources import Partition, Resources
from app.domain.verdict import Ending, Marker, Phase, SchedulerWord, Usage
from app.settings import ClusterSettings

STEPS = package_resources.files("app.runners").joinpath("steps")


def step(name: str) -> str:
    """The text of a shell step, by its path below the folder of steps without `.sh`."""
    return STEPS.joinpath(*f"{name}.sh".split("/")).read_text(encoding="utf-8")


@dataclass(frozen=True)
class RunnerType:
    """One value of the setting `runner_type`: which batch system, and where the machine is."""

    name: str
    title: str
    """For people to choose by."""
    host: bool | None = None
    """Whether it needs a host name (True), must have none (False), or may have one."""


@dataclass(frozen=True)
class Check:
    """One line of a cluster's test report."""

    name: str
    ok: bool
    detail: str

    def as_dict(self) -> dict[str, object]:
        """As it is stored and sent."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


class Meaning(StrEnum):
    """What follows when a scheduler answers a submission with words instead of an id."""

    LATER = "later"
    """It took nothing, and may take the job later."""
    UNCERTAIN = "uncertain"
    """Whether it took the job is unknown: it has to be asked."""
    REFUSED = "refused"
    """It will never take this job."""
    UNKNOWN = "unknown"
    """Words that nobody here knows. Until it was asked whether it has the job, it may have taken it."""


@dataclass(frozen=True)
class Reply:
    """A sign in the words of a scheduler, in lower case, and what it means for a submission."""

    sign: str
    meaning: Meaning
    limits_rate: bool = False
    """It wants fewer requests, whatever was asked."""


TIME_OUTS = (
    Reply("timed out", Meaning.UNCERTAIN, limits_rate=True),
    Reply("connection", Meaning.UNCERTAIN),
    Reply("unable to contact", Meaning.UNCERTAIN),
    Reply("zero bytes were", Meaning.UNCERTAIN),
    Reply("transport endpoint", Meaning.UNCERTAIN),
    Reply("unexpected message", Meaning.UNCERTAIN),
    Reply("send/recv", Meaning.UNCERTAIN),
)
"""Whoever waited in vain does not know what became of the request, whatever other words stand beside it."""


class BatchSystem(ABC):
    """A batch system by name, tables and parsers. Nothing here talks to a machine."""

    kind: ClassVar[str]
    """Its name in the program, and that of its folder of steps."""
    runner_types: ClassVar[Sequence[RunnerType]]
    """By which values of the setting `runner_type` it is chosen."""
    default_limit: ClassVar[int]
    """Jobs at once on a cluster whose settings give no limit."""
    default_launcher: ClassVar[str]
    """The MPI launcher where the settings give none; `{ntasks}` is replaced."""
    aiida_scheduler: ClassVar[str] = "core.direct"
    """The plugin of AiiDA for the same batch system, for exports."""

    id_shape: ClassVar[re.Pattern[str]] = re.compile("[0-9]+")
    """How the ids of its jobs look. Whatever else a command printed is none, and is asked for by no command."""
    lists_all: ClassVar[bool] = True
    """The step `queue` lists every job of the account; else it gets ids on standard input and answers for them."""
    has_accounting: ClassVar[bool] = False
    """It keeps what became of ended jobs; else their exit markers take the part of an accounting."""
    has_partitions: ClassVar[bool] = False

    states: ClassVar[Mapping[str, tuple[Phase, Ending | None]]] = {}
    """What its states mean; one that is not listed is UNKNOWN, which is not terminal."""
    state_words: ClassVar[Mapping[str, str]] = {}
    """A sentence for states that need one."""
    reasons: ClassVar[Mapping[str, str]] = {}
    """A sentence for each of its reasons of waiting."""
    replies: ClassVar[Sequence[Reply]] = TIME_OUTS
    """What its words mean when it takes no job; the first sign that is found counts; without one they are unknown."""
    variables: ClassVar[Mapping[str, str]] = {}
    """Its environment variables in a job by those of SLURM, which the parts of the job script name."""

    # -- what each one must say ----------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def directives(cls, settings: ClusterSettings, name: str, token: str, resources: Resources) -> tuple[str, ...]:
        """Lines at the head of the job script."""

    @classmethod
    @abstractmethod
    def read_queue(cls, text: str) -> dict[str, SchedulerWord]:
        """What the step `queue` printed, by scheduler id."""

    @classmethod
    @abstractmethod
    def read_probe(cls, text: str) -> list[Check]:
        """What the step `probe` printed, as lines of the test report."""

    # -- what only some have -------------------------------------------------------------------------------------

    @classmethod
    def read_accounting(cls, text: str) -> dict[str, SchedulerWord]:
        """What the step `accounting` printed, by scheduler id."""
        return {}

    @classmethod
    def read_partitions(cls, text: str) -> list[Partition]:
        """What the step `partitions` printed."""
        return []

    @classmethod
    def word_of_marker(cls, marker: Marker | None) -> SchedulerWord:
        """How a job ended that the queue does not list, by its exit marker; only asked where there is no accounting."""
        if marker is None:
            return SchedulerWord("KILLED", Phase.ENDED, Ending.ERROR, "The job disappeared without an exit marker.")
        ending = Ending.NORMAL if marker.status == 0 else Ending.ERROR
        return SchedulerWord(f"EXITED {marker.status}", Phase.ENDED, ending, exit_code=marker.status)

    # -- what follows from the tables ----------------------------------------------------------------------------

    @classmethod
    def base_state(cls, raw: str) -> str:
        """The state as the table has it, without what a scheduler adds: `CANCELLED by 1001`, `CANCELLED+`."""
        return raw.split(" ")[0].rstrip("+").upper()

    @classmethod
    def word(
        cls,
        raw: str,
        reason: str = "",
        exit_code: str = "",
        nodes: str = "",
        start: str = "",
        usage: Usage | None = None,
    ) -> SchedulerWord:
        """Translate one state.

        Args:
            exit_code: `status:signal`. start: expected, in seconds since 1970. What is not a number is left out.
        """
        state = cls.base_state(raw)
        phase, ending = cls.states.get(state, (Phase.UNKNOWN, None))
        code, _, signal = exit_code.partition(":")
        return SchedulerWord(
            raw=raw,
            phase=phase,
            ending=ending,
            reason=cls.state_words.get(state) or (cls.reason_words(reason) if phase is Phase.PENDING else ""),
            exit_code=int(code) if code.isdigit() else None,
            signal=int(signal) if signal.isdigit() else None,
            nodes="" if nodes.startswith("None") else nodes,
            expected_start=int(start) if phase is Phase.PENDING and start.isdigit() else None,
            usage=usage,
        )

    @classmethod
    def reason_words(cls, raw: str) -> str:
        """A sentence for a reason of waiting; an unknown one is passed on as it is."""
        raw = raw.strip().strip("()")
        for key in (raw, raw.split(",")[0].strip()):
            if key in cls.reasons:
                return cls.reasons[key]
        return f"Scheduler: {raw}." if raw else ""

    @classmethod
    def meaning_of(cls, words: str) -> Meaning:
        """What follows from the words of a scheduler that gave no id."""
        lower = words.lower()
        return next((reply.meaning for reply in cls.replies if reply.sign in lower), Meaning.UNKNOWN)

    @classmethod
    def is_id(cls, text: str) -> bool:
        """May this be the id of a job?"""
        return cls.id_shape.fullmatch(text) is not None

    @classmethod
    def limits_rate(cls, words: str) -> bool:
        """Do these words ask for fewer requests?"""
        lower = words.lower()
        return any(reply.sign in lower for reply in cls.replies if reply.limits_rate)

    @classmethod
    def step(cls, name: str) -> str:
        """A shell step of this batch system; those that submit have its words and its ways of submitting before them."""
        return step(f"{cls.kind}/{name}")

    @classmethod
    def submission(cls, name: str) -> str:
        """A step that submits: before it stand `weigh`, from the table of replies, and how this batch system submits."""
        return "\n".join([weigh(cls.replies), cls.step("submission"), name])

    @classmethod
    def with_variables(cls, script: str) -> str:
        """A part of the job script with the names that this batch system gives to the environment variables of a job."""
        for name, own in cls.variables.items():
            script = script.replace(name, own)
        return script


def weigh(replies: Iterable[Reply]) -> str:
    """The table of replies as a shell function, so that a step on the cluster decides as `meaning_of` does."""
    lines = [f"        *{_pattern(reply.sign)}*) verdict={reply.meaning} ;;" for reply in replies]
    return "\n".join(
        [
            "# What follows from words that gave no id. $1: the words. `verdict`: later, uncertain, refused or unknown.",
            "weigh() {",
            "    case $1 in",
            *lines,
            f"        *) verdict={Meaning.UNKNOWN} ;;",
            "    esac",
            "}",
            "",
        ]
    )


PLAIN = frozenset("0123456789_-/")
"""Characters that mean themselves in a pattern of the shell."""


def _pattern(sign: str) -> str:
    """A sign as a pattern of the shell that takes upper and lower case."""
    return "".join(_either_case(char) if char.isalpha() else char if char in PLAIN else f"\\{char}" for char in sign)


def _either_case(char: str) -> str:
    return f"[{char.upper()}{char}]"
