"""When a job that nobody knows any more is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.services.running.forgotten import DISPUTED_FOR, UNKNOWN_FOR, Forgotten

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


def test_patience_is_that_of_the_settings() -> None:
    moment = 0.0
    forgotten = Forgotten(lambda: moment)

    def verdict(hours: float, patience: timedelta = DAY, cancelled: bool = False, disputed: bool = False) -> str:
        at = NOON + timedelta(hours=hours)
        return forgotten.verdict("job", NOON, at, patience, cancelled=cancelled, disputed=disputed)

    assert verdict(100) == "", "this process never looked for it"
    forgotten.note(["job", "other"], ["job"])
    assert verdict(100) == "", "it has just begun to look"
    moment = UNKNOWN_FOR
    assert verdict(23) == ""
    assert verdict(24) == (
        "Lost: neither queue nor accounting knows this job since 2026-03-01 12:00 UTC, and it left no exit marker."
    )
    assert verdict(24, timedelta(0)) == "", "no patience means for ever"
    assert verdict(0, cancelled=True).startswith("Cancelled;")
    assert verdict(24, disputed=True) == ""
    moment = DISPUTED_FOR
    assert verdict(24, disputed=True).startswith("Lost:")
    forgotten.note(["job"], [])
    assert verdict(24) == "", "somebody knows it again"
