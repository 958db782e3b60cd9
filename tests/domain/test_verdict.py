"""Three witnesses: every state that SLURM knows, every disagreement."""

from __future__ import annotations

import pytest

from app.domain.resources import Partition
from app.domain.states import TERMINAL, JobState
from app.domain.verdict import Marker, Phase, ProgramWord, SchedulerWord, Usage, assess, conclude, restarted
from app.runners.direct import DirectRunner
from app.runners.slurm import STATES, SlurmRunner

DONE, BROKEN, CUT = ProgramWord("completed"), ProgramWord("failed", "TOO MANY CYCLES"), ProgramWord("incomplete", "cut")
CLEAN = Marker(0)


def state(raw: str) -> SchedulerWord:
    return SlurmRunner.word(raw)


@pytest.mark.parametrize("raw", STATES)
def test_no_scheduler_state_is_terminal_before_the_files_are_here(raw: str) -> None:
    standing = assess(state(raw), None, None)
    assert standing.state not in TERMINAL
    expected = {
        Phase.PENDING: JobState.SUBMITTED, Phase.RUNNING: JobState.RUNNING, Phase.ENDING: JobState.RUNNING,
        Phase.ENDED: JobState.FINISHING,
    }  # fmt: skip
    assert standing.state == expected[STATES[raw][0]]


def test_absent_is_not_done_and_unknown_is_not_terminal() -> None:
    nothing = assess(None, None, None)
    assert nothing.state is None and "keeps asking" in nothing.attention
    unknown = assess(state("WEIRD_NEW_STATE"), None, None)
    assert unknown.state is None
    assert assess(None, state("RUNNING"), None).state is None
    assert assess(None, state("COMPLETED"), None).state is JobState.FINISHING
    assert assess(None, None, CLEAN).state is JobState.FINISHING
    assert assess(state("RUNNING"), None, CLEAN).state is JobState.FINISHING


def test_what_the_queue_says_now_wins_over_a_marker_of_earlier() -> None:
    again = restarted(state("PENDING"), Marker(143, "TERM"))
    assert again is not None and again.state is JobState.SUBMITTED
    again = restarted(state("REQUEUED"), CLEAN)
    assert again is not None and again.state is JobState.SUBMITTED
    again = restarted(state("RUNNING"), None)
    assert again is not None and again.state is JobState.RUNNING
    for queue, marker in (
        (state("RUNNING"), CLEAN),
        (state("COMPLETING"), None),
        (state("COMPLETED"), None),
        (None, None),
    ):
        assert restarted(queue, marker) is None
    assert assess(state("COMPLETING"), None, CLEAN).state is JobState.FINISHING


@pytest.mark.parametrize(
    ("scheduler", "marker", "program", "cancelled", "expected", "words"),
    [
        ("COMPLETED", CLEAN, DONE, False, JobState.COMPLETED, ""),
        ("COMPLETED", CLEAN, BROKEN, False, JobState.FAILED, ""),
        ("COMPLETED", None, CUT, False, JobState.FAILED, ""),
        ("COMPLETED", None, DONE, False, JobState.COMPLETED, "no exit marker"),
        (
            "FAILED",
            Marker(1),
            DONE,
            False,
            JobState.COMPLETED,
            "the scheduler says FAILED and the job script ended with status 1",
        ),
        ("FAILED", Marker(1), BROKEN, False, JobState.FAILED, ""),
        (None, CLEAN, DONE, False, JobState.COMPLETED, "never reported how"),
        ("TIMEOUT", None, CUT, False, JobState.FAILED, ""),
        ("TIMEOUT", None, DONE, False, JobState.FAILED, "the output says the calculation completed"),
        ("OUT_OF_MEMORY", None, CUT, False, JobState.FAILED, ""),
        ("NODE_FAIL", None, CUT, False, JobState.FAILED, ""),
        ("PREEMPTED", None, CUT, False, JobState.FAILED, ""),
        ("FAILED", Marker(143, "USR1"), CUT, False, JobState.FAILED, ""),
        ("CANCELLED by 1001", None, CUT, False, JobState.CANCELLED, ""),
        ("CANCELLED by 1001", Marker(143, "TERM"), CUT, True, JobState.CANCELLED, ""),
        ("COMPLETED", CLEAN, DONE, True, JobState.COMPLETED, ""),
        ("FAILED", Marker(127), CUT, False, JobState.FAILED, ""),
    ],
)
def test_how_a_job_ended(
    scheduler: str | None, marker: Marker | None, program: ProgramWord, cancelled: bool, expected: JobState, words: str
) -> None:
    standing = conclude(state(scheduler) if scheduler else None, marker, program, cancel_requested=cancelled)
    assert standing.state is expected
    assert (words in standing.attention) if words else standing.attention == ""
    assert standing.reason


def test_a_time_limit_seen_only_by_the_marker() -> None:
    assert "time limit" in conclude(state("FAILED"), Marker(143, "USR1"), CUT, cancel_requested=False).reason
    assert "status 127" in conclude(state("FAILED"), Marker(127), CUT, cancel_requested=False).reason


def test_squeue_and_sacct_are_read() -> None:
    queue = SlurmRunner.read_queue(
        "42|PENDING||1795434465|Resources\n43_7|RUNNING|n[1-2]|1795434400|None\n\nnoise\n44|PENDING||N/A|QOSMaxJobsPerUserLimit\n"
    )
    assert queue["42"].reason == "Waiting for free nodes." and queue["42"].expected_start == 1795434465
    assert (queue["43_7"].phase, queue["43_7"].nodes) == (Phase.RUNNING, "n[1-2]")
    assert queue["43_7"].expected_start is None, "it has started"
    assert "per user" in queue["44"].reason and queue["44"].expected_start is None
    rows = SlurmRunner.read_accounting(
        "42|CANCELLED by 1001|0:15|n1|65|02:01.500||None\n42.batch|CANCELLED|0:15|n1|65|02:01.500|2048K|\n"
        "42.0|CANCELLED|0:15|n1|60|02:00|1.5G|\n43|OUT_OF_MEMORY|0:125|n1|7||1048576|OutOfMemory\n"
    )
    assert (rows["42"].raw, rows["42"].signal) == ("CANCELLED by 1001", 15)
    assert rows["42"].usage == Usage(65, 121, 1536)
    assert rows["43"].usage == Usage(7, 0, 1)
    assert rows.keys() == {"42", "43"}
    parts = SlurmRunner.read_partitions(
        "main|up|2-00:00:00|1|64|64000\nbig|up|infinite|2|32+|n/a\nbig|down|10:00|3|128|256000\nnoise\n"
    )
    assert parts == [Partition("main", True, 172800, 1, 64, 64000), Partition("big", True, 0, 5, 0, 0)]
    assert SlurmRunner.base_state("CANCELLED+") == "CANCELLED"
    assert SlurmRunner.reason_words("SomethingNew") == "Scheduler: SomethingNew."
    assert SlurmRunner.reason_words("None") == ""


def test_a_process_without_scheduler() -> None:
    raws = [
        DirectRunner.word_of_marker(marker).raw
        for marker in (None, CLEAN, Marker(2), Marker(143, "TERM"), Marker(1, "USR1"))
    ]
    assert raws == ["KILLED", "EXITED 0", "EXITED 2", "CANCELLED", "TIMEOUT"]
