"""Workflows before they run: what passes between steps, what is wrong with them, what a run does next."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from app.crystal.decks.remedies import REMEDIES
from app.crystal.language import LANGUAGE
from app.crystal.outputs.results import shape_of_results
from app.domain.drawing.graphs import draw
from app.domain.drawing.timelines import duration
from app.domain.workflows.checks import Checked, Known, check
from app.domain.workflows.definition import as_written, read_workflow, with_parameters
from app.domain.workflows.orchestration import blocked_by, descendants, may_begin, run_verdict, step_verdict
from app.domain.workflows.wiring import Link, Source
from app.errors import InvalidInput
from app.library.templates import TemplateLibrary
from app.services.workflows.library import built_in

TEMPLATES = {template.spec.id: template.spec for template in TemplateLibrary().all()}
KNOWN = Known(TEMPLATES, built_in(), shape_of_results(), list(REMEDIES), LANGUAGE)


def checked(*steps: dict[str, Any], **more: Any) -> Checked:
    return check(read_workflow({"name": "test", "steps": list(steps), **more}), KNOWN)


def step(name: str, template: str = "scf", *after: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "template": template, "after": list(after), **more}


# -- what people write -----------------------------------------------------------------------------------------------------


def test_the_form_that_people_write() -> None:
    """The three steps of `Workflow(...)` with templates by the names of their files."""
    found = checked(
        {"name": "geom_opt", "template": "optimization.d12.j2", "parameters": {}, "after": []},
        {"name": "single_point", "template": "scf.d12.j2", "parameters": {}, "after": ["geom_opt"]},
        {"name": "bands", "template": "bands.d12.j2", "parameters": {}, "after": ["single_point"]},
    )
    assert found.problems == []
    assert found.order == ["geom_opt", "single_point", "bands"]
    assert found.wired["single_point"].links == {
        "geometry_file": Link("geom_opt", "geometry", "fort.34"),
        "guess_file": Link("geom_opt", "wavefunction", "fort.9"),
    }
    assert found.wired["bands"].links == {
        "geometry_file": Link("geom_opt", "geometry", "fort.34"),
        "wavefunction_file": Link("single_point", "wavefunction", "fort.9"),
    }
    assert found.wired["bands"].parameters == {"system": "external", "start": "wavefunction"}


@pytest.mark.parametrize("name", built_in())
def test_ready_workflows_are_right(name: str) -> None:
    found = check(built_in()[name], KNOWN)
    assert [problem.sentence for problem in found.problems] == []
    assert read_workflow(as_written(built_in()[name])) == built_in()[name]


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({"name": "x", "steps": []}, "steps"), ({"name": "x", "steps": [{"name": "A b"}]}, "steps.0.name"),
        ({"name": "x", "steps": [{"name": "a"}]}, "steps.0"),
        ({"name": "x", "steps": [{"name": "a", "template": "scf", "retries": 99}]}, "steps.0.retries"),
        ({"name": "x", "steps": [step("a"), step("a")]}, "workflow"),
        ({"name": "x", "steps": [step("a", on_failure="pray")]}, "steps.0.on_failure"), ({"steps": [step("a")]}, "name"),
        ({"name": "x", "steps": [{"name": "a", "values": {"x": "1"}, "over": "y"}]}, "steps.0"),
    ],
)  # fmt: skip
def test_unreadable_workflows_name_the_place(definition: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_workflow(definition)
    assert place in [error.field for error in caught.value.fields]


# -- what is wrong ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([step("a", "scf", "b"), step("b", "scf", "a")], "in a circle"),
        ([step("a", "scf", "z")], "names the step 'z'"), ([step("a", "nothing")], "there is no template 'nothing'"),
        ([step("a", parameters={"colour": "red"})], "is not a parameter of scf"),
        ([step("a", parameters={"shrink": "many"})], "must be an integer"),
        ([step("a"), step("b", parameters={"a": "{{ steps.a.results.title }}"})], "takes a number, but"),
        ([step("a"), step("b", parameters={"a": "{{ steps.a.results.gap }}"})], "a has no gap"),
        ([step("a", parameters={"a": "{{ steps.b.results.gap_ev }}"}), step("b", "scf", "a")], "in a circle"),
        ([step("a", parameters={"a": "{{ steps.z.results.gap_ev }}"})], "there is no step z"),
        ([step("a", parameters={"a": "{{ inputs.x }}"})], "there is no input x"),
        ([step("a", parameters={"a": "{{ item.x }}"})], "only in a step with several jobs"),
        ([step("a", parameters={"a": "{{ import os }}"})], "is not an expression"),
        ([step("a", when="steps.b > 0"), step("b")], ""),
        ([step("a"), step("b", "scf", "a", files={"guess_file": "a:geometry"})],
         "needs the geometry of a, but scf leaves wavefunction"),
        ([step("a"), step("b", "scf", "a", files={"nothing": "a:geometry"})], "is not a file field"),
        ([step("a", "optimization"), step("b", "scf", "a", files={"geometry_file": "a:wavefunction"})],
         "takes a geometry, not a wavefunction"),
        ([step("a", over={"a": "4, 5"}), step("b", "scf", "a", files={"guess_file": "a:wavefunction"})],
         "which is not a single job"),
        ([step("a", "optimization"), step("b", "optimization"), step("c", "scf", "a", "b")], "could take its structure from"),
        ([step("a", "optimization"), step("b", "surface", "a")], "cannot read the geometry that a leaves"),
        ([step("a", remedies=["prayer"])], "there is no remedy 'prayer'"),
        ([step("a", over={"title": "x", "nothing": "1"})], "nothing is not a parameter"),
        ([step("a", over={"shrink": "2..4"})], "does not accept"), ([{"name": "a", "workflow": "none"}], "there is no workflow"),
        ([step("a", over=[{"a": 4}] * 1001)], "has 1001 rows"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(steps: list[dict[str, Any]], words: str) -> None:
    found = checked(*steps)
    told = " ".join(problem.sentence for problem in found.problems)
    assert words in told
    assert bool(found.problems) == bool(words), told


def test_a_workflow_does_not_run_itself() -> None:
    inner = read_workflow({"name": "inner", "steps": [{"name": "a", "workflow": "outer"}]})
    outer = read_workflow({"name": "outer", "steps": [{"name": "b", "workflow": "inner"}]})
    known = Known(TEMPLATES, {"inner": inner, "outer": outer}, shape_of_results(), [], LANGUAGE)
    assert "would run itself" in check(outer, known).problems[0].reason


# -- what passes -----------------------------------------------------------------------------------------------------------


def test_a_structure_of_its_own_is_not_replaced() -> None:
    found = checked(step("opt", "optimization"), step("other", "scf", "opt", parameters={"a": 4.0}))
    assert found.wired["other"].links == {}
    assert found.wired["other"].structure == Source("own", "other")


def test_a_guess_needs_the_same_basis_set_and_cell() -> None:
    found = checked(
        step("opt", "optimization"),
        step("basis", "scf", "opt", parameters={"basis_set": "STO-3G"}),
        step("bigger", "scf", "opt", parameters={"supercell": "2 2 2"}),
        step("without", "scf", "opt", files={"guess_file": ""}),
    )
    assert found.problems == []
    for name in ("basis", "bigger", "without"):
        assert set(found.wired[name].links) == {"geometry_file"}, name


def test_a_guess_does_not_fit_a_larger_cell() -> None:
    found = checked(step("a"), step("b", "scf", "a"), step("c", "phonon_dispersion", "a"))
    assert set(found.wired["b"].links) == {"guess_file"}
    assert found.wired["c"].links == {}


def test_properties_read_the_nearest_wave_function() -> None:
    found = checked(
        step("a"), step("b", "scf", "a"), step("dos", "dos", "b"), step("own", "dos", "b", parameters={"start": "scf"})
    )
    assert found.wired["dos"].links == {"wavefunction_file": Link("b", "wavefunction", "fort.9")}
    assert "wavefunction_file" not in found.wired["own"].links


def test_values_and_fan_outs_pass_no_files() -> None:
    found = checked(
        step("points", "scf", over={"shrink": "2, 4"}),
        {"name": "best", "values": {"shrink": "max(steps.points.parameters.shrink)"}},
        step("last", "scf", parameters={"shrink": "{{ steps.best.values.shrink }}"}),
    )
    assert found.problems == []
    assert found.before == {"points": [], "best": ["points"], "last": ["best"]}
    assert found.wired["last"].links == {}


# -- what a run does next --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks", "policy", "state"),
    [
        (["completed"], "skip", "completed"), (["active", "failed"], "skip", None), (["later"], "skip", None),
        (["failed"], "skip", "failed"), (["failed", "completed"], "skip", "failed"),
        (["failed", "completed"], "continue", "completed"),
        (["failed"], "continue", "failed"), (["asking", "completed"], "ask", "asking"), (["asking", "active"], "ask", None),
        (["cancelled"], "skip", "cancelled"), (["cancelled", "failed"], "skip", "failed"),
    ],
)  # fmt: skip
def test_a_step_stands_by_its_tasks(tasks: list[str], policy: str, state: str | None) -> None:
    verdict = step_verdict(tasks, policy)
    assert (verdict.state if verdict else None) == state


def test_what_fails_blocks_what_is_behind_it_and_nothing_else() -> None:
    spec = checked(
        step("a"), step("b", "scf", "a"), step("c", "scf", "b"), step("d", on_failure="continue"), step("e", "scf", "d")
    ).spec
    states = {"a": "failed", "b": "waiting", "c": "waiting", "d": "failed", "e": "waiting"}
    assert blocked_by(spec, ["a"], states) == "The step a failed."
    assert blocked_by(spec, ["b"], states) == ""
    assert blocked_by(spec, ["b"], states | {"b": "skipped"}) == "The step b was skipped."
    assert may_begin(spec, ["d"], states)
    assert not may_begin(spec, ["b"], states)
    assert run_verdict(spec, states, {}) is None
    ended = {"a": "failed", "b": "skipped", "c": "skipped", "d": "failed", "e": "completed"}
    verdict = run_verdict(spec, ended, dict.fromkeys(ended, ""))
    assert verdict is not None
    assert (verdict.state, verdict.message) == ("failed", "Failed: a.")
    allowed = run_verdict(spec, ended | dict.fromkeys("abc", "completed"), dict.fromkeys(ended, ""))
    assert allowed is not None
    assert allowed.state == "completed"


def test_what_depends_on_a_step() -> None:
    before = {"a": [], "b": ["a"], "c": ["b"], "d": []}
    assert descendants(before, "b") == {"b", "c"}


def test_parameters_of_single_steps() -> None:
    definition = {"name": "x", "steps": [step("a", parameters={"shrink": 2}), step("b")]}
    changed = with_parameters(definition, {"a": {"toldee": 9}})
    assert changed["steps"][0]["parameters"] == {"shrink": 2, "toldee": 9}
    with pytest.raises(InvalidInput, match="no step 'c'"):
        with_parameters(definition, {"c": {}})


# -- pictures --------------------------------------------------------------------------------------------------------------


def test_boxes_of_a_graph_do_not_overlap() -> None:
    before = {f"s{rung}_{place}": [f"s{rung - 1}_{place}", f"s{rung - 1}_{(place + 1) % 5}"] if rung else []
              for rung in range(4) for place in range(5)}  # fmt: skip
    found = draw(before)
    assert set(found.places) == set(before)
    for one, other in combinations(found.places.values(), 2):
        assert (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + one.height <= other.y
            or (other.y + other.height <= one.y)
        )
    for edge in found.edges:
        assert found.places[edge.source].x < found.places[edge.target].x
    assert all(
        place.x + place.width <= found.width and place.y + place.height <= found.height
        for place in found.places.values()
    )


def test_an_edge_over_other_layers_passes_above_their_nodes() -> None:
    found = draw({"a": [], "b": ["a"], "c": ["b", "a"]})
    long = next(edge for edge in found.edges if (edge.source, edge.target) == ("a", "c"))
    assert 0 < long.y < found.places["b"].y


def test_times_in_words() -> None:
    assert [duration(seconds) for seconds in (0.4, 42, 200, 7500, 273600)] == [
        "0 s",
        "42 s",
        "3 min 20 s",
        "2 h 5 min",
        "3 d 4 h",
    ]
