"""Axes, points, names, convergence; what jobs will take; the scheduler's budget; charts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.drawing.charts import line_chart, nice_ticks
from app.domain.estimates import Past, estimate
from app.domain.queueing import FREE, Budget
from app.domain.resources import Partition, Resources
from app.domain.sweeps import Axis, converged_at, corners, fill_name, label, points, read_axis, settled
from app.domain.templates.fields import Choice, FieldSpec

NUMBER = FieldSpec(key="a", type="number", label="a", min=0)
MESH = FieldSpec(key="shrink", type="kmesh", label="Shrinking factor", min=1, max=64)
WHOLE = FieldSpec(key="toldee", type="integer", label="TOLDEE", min=1, max=20)
METHOD = FieldSpec(
    key="method", type="choice", label="Method", choices=(Choice(value="HF"), Choice(value="PBE"), Choice(value="PBE0"))
)


@pytest.mark.parametrize(
    ("spec", "text", "values"),
    [
        (MESH, "4, 6 ,8", ([4], [6], [8])),
        (MESH, "4 4 2; 6 6 3", ([4, 4, 2], [6, 6, 3])),
        (MESH, "4..12 step 4", ([4], [8], [12])),
        (WHOLE, "10..6 step 2", (10, 8, 6)),
        (NUMBER, "5.0..5.6 count 4", (5.0, 5.2, 5.4, 5.6)),
        (NUMBER, "1e-4..1e-8 log 5", (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)),
        (NUMBER, "4.1 4.2", (4.1, 4.2)),
        (METHOD, "HF\nPBE0", ("HF", "PBE0")),
    ],
)
def test_an_axis_is_written_as_people_write_it(spec: FieldSpec, text: str, values: tuple[object, ...]) -> None:
    assert read_axis(spec, text).values == values


@pytest.mark.parametrize(
    ("spec", "text", "words"),
    [
        (MESH, "", "needs values"),
        (MESH, "4, x", "does not accept x"),
        (MESH, "4, 99", "at most 64"),
        (MESH, "4, 6, 4", "twice"),
        (NUMBER, "1..2 step 0", "steps of 0"),
        (NUMBER, "1..2 count 1", "2 to 1000"),
        (NUMBER, "0..1 log 3", "positive limits"),
        (NUMBER, "0..1 step 1e-9", "cannot go"),
        (METHOD, "HF, B99", "does not accept B99"),
        (WHOLE, "1..2 step 0.5", "does not accept 1.5"),
    ],
)
def test_a_wrong_axis_says_which_value_and_why(spec: FieldSpec, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_axis(spec, text)


def test_grids_and_zips() -> None:
    axes = [Axis("a", (1, 2)), Axis("b", ("x", "y", "z"))]
    assert len(points(axes, "grid")) == 6
    assert points(axes, "grid")[:2] == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]
    assert corners(axes, "grid") == [{"a": a, "b": b} for a in (1, 2) for b in ("x", "z")]
    assert corners([Axis("m", ([4], [8]))], "grid") == [{"m": [4]}, {"m": [8]}]
    with pytest.raises(ValueError, match="the same length"):
        points(axes, "zip")
    assert points([Axis("a", (1, 2)), Axis("b", (3, 4))], "zip") == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    with pytest.raises(ValueError, match="only one axis"):
        points([Axis("a", (1,)), Axis("a", (2,))], "grid")
    with pytest.raises(ValueError, match="1600 points"):
        points([Axis(key, tuple(range(40))) for key in "ab"], "grid")


def test_where_a_series_has_converged() -> None:
    assert converged_at([-1.0, -1.5, -1.5001, -1.50011], 1e-3) == 1
    assert converged_at([-1.0, None, -1.5001, -1.50011], 1e-3) == 2
    assert converged_at([-1.0, -1.5], 1e-3) is None
    assert converged_at([None, -1.5], 1e-3) is None
    assert settled([-1.0, -1.5, -1.5001, -1.50011], 1e-3)
    assert not settled([-1.0, -1.5, -1.5001], 1e-3)
    # A gap proves nothing: the point between may lie elsewhere.
    assert not settled([-1.5, None, -1.5, -1.5], 1e-3)


def test_names_are_made_from_patterns() -> None:
    known = {"source": "MgO", "shrink": [4, 4, 2], "a": 4.2}
    assert fill_name("{source}-{a}-{shrink}", known) == "MgO-4.2-4 4 2"
    with pytest.raises(ValueError, match="names b; known names: a, shrink, source"):
        fill_name("{b}", known)
    assert label(5.300000000000001) == "5.3"


def test_an_estimate_comes_from_jobs_of_like_size() -> None:
    history = [Past(2, 4, 100, 3600, 500), Past(8, 4, 1600, 3600, 900), Past(400, 4, 1e6, 86400, 9000)]
    found = estimate(history, 4, 4)
    assert found is not None and found.jobs == 2
    assert found.wall_s == pytest.approx(400.0) and found.memory_mb == 900
    assert found.core_hours == pytest.approx(4 * 400 / 3600)
    assert (found.suggested_walltime_s, found.suggested_memory_mb) == (1200, 1536)
    assert estimate(history, 100000, 4) is None and estimate([], 4, 4) is None
    unknown = estimate(history, 0, 4)
    assert unknown is not None and unknown.jobs == 3


def test_a_budget_learns_from_refusals_and_recovers() -> None:
    budget = Budget()
    assert budget.allowance(0.0) is None
    budget.spend(0.0, 120)
    first = budget.refuse(1.0)
    assert budget.allowance(1.5) == 0 and budget.rate == pytest.approx(1.0)
    second = budget.refuse(1.0 + first)
    assert second == 2 * first and budget.rate == pytest.approx(0.5)
    moment = 1.0 + first + second + 1.0
    assert budget.allowance(moment) == 1
    for _ in range(2000):
        if budget.rate is None:
            break
        moment += 10.0
        budget.spend(moment, budget.allowance(moment) or 0)
    assert budget.rate is None or budget.rate > FREE / 2
    assert Budget(refusals=40, rate=1e-9).refuse(0.0) == 60.0


def test_a_full_disk_makes_a_pause_and_nobody_slower() -> None:
    budget = Budget()
    first, second = budget.rest(0.0), budget.rest(10.0)
    assert (first, second) == (2.0, 4.0)
    assert budget.allowance(11.0) == 0 and budget.allowance(15.0) is None
    budget.spend(15.0, 1)
    assert budget.rest(20.0) == 2.0


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["ok", "no"])), max_size=60))
def test_a_budget_never_allows_a_request_during_its_pause(steps: list[tuple[float, str]]) -> None:
    budget, moment, until = Budget(), 0.0, 0.0
    for pause, what in steps:
        moment += pause
        allowed = budget.allowance(moment)
        assert allowed == 0 if moment < until else (allowed is None or allowed >= 0)
        if what == "no":
            until = moment + budget.refuse(moment)
        elif allowed != 0:
            budget.spend(moment, 1)


def test_a_partition_says_what_it_does_not_take() -> None:
    short = Partition("short", walltime_s=600, nodes=2, cores=8, memory_mb=1000)
    assert short.refusals(Resources(walltime_s=600, ntasks=16, nodes=2)) == []
    wrong = short.refusals(Resources(walltime_s=601, ntasks=48, nodes=3, memory_mb=2000))
    assert [error.field for error in wrong] == [
        f"resources.{key}" for key in ("walltime", "nodes", "ntasks", "memory_mb")
    ]
    assert Partition("any").refusals(Resources(walltime_s=86400 * 30, ntasks=5000)) == []
    assert short.with_nodes(Partition("short", cores=64)).cores == 64


def test_a_chart_has_round_ticks_and_keeps_the_digits_that_differ() -> None:
    assert nice_ticks(0.0, 1.0) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    found = line_chart([("", [(2, -271.25620, "2"), (4, -271.25671, "4")])], "shrink", "energy / Ha", tolerance=1e-4)
    assert found is not None and found.offset == pytest.approx(-271.3) and found.band is not None
    assert all(found.top <= tick.at <= found.bottom for tick in found.y_ticks)
    assert all(len(tick.text) < 9 for tick in found.y_ticks)
    assert line_chart([], "x", "y") is None
    single = line_chart([("", [(1, 0.0, "one")])], "x", "y", x_names=["HF"])
    assert single is not None and [tick.text for tick in single.x_ticks] == ["HF"]
