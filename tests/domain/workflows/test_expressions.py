"""Expressions of workflows: what they may say, what they mean, and what they cannot reach."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.templates.conditions import ConditionError
from app.domain.workflows.expressions import Language, kind_of, paths

LANGUAGE = Language({"twice": lambda value: 2 * value})
NAMES: dict[str, Any] = {
    "inputs": {"tolerance": 1e-3, "list": "2, 4, 6"},
    "parameters": {"a": 4.2},
    "item": {"shrink": "4"},
    "index": 1,
    "steps": {
        "scf": {"results": {"energy_total": -1.5, "gap_ev": 0.0, "geometry": {"cell": [4.0, 5.0, 6.0]}}},
        "points": [{"results": {"energy_total": value}} for value in (-1.0, -1.2, -1.2005)] + [None],
    },
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("steps.scf.results.energy_total", -1.5), ("steps.scf.results.geometry.cell[1]", 5.0),
        ("steps.scf.results.gap_ev > 0", False), ("steps.points.results.energy_total", [-1.0, -1.2, -1.2005, None]),
        ("min(steps.points.results.energy_total)", -1.2005), ("len(steps.points)", 4), ("sum([1, None, 2])", 3),
        ("place(steps.points.results.energy_total, min(steps.points.results.energy_total))", 2),
        ("converged(steps.points.results.energy_total, inputs.tolerance)", 1), ("twice(parameters.a)", 8.4),
        ("number(item.shrink) * 2", 8.0), ("cbrt(27)", 3.0), ("rows('a', inputs.list)[2].a", "6"), ("index + 1", 2),
    ],
)  # fmt: skip
def test_values(source: str, value: Any) -> None:
    found = LANGUAGE.condition(source).value(NAMES)
    assert found == pytest.approx(value) if isinstance(value, float) else found == value
    assert LANGUAGE.condition("{{ " + source + " }}").value(NAMES) == found


def test_texts_keep_the_kind_of_a_whole_expression() -> None:
    assert LANGUAGE.fill("{{ steps.scf.results.energy_total }}", NAMES) == -1.5
    assert LANGUAGE.fill("gap {{ steps.scf.results.gap_ev }} eV", NAMES) == "gap 0 eV"
    assert LANGUAGE.fill({"a": ["{{ parameters.a }}", "plain"], "n": 3}, NAMES) == {"a": [4.2, "plain"], "n": 3}


@pytest.mark.parametrize(
    "source",
    ["steps.__class__", "steps.scf.results.keys()", "().__class__", "open('x')", "secret.a", "steps.scf.nothing",
     "steps.scf[0]", "[1][5]", "steps.points[0].results.energy_total.real", "2 ** 64", "rows('a', 5)", "lambda: 1",
     "steps.scf.results.energy_total @ 1"],
)  # fmt: skip
def test_nothing_else_is_reachable(source: str) -> None:
    with pytest.raises(ConditionError):
        LANGUAGE.condition(source).value(NAMES)


def test_a_value_is_a_finite_number() -> None:
    with pytest.raises(ConditionError, match="not a finite number"):
        LANGUAGE.computed("1e308 * 1e308 - 1e308 * 1e308").value(NAMES)


def test_what_is_named_is_known_before_there_are_values() -> None:
    found = LANGUAGE.condition("steps.a.results.energy_total - 2 * steps.b.results.geometry.cell[0]")
    assert paths(found) == [
        ("steps", "a", "results", "energy_total"),
        ("steps", "b", "results", "geometry", "cell", "[]"),
    ]
    kinds = {"1 < 2": "boolean", "'x'": "text", "1 + 1": "any", "3 - 1": "number", "[1]": "list", "len([1])": "number"}
    assert {source: kind_of(LANGUAGE.condition(source)) for source in kinds} == kinds
