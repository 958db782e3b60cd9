"""States change in one room: nobody else writes them, by whatever way Python or SQL has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path("app")
TRANSITIONS = "app/services/transitions/"
ROOMS = ("app/services/", "app/db/", "app/events/", "app/background/", "app/routes/", "app/cli.py")
"""Where rows of the database are at hand."""
TABLES = {"Job", "JobEvent", "WorkflowRun", "WorkflowStep", "WorkflowTask", "Batch", "BatchItem"}
WRITERS = {"write_states", "write_receipts", "renew"}
"""What the repositories have for the transitions alone."""
STATES = {"state", "from_state", "to_state"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(APP.rglob("*.py")):
        if path.as_posix().startswith(ROOMS):
            yield path.as_posix(), ast.parse(path.read_text(), str(path))


def called(node: ast.AST) -> str:
    """Name of the function that is called, without what stands before its last point."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def assigned(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to, one target after another."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in targets:
        yield from target.elts if isinstance(target, ast.Tuple) else [target] if target is not None else []


def faults(path: str, tree: ast.Module) -> list[str]:
    """Ways round the transitions in one module."""
    found = []
    in_repository = path.startswith("app/db/repositories/")
    for node in ast.walk(tree):
        name = called(node)
        words = {word.arg for word in node.keywords} if isinstance(node, ast.Call) else set()
        if name in WRITERS:
            found.append(f"calls {name}")
        if name == "wake" and path.startswith("app/services/") and "broker" in ast.unparse(node):
            # A commit says by itself what it leaves to tell: see `Database.on_news`.
            found.append("wakes the broker by hand")
        if name in TABLES and words & STATES:
            found.append(f"makes a {name} with a state")
        if name in ("update", "insert", "delete") and not in_repository and any(
            isinstance(argument, ast.Name) and argument.id in TABLES for argument in node.args
        ):  # fmt: skip
            found.append(f"has a statement: {ast.unparse(node)}")
        if name in ("setattr", "set_committed_value") and not in_repository:
            found.append(f"calls {name}")
        if name == "values" and "state" in words and not in_repository:
            found.append("has a statement that sets a state")
        found += [
            f"assigns {ast.unparse(target)}"
            for target in assigned(node)
            if isinstance(target, ast.Attribute) and target.attr == "state"
        ]
    return found


def test_only_transitions_write_states() -> None:
    assert {
        path: found for path, tree in trees() if not path.startswith(TRANSITIONS) and (found := faults(path, tree))
    } == {}


@pytest.mark.parametrize(
    "line",
    [
        "job.state = 'running'",
        "task.state, task.message = 'ready', ''",
        "found.job.state = 'running'",
        "row.state: str = 'made'",
        "Job(id='a', state='running')",
        "JobEvent(job_id='a', to_state='running')",
        "WorkflowTask(run_id='a', state='completed')",
        "session.exec(update(Job), params=[{'id': 'a', 'state': 'running'}])",
        "session.exec(update(BatchItem).values(state='new'))",
        "setattr(job, 'state', 'running')",
        "await jobs.write_states(session, [])",
        "await batches.renew(session, 'a', 'new')",
        "context.broker.wake()",
    ],
)
def test_ways_round_the_transitions_are_seen(line: str) -> None:
    assert faults("app/services/somewhere.py", ast.parse(line)) != []
