"""Will it converge? Judged on the recorded courses while they went on, and on courses of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.crystal.convergence import judge_optimization, judge_scf
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.series import NOTHING, ScfRun


def course(deltas: Sequence[float]) -> ScfRun:
    run = ScfRun()
    for cycle, delta in enumerate([NOTHING, *deltas]):
        run.add(cycle, -100.0, delta, NOTHING, NOTHING)
    return run


@pytest.mark.parametrize(
    ("kind", "deltas", "limit"),
    [
        ("early", [-0.1, -0.01], 50),
        ("converging", [-(10.0 ** -(n / 2)) for n in range(10)], 50),
        ("slow", [-(10.0 ** -(n / 10)) for n in range(30)], 40),
        ("oscillating", [0.01 * (-1) ** n for n in range(20)], 50),
        ("diverging", [-0.001 * 1.3**n for n in range(20)], 50),
        ("stuck", [-1e-4 + 1e-6 * (n % 3) for n in range(20)], 50),
    ],
)
def test_each_kind(kind: str, deltas: list[float], limit: int) -> None:
    found = judge_scf(course(deltas), 1e-8, limit)
    assert found.kind == kind
    assert found.words
    assert found.evidence
    if kind in ("oscillating", "diverging", "stuck", "slow"):
        assert found.advice


def test_an_end_is_no_guess() -> None:
    run = course([-1.0, -0.1, -0.01, -0.001, -0.0001])
    assert (run.converged, judge_scf(None, None, None).kind) == (None, "early")
    run.converged = False
    assert judge_scf(run, 1e-8, 5).kind == "ended"
    run.converged = True
    assert judge_scf(run, 1e-8, 5).kind == "converged"


def test_recorded_courses_that_converged_were_on_their_way(recorded: Path) -> None:
    """In the second half of a course that converged nobody was told to stop it."""
    for path in sorted(recorded.glob("*/*.out")):
        reader = OutputReader()
        reader.feed(path.read_bytes())
        for run in reader.series.scf:
            if not run.converged or len(run.cycles) < 8:
                continue
            for length in range(len(run.cycles) // 2 + 4, len(run.cycles)):
                seen = ScfRun()
                for place in range(length):
                    seen.add(run.cycles[place], run.energies[place], run.deltas[place], run.testers[place], run.gaps[place])
                found = judge_scf(seen, reader.series.tolerance, reader.series.max_cycles)
                assert found.kind in ("converging", "slow", "early"), (path.parent.name, length, found)


def test_the_estimate_is_near_the_truth(recorded: Path) -> None:
    reader = OutputReader()
    reader.feed((recorded / "c23-slab-hse06-archer2/6x6-mv.out").read_bytes())
    [run] = reader.series.scf
    seen = ScfRun()
    for place in range(13):
        seen.add(run.cycles[place], run.energies[place], run.deltas[place], NOTHING, NOTHING)
    found = judge_scf(seen, reader.series.tolerance, reader.series.max_cycles)
    assert abs(found.evidence["steps_to_go"] - (run.cycles[-1] - 12)) <= 2


def test_optimisations(recorded: Path) -> None:
    reader = OutputReader()
    reader.feed((recorded / "c17-mackinawite-opt-failed/FAILED_GEOM_mackinawite_opt.out").read_bytes())
    points = reader.series.points
    assert judge_optimization(points[:6], None).kind == "converging"
    # It went up and down for ninety points, until its limit.
    assert {judge_optimization(points[:n], None).kind for n in range(40, 100)} <= {"oscillating", "stuck", "slow"}
    assert judge_optimization(points, False).kind == "ended"
    assert judge_optimization([], None).kind == "early"
