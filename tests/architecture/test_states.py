"""States change in one place each: nobody else writes them, by whatever way Python or SQL has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path("app")
TRANSITIONS = "app/services/transitions/jobs.py"
REPOSITORY = "app/db/repositories/jobs.py"
STATEMENTS = {"update", "delete", "insert"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(APP.rglob("*.py")):
        yield path.as_posix(), ast.parse(path.read_text(), str(path))


def called(node: ast.AST) -> str:
    """Name of the function that is called, without what stands before its last point."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def faults_of_jobs(path: str, tree: ast.Module) -> list[str]:
    """Ways round the transitions of jobs in one module."""
    found = []
    for node in ast.walk(tree):
        name = called(node)
        if path not in (TRANSITIONS, REPOSITORY) and name == "write_states":
            found.append("calls write_states")
        if path != TRANSITIONS and name in ("Job", "JobEvent") and any(
            word.arg in ("state", "from_state", "to_state") for word in node.keywords
        ):  # fmt: skip
            found.append(f"makes a {name} with a state")
        if path != REPOSITORY and name in STATEMENTS and any(
            isinstance(argument, ast.Name) and argument.id == "Job" for argument in node.args
        ):  # fmt: skip
            found.append(f"has a statement {name}(Job)")
        if name in ("setattr", "set_committed_value") and path.startswith("app/services"):
            found.append(f"calls {name}")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(part, ast.Attribute) and part.attr == "state" and path != TRANSITIONS:
                    owner = ast.unparse(part.value)
                    if "job" in owner.lower():
                        found.append(f"assigns {owner}.state")
    return found


def test_only_transitions_write_the_states_of_jobs() -> None:
    faults = {path: found for path, tree in trees() if (found := faults_of_jobs(path, tree))}
    assert faults == {}


@pytest.mark.parametrize(
    "line",
    [
        "job.state = 'running'",
        "job.state, job.reason = 'running', ''",
        "found.job.state = 'running'",
        "Job(id='a', state='running')",
        "JobEvent(job_id='a', to_state='running')",
        "session.exec(update(Job), params=[{'id': 'a', 'state': 'running'}])",
        "setattr(job, 'state', 'running')",
        "await jobs.write_states(session, [])",
    ],
)
def test_ways_round_the_transitions_are_seen(line: str) -> None:
    assert faults_of_jobs("app/services/somewhere.py", ast.parse(line)) != []
