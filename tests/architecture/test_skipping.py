"""On CI a skipped test is a failed one; only recorded tests may be skipped, and only where the clone lies alone."""

from __future__ import annotations

import pytest

from tests.support.session import skipping


def skipped(wasxfail: bool = False) -> pytest.TestReport:
    report = pytest.TestReport(
        "tests/x.py::test", ("tests/x.py", 1, "test"), {}, "skipped", ("tests/x.py", 2, "Skipped: no Chromium"), "setup"
    )
    if wasxfail:
        report.wasxfail = "known"
    return report


@pytest.mark.parametrize(
    ("no_skip", "alone", "recorded", "outcome"),
    [
        ("", "", False, "skipped"), ("", "1", True, "skipped"), ("1", "", False, "failed"), ("1", "", True, "failed"),
        ("1", "1", False, "failed"), ("1", "1", True, "skipped"),
    ],
)  # fmt: skip
def test_who_may_skip(monkeypatch: pytest.MonkeyPatch, no_skip: str, alone: str, recorded: bool, outcome: str) -> None:
    monkeypatch.setenv("CRYSTALDECK_NO_SKIP", no_skip)
    monkeypatch.setenv("CRYSTALDECK_ALONE", alone)
    report = skipped()
    skipping.refuse(report, recorded)
    assert report.outcome == outcome
    if outcome == "failed":
        assert report.longreprtext == "may not be skipped here: no Chromium"


def test_an_expected_failure_is_no_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYSTALDECK_NO_SKIP", "1")
    report = skipped(wasxfail=True)
    skipping.refuse(report, recorded=False)
    assert report.outcome == "skipped"
