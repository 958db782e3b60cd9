"""What may be skipped. By itself a test that lacks something is skipped; on CI that is a failure, else a missing installation
would look like a success.

`CRYSTALDECK_NO_SKIP=1`: nothing may be skipped. `CRYSTALDECK_ALONE=1` beside it: nothing but tests marked `recorded`, since
nothing lies beside this clone.
"""

from __future__ import annotations

import os

import pytest


def forbidden(recorded: bool) -> bool:
    """May a test that is skipped here, marked `recorded` or not, not pass for fine?"""
    if not os.environ.get("CRYSTALDECK_NO_SKIP"):
        return False
    return not (recorded and os.environ.get("CRYSTALDECK_ALONE"))


def refuse(report: pytest.TestReport | pytest.CollectReport, recorded: bool) -> None:
    """Turn a report of a skip that is forbidden into one of a failure."""
    if report.skipped and not hasattr(report, "wasxfail") and forbidden(recorded):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"may not be skipped here: {reason.removeprefix('Skipped: ')}"
