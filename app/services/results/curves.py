"""How a calculation converges, while it runs and afterwards: cycles, points, and what is to be expected of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from app.crystal.files import SCF_LOG
from app.crystal.outputs.convergence import Hint, judge_optimization, judge_scf
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.series import OptimizationPoint, ScfRun, Series, scf_columns
from app.db.tables import Job
from app.domain.drawing.charts import Chart, line_chart
from app.domain.people.permissions import Actor
from app.domain.states import TERMINAL, JobState
from app.services.context import Context
from app.services.jobs.outputs import Output, job_of, output_of

CRITERIA = ("max_gradient", "rms_gradient", "max_displacement", "rms_displacement")
LAST_ROWS = 12
T = TypeVar("T")


async def convergence(
    context: Context, actor: Actor, job_id: str, *, scf: int = -1, since: int = 0, points: int = 0
) -> dict[str, Any]:
    """The curves of a job from where the asker has them on.

    Args:
        scf: number of the SCF that the asker knows; where a later one has begun, that one comes from its start.
        since: how many of its cycles are known; points: how many points of the optimisation are.

    Raises:
        NotFound: no such job.
    """
    job = await job_of(context, actor, job_id)
    output = output_of(context, job)
    if output is None:
        # Nothing has been printed yet: there are no curves, which is not an error for a page that waits for them.
        growing = JobState(job.state) not in TERMINAL
        return {"job": job_id, "output": None, "growing": growing, **_answer(OutputReader(), [], scf, since, points)}
    found = await context.readings.ask(
        output.path,
        lambda reader: _with_runs(
            context, output, reader, lambda runs: _answer(reader, runs, scf, since, points, output.growing)
        ),
    )
    return {"job": job_id, "output": output.name, "growing": output.growing, **found}


def _with_runs(context: Context, output: Output, reader: OutputReader, work: Callable[[list[ScfRun]], T]) -> T:
    """All SCFs of a job in their order: those of its output, then those of the second and later points in a log of their own."""
    log = output.path.with_name(SCF_LOG)
    if not log.is_file():
        return work(reader.series.scf)

    def joined(log_reader: OutputReader) -> T:
        for place, run in enumerate(log_reader.series.scf):
            run.point = place + 2
        return work([*reader.series.scf, *log_reader.series.scf])

    return context.readings.look(log, joined)


def _answer(
    reader: OutputReader, runs: list[ScfRun], scf: int, since: int, known_points: int, growing: bool = True
) -> dict[str, Any]:
    series, results = reader.series, reader.results()
    newest = len(runs) - 1
    if scf != newest:
        since = 0
    since = max(0, since)
    first = max(0, min(known_points, len(series.points)))
    optimization = results.optimization
    return {
        "tolerance": series.tolerance,
        "max_cycles": series.max_cycles,
        "scf_count": len(runs),
        "scf": {"index": newest, **scf_columns(runs[-1], since)} if runs else None,
        "points": {"since": first, **_point_columns(series.points[first:])},
        "thresholds": _thresholds(series.points),
        "hint": asdict(judge_scf(runs[-1] if runs else None, series.tolerance, series.max_cycles, running=growing)),
        "optimization_hint": (
            asdict(judge_optimization(series.points, optimization.converged, running=growing))
            if optimization is not None
            else None
        ),
    }


def _point_columns(points: list[OptimizationPoint]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "number": [point.number for point in points],
        "run": [point.run for point in points],
        "energy": [point.energy for point in points],
        "delta": [point.delta for point in points],
        "enthalpy": [point.enthalpy for point in points],
    }
    for name in CRITERIA:
        found[name] = [point.criteria[name].value if name in point.criteria else None for point in points]
    return found


def _thresholds(points: list[OptimizationPoint]) -> dict[str, float]:
    return {name: one.threshold for point in points[-2:] for name, one in point.criteria.items()}


def csv_columns(found: dict[str, Any]) -> dict[str, list[Any]]:
    """The newest SCF by cycle, and the points of an optimisation beside it."""
    scf, points = found["scf"] or {}, found["points"]
    columns = {
        "cycle": scf.get("cycle", []), "energy_ha": scf.get("energy", []), "delta_ha": scf.get("delta", []),
        "tester": scf.get("tester", []), "gap_ev": scf.get("gap", []),
    }  # fmt: skip
    if points["number"]:
        columns |= {"point": points["number"], "point_energy_ha": points["energy"], "point_delta_ha": points["delta"]}
        if any(value is not None for value in points["enthalpy"]):
            columns["point_enthalpy_ha"] = points["enthalpy"]
        columns |= {name: points[name] for name in CRITERIA}
    return columns


@dataclass(frozen=True)
class Course:
    """What the page shows of a course beside the curves: hints, the last cycles, the points."""

    hint: Hint | None
    optimization_hint: Hint | None
    rows: list[tuple[int, float, float | None, float | None]]
    """Cycle, energy, change and gap of the last cycles."""
    cycles: int
    points: list[OptimizationPoint]
    chart: Chart | None
    growing: bool
    scf_count: int
    point: int | None
    """Of the optimisation, whose SCF the cycles are."""


async def course(context: Context, job: Job) -> Course | None:
    """The course of a job's main output; None where there is nothing of it, or it is none of an SCF."""
    output = output_of(context, job)
    if output is None:
        return None
    try:
        return await context.readings.ask(
            output.path,
            lambda reader: _with_runs(context, output, reader, lambda runs: _course(reader, runs, output.growing)),
        )
    except OSError:
        return None


def _course(reader: OutputReader, runs: list[ScfRun], growing: bool) -> Course | None:
    series, results = reader.series, reader.results()
    if not runs and not series.points:
        return None
    optimization = results.optimization
    run = runs[-1] if runs else None
    rows = []
    for place in range(max(0, len(run.cycles) - LAST_ROWS), len(run.cycles)) if run else ():
        assert run is not None
        delta, gap = run.deltas[place], run.gaps[place]
        rows.append(
            (run.cycles[place], run.energies[place], delta if delta == delta else None, gap if gap == gap else None)
        )
    return Course(
        judge_scf(run, series.tolerance, series.max_cycles, running=growing) if run else None,
        judge_optimization(series.points, optimization.converged, running=growing) if optimization is not None else None,
        rows, len(run.cycles) if run else 0, list(series.points), _chart(series), growing, len(runs),
        run.point if run else None,
    )  # fmt: skip


def _chart(series: Series) -> Chart | None:
    """Over the points of an optimisation what it minimises: the enthalpy under a load from outside, else the energy."""
    name = "enthalpy" if any(point.enthalpy is not None for point in series.points) else "energy"
    lines: dict[int, list[tuple[float, float, str]]] = {}
    for point in series.points:
        if (value := getattr(point, name)) is not None:
            words = f"point {point.number}: {value:.8f} Ha"
            lines.setdefault(point.run, []).append((float(point.number), value, words))
    if max(map(len, lines.values()), default=0) < 2:
        return None
    names = {run: f"optimisation {run}" if len(lines) > 1 else name for run in lines}
    return line_chart([(names[run], points) for run, points in lines.items()], "point", f"{name} / Ha")
