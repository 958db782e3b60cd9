"""Will it converge? Judged on the courses of the corpus while they went on, and on courses of each kind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.crystal.outputs.convergence import judge_optimization, judge_scf
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.series import NOTHING, ScfRun, Series
from tests.support.corpus import CORPUS


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


def series_of(name: str) -> Series:
    reader = OutputReader()
    reader.feed((CORPUS / name).read_bytes())
    return reader.series


def begun(run: ScfRun, length: int) -> ScfRun:
    """The course as it stood after `length` cycles."""
    seen = ScfRun()
    for place in range(length):
        seen.add(run.cycles[place], run.energies[place], run.deltas[place], run.testers[place], run.gaps[place])
    return seen


@pytest.mark.parametrize(
    "name", ["mgo-b3lyp", "slab-scf", "quartz-freq", "dry-ice-ir", "nio-scf", "graphene-phonons", "slab-opt"]
)
def test_courses_that_converged_were_on_their_way(name: str) -> None:
    """In the second half of a course that converged nobody was told to stop it."""
    found = series_of(f"{name}/main.out")
    run = found.scf[0]
    assert run.converged and len(run.cycles) >= 8
    for length in range(len(run.cycles) // 2 + 4, len(run.cycles)):
        judged = judge_scf(begun(run, length), found.tolerance, found.max_cycles)
        assert judged.kind in ("converging", "slow", "early"), (length, judged)


def test_the_estimate_is_near_the_truth() -> None:
    found = series_of("slab-scf/main.out")
    [run] = found.scf
    judged = judge_scf(begun(run, 13), found.tolerance, found.max_cycles)
    assert abs(judged.evidence["steps_to_go"] - (run.cycles[-1] - 12)) <= 2


def test_optimisations() -> None:
    points = series_of("nio-opt-limit/main.out").points
    assert judge_optimization(points[:6], None).kind == "converging"
    # It goes up and down until its limit.
    assert {judge_optimization(points[:n], None).kind for n in range(30, 60)} <= {"oscillating", "stuck", "slow"}
    assert judge_optimization(points, False).kind == "ended"
    assert judge_optimization(series_of("slab-opt/main.out").points, True).kind == "converged"
    assert judge_optimization([], None).kind == "early"


@pytest.mark.parametrize(
    "deltas", [[-0.1, -0.01], [-(10.0 ** -(n / 2)) for n in range(10)], [0.01 * (-1) ** n for n in range(20)]]
)
def test_of_what_no_longer_runs_nothing_is_expected(deltas: list[float]) -> None:
    """No cycles to go, and no advice to stop it."""
    judged = judge_scf(course(deltas), 1e-8, 50, running=False)
    assert (judged.kind, judged.advice, "steps_to_go" in judged.evidence) == ("stopped", "", False)
    points = series_of("nio-opt-limit/main.out").points
    for count in (6, 40):
        stopped = judge_optimization(points[:count], None, running=False)
        assert (stopped.kind, stopped.advice) == ("stopped", "")
    # What the program said of its end stands.
    assert judge_optimization(points, False, running=False).kind == "ended"
    assert judge_optimization(points, True, running=False).kind == "converged"
