"""The expression language evaluates what it should, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.templates.conditions import Condition, ConditionError


@pytest.mark.parametrize(
    ("source", "names", "value"),
    [
        ("2 * shrink", {"shrink": 8}, 16), ("a < b <= 3", {"a": 1, "b": 3}, True), ("a < b < 3", {"a": 1, "b": 3}, False),
        ("kind == 'x' or n in (1, 2)", {"kind": "y", "n": 2}, True), ("not spin and 1 not in [2]", {"spin": False}, True),
        ("max(1, len(rows)) if rows else -1", {"rows": [1, 2]}, 2), ("7 // 2 + 7 % 2 - 1 / 2", {}, 3.5),
        ("abs(-3) + round(2.4) + min(1, 2)", {}, 6),
    ],
)  # fmt: skip
def test_values(source: str, names: dict[str, object], value: object) -> None:
    assert Condition(source).value(names) == value


@pytest.mark.parametrize(
    "source",
    ["__import__('os')", "a.b", "a[0]", "lambda: 1", "[x for x in y]", "open('f')", "2 ** 99", "f'{a}'", "a =", "x" * 600,
     "(yield)", "len(a, key=1)"],
)  # fmt: skip
def test_anything_else_is_refused(source: str) -> None:
    with pytest.raises(ConditionError):
        Condition(source)


def test_missing_or_unsuitable_values_count_as_false() -> None:
    assert not Condition("a > 1").holds({})
    assert not Condition("a > 1").holds({"a": "text"})
    with pytest.raises(ConditionError):
        Condition("1 / a").value({"a": 0})
    assert Condition("a and b").names == {"a", "b"}


@given(st.text(max_size=60))
def test_no_text_does_more_than_be_refused(source: str) -> None:
    with suppress(ConditionError):
        Condition(source).holds({"a": 1})
