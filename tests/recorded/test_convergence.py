"""Will it converge? Judged on the recorded courses while they went on."""

from __future__ import annotations

from pathlib import Path

from app.crystal.outputs.convergence import judge_optimization, judge_scf
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.series import NOTHING, ScfRun


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
                    seen.add(
                        run.cycles[place], run.energies[place], run.deltas[place], run.testers[place], run.gaps[place]
                    )
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
