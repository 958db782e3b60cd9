"""Answers that need a later CRYSTAL than a cluster has."""

from __future__ import annotations

import pytest

from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateFile, TemplateSpec
from app.domain.templates.releases import release_of, too_old, unproved

SPEC = TemplateSpec(
    id="t",
    title="T",
    description="d",
    files=(TemplateFile(name="t.d12", role="d12"),),
    fields=(
        FieldSpec(key="coupling", type="boolean", label="Coupling", keyword="TWOCOMPON", since=23, required=False),
        FieldSpec(
            key="functional",
            type="choice",
            label="Functional",
            choices=[{"value": "OLD"}, {"value": "NEW", "since": 23}],  # type: ignore[arg-type]
        ),
        FieldSpec(key="list", type="table", label="List", since=17, columns=[{"key": "n"}], required=False),  # type: ignore[arg-type]
    ),
)


@pytest.mark.parametrize(
    ("program", "year"),
    [
        ("CRYSTAL23 1.0.1", 23),
        ("CRYSTAL22", 23),
        ("CRYSTAL17 1.0.2", 17),
        ("CRYSTAL09", 9),
        ("CRYSTAL98", 0),
        ("CrystalDeck preview engine 1", None),
        ("", None),
    ],
)
def test_the_year_of_a_program(program: str, year: int | None) -> None:
    assert release_of(program) == year


def test_what_is_asked_for_is_compared_with_the_program() -> None:
    asked = {"coupling": True, "functional": "NEW", "list": [{"n": 1}]}
    wrong = too_old(SPEC, asked, "CRYSTAL17 1.0.2", "hpc")
    assert [(error.field, error.value) for error in wrong] == [("coupling", "true"), ("functional", "NEW")]
    assert wrong[0].reason == (
        "(TWOCOMPON) needs CRYSTAL23 or later, but hpc runs CRYSTAL17 1.0.2: choose another cluster, or leave it out"
    )
    assert too_old(SPEC, asked, "CRYSTAL23 1.0.1", "hpc") == too_old(SPEC, asked, "CRYSTAL22", "hpc") == []
    assert [error.field for error in too_old(SPEC, asked, "CRYSTAL14", "hpc")] == ["coupling", "functional", "list"]


def test_what_is_not_asked_for_needs_nothing() -> None:
    assert too_old(SPEC, {"coupling": False, "functional": "OLD", "list": []}, "CRYSTAL14", "hpc") == []


def test_an_unknown_release_refuses_nothing_and_is_told() -> None:
    assert too_old(SPEC, {"coupling": True}, "", "hpc") == []
    assert [wish.field for wish in unproved(SPEC, {"coupling": True}, "")] == ["coupling"]
    assert unproved(SPEC, {"coupling": True}, "CRYSTAL17") == []


def test_a_template_may_need_a_release_itself() -> None:
    [error] = too_old(SPEC.model_copy(update={"since": 17, "fields": ()}), {}, "CRYSTAL14", "old")
    assert error.field == "template" and "CRYSTAL17 or later, but old runs CRYSTAL14" in error.reason
