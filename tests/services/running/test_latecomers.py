"""When files that come after their job's end are waited for, and for how long."""

from __future__ import annotations

import pytest

from app.domain.verdict import Ending, Marker, Phase, SchedulerWord
from app.services.running.latecomers import LAST_LOOK, Latecomers, missing_files

COMPLETED = SchedulerWord("COMPLETED", Phase.ENDED, Ending.NORMAL)
FAILED = SchedulerWord("FAILED", Phase.ENDED, Ending.ERROR)


@pytest.mark.parametrize(
    ("word", "marker", "seen", "missing"),
    [
        (COMPLETED, Marker(0), ["a.out", "b.outp"], []),
        (COMPLETED, Marker(0), ["a.out"], ["b.outp"]),
        (COMPLETED, None, ["a.out", "b.outp"], ["its exit marker"]),
        (COMPLETED, None, [], ["its exit marker", "a.out", "b.outp"]),
        (COMPLETED, Marker(1), ["a.out"], []),
        (FAILED, None, [], []),
        (None, None, [], []),
    ],
)  # fmt: skip
def test_what_is_missing(
    word: SchedulerWord | None, marker: Marker | None, seen: list[str], missing: list[str]
) -> None:
    assert missing_files(word, marker, ["a.out", "b.outp"], seen) == missing


def test_it_is_looked_for_closely_then_once_more() -> None:
    moment, looks = 1000.0, []
    latecomers = Latecomers(lambda: moment)
    while latecomers.wait("job", ["a.out"]):
        assert latecomers.rests("job") and not latecomers.rests("other")
        looks.append(moment - 1000)
        while latecomers.rests("job"):
            moment += 1
    assert looks == [*range(0, 61, 5)] and moment == 1000 + LAST_LOOK
    latecomers.forget("job")
    assert "a.out cannot be seen" in latecomers.wait("job", ["a.out"])
    assert latecomers.wait("job", []) == ""
