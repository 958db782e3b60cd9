"""How a job stands and how it ended, from three witnesses: queue, accounting, and the job's own marker and output.

No witness is trusted alone. Absent from the queue is not "done"; unknown is not terminal; where two witnesses
contradict each other the job gets an `attention` text instead of a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.states import JobState


class Phase(StrEnum):
    """What a scheduler state means for us."""

    PENDING = "pending"
    RUNNING = "running"
    ENDING = "ending"
    """Its script is over, or is being ended; the nodes are being cleaned."""
    ENDED = "ended"
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """Kinds of end that a scheduler reports."""

    NORMAL = "normal"
    ERROR = "error"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    NODE = "node"
    PREEMPTED = "preempted"


@dataclass(frozen=True)
class Usage:
    """What a job took, by its accounting: seconds of wall time and of all cores together, and MiB at the peak of one step."""

    wall_s: int = 0
    cpu_s: int = 0
    memory_mb: int = 0


@dataclass(frozen=True)
class SchedulerWord:
    """What queue or accounting said of one job, already translated, with the raw text kept."""

    raw: str
    phase: Phase
    ending: Ending | None = None
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    nodes: str = ""
    expected_start: int | None = None
    """When the scheduler expects to start a waiting job, in seconds since 1970."""
    usage: Usage | None = None


@dataclass(frozen=True)
class Marker:
    """The exit marker that the job script writes as its last act."""

    status: int
    signal: str = ""
    ended_at: float = 0.0
    began_at: float = 0.0
    """Both in seconds since 1970; 0: not known."""


@dataclass(frozen=True)
class ProgramWord:
    """What the program's own output says: completed, failed or incomplete, with the reason in words."""

    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Standing:
    """Where a job stands now. `state` None: no witness says enough, leave it as it is."""

    state: JobState | None
    reason: str = ""
    attention: str = ""


WARNING_SIGNAL = "USR1"
"""Sent to the job script shortly before the time limit."""
_ENDING_WORDS: dict[Ending, str] = {
    Ending.TIMEOUT: "The time limit was reached before the calculation ended.",
    Ending.MEMORY: "The job used more memory than it was given.",
    Ending.NODE: "A compute node failed while the job ran.",
    Ending.PREEMPTED: "The scheduler took the nodes away for another job.",
}
"""Reasons of failed jobs. They are stored and read again by `ending_of`: a text that is changed is not recognised in older jobs."""


NOT_TAKEN = "could not take the job"
"""In the reason of a job whose files could not be brought to the cluster: nothing was wrong with the job itself."""


LOST = "Neither the queue nor the accounting of the batch system knows the job any more, and it left no exit marker."


def ending_of(reason: str) -> Ending | None:
    """The end that a failed job's reason tells of; None: the calculation itself, or something unforeseen."""
    if NOT_TAKEN in reason:
        return Ending.NODE
    return next((ending for ending, words in _ENDING_WORDS.items() if reason == words), None)


def assess(queue: SchedulerWord | None, accounting: SchedulerWord | None, marker: Marker | None) -> Standing:
    """The state of a submitted job, from one poll. Terminal states are never decided here: see `conclude`."""
    if queue is not None and queue.phase is Phase.PENDING:
        return Standing(JobState.SUBMITTED, queue.reason)
    if queue is not None and queue.phase in (Phase.RUNNING, Phase.ENDING):
        # The script has written its last line: results can be fetched while the scheduler tidies up.
        return Standing(JobState.FINISHING if marker else JobState.RUNNING, queue.reason)
    if queue is not None and queue.phase is Phase.ENDED:
        return Standing(JobState.FINISHING, queue.reason)
    if accounting is not None and accounting.phase is Phase.ENDED:
        return Standing(JobState.FINISHING, accounting.reason)
    if marker is not None:
        return Standing(
            JobState.FINISHING, "The job wrote its exit marker, but the scheduler has not reported how it ended."
        )
    return Standing(
        None,
        attention="The scheduler no longer lists this job and its accounting has no end for it. "
        "CrystalDeck keeps asking; check the job on the cluster if this persists.",
    )


def restarted(queue: SchedulerWord | None, marker: Marker | None) -> Standing | None:
    """Where a job stands that had ended and that the batch system then put back into its queue; None: it did not.

    The queue speaks of now, a marker of some earlier moment, and a start removes the marker of the one before.
    """
    if queue is not None and queue.phase is Phase.PENDING:
        return Standing(JobState.SUBMITTED, "The batch system put the job back into its queue.")
    if queue is not None and queue.phase is Phase.RUNNING and marker is None:
        return Standing(JobState.RUNNING, "The batch system started the job again.")
    return None


def conclude(
    scheduler: SchedulerWord | None, marker: Marker | None, program: ProgramWord, *, cancel_requested: bool
) -> Standing:
    """How a job ended, once its files are here. `scheduler` is the ended word of queue or accounting, if any."""
    ending = scheduler.ending if scheduler else None
    if ending is Ending.CANCELLED or (cancel_requested and program.verdict != "completed"):
        by = "" if cancel_requested else f" by someone else ({scheduler.raw})" if scheduler else ""
        return Standing(JobState.CANCELLED, f"Cancelled{by}.")
    if ending in (Ending.ERROR, None) and marker is not None and marker.signal == WARNING_SIGNAL:
        # The script was warned and ended the program in time; the scheduler only sees its exit status.
        ending = Ending.TIMEOUT
    if ending in _ENDING_WORDS:
        attention = (
            f"Disputed: the scheduler says {scheduler.raw}, the output says the calculation completed."
            if scheduler and program.verdict == "completed"
            else ""
        )
        return Standing(JobState.FAILED, _ENDING_WORDS[ending], attention)
    if program.verdict == "completed":
        return _completed(scheduler, marker)
    reason = program.reason or "The output does not show a normal end."
    if scheduler is None and marker is None:
        reason = f"{LOST} {reason}"
    if marker is not None and marker.status in (126, 127):
        reason = (
            f"A command of the job script could not be run (status {marker.status}). Check crystal, properties and "
            "launcher in the settings of the cluster; the output holds the shell's message."
        )
    if marker is None and ending is Ending.NORMAL and program.verdict == "incomplete":
        reason += " The job script did not finish."
    return Standing(JobState.FAILED, reason)


def _completed(scheduler: SchedulerWord | None, marker: Marker | None) -> Standing:
    """The output is complete: do the other witnesses agree?"""
    doubts = []
    if scheduler is None:
        doubts.append("the scheduler never reported how the job ended")
    elif scheduler.ending is Ending.ERROR:
        doubts.append(f"the scheduler says {scheduler.raw}")
    if marker is None:
        doubts.append("the job script wrote no exit marker")
    elif marker.status != 0:
        doubts.append(f"the job script ended with status {marker.status}")
    attention = f"Disputed: the output is complete, but {' and '.join(doubts)}." if doubts else ""
    return Standing(JobState.COMPLETED, "The calculation completed.", attention)
