"""`crystaldeck parse` on a recorded output."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from app.cli import app


def run(*arguments: str, stdin: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_parse(recorded: Path) -> None:
    found = json.loads(run("parse", str(recorded / "c17-mgo-sto3g-opt/main.out"), "--json"))
    assert {
        "program_version", "dimensionality", "energy_scf", "energy_total", "energy_kind", "scf_cycles", "scf_converged",
        "optimization", "gap_ev", "gap_kind", "frequencies_cm1", "verdict", "diagnosis", "warnings",
    } <= found.keys()  # fmt: skip
    end = {"converged": True, "points": 6, "energy": -271.2596206888, "rms_gradient": 2.4e-05}
    assert end.items() <= found["optimization"].items()
    assert found["frequencies_cm1"] is None
    assert "verdict" in run("parse", str(recorded / "c17-mgo-sto3g-opt/main.out"))
