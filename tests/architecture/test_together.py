"""What is costly to make is made once, whatever the number of processes."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.session.together import TOGETHER

TESTS = Path(__file__).resolve().parents[1]
ONE_PROCESS = ("tests/lab/", "tests/browser/")
"""Folders that `scripts/test` gives a process of their own."""


def lasting(path: Path) -> list[str]:
    """Fixtures of a file that last for a module or longer and are used there or below."""
    return [
        function.name
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for mark in function.decorator_list
        if isinstance(mark, ast.Call)
        and any(word.arg == "scope" and ast.literal_eval(word.value) == "module" for word in mark.keywords)
    ]


def users(name: str, folder: Path) -> list[str]:
    return [
        str(path.relative_to(TESTS.parent))
        for path in folder.rglob("test_*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        and name in {argument.arg for argument in function.args.args}
    ]


def test_tests_that_share_a_fixture_of_a_module_stay_together() -> None:
    apart = set()
    for path in TESTS.rglob("*.py"):
        for name in lasting(path):
            for user in (
                [str(path.relative_to(TESTS.parent))] if path.name != "conftest.py" else users(name, path.parent)
            ):
                if not user.startswith((*TOGETHER, *ONE_PROCESS)):
                    apart.add(f"{user}: {name}")
    assert apart == set(), "name the file in tests/support/session/together.py"


def test_every_place_is_there() -> None:
    assert [place for place in TOGETHER if not (TESTS.parent / place).exists()] == []
