"""Shapes of REST requests and answers about workflows of the library. Times are ISO 8601 in UTC."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from app.domain.workflows.checks import Checked
from app.domain.workflows.definition import as_written
from app.services.workflows.library import Entry


class WorkflowEntry(BaseModel):
    """A workflow of the library."""

    name: str
    title: str
    description: str
    version: str
    author: str
    definition: dict[str, Any]


class SaveWorkflow(BaseModel):
    """A new version of a workflow. `definition`: see the guide, or what `GET /api/v1/workflows/{name}` answers."""

    model_config = ConfigDict(extra="forbid")

    definition: dict[str, Any]
    comment: str = ""
    expected: int | None = None


class CheckedStep(BaseModel):
    """One step: which it waits for, and which files it takes, by field as `step:role`."""

    name: str
    after: list[str]
    files: dict[str, str]
    structure: str


class CheckedWorkflow(BaseModel):
    """What a workflow means, and everything that is wrong with it."""

    steps: list[CheckedStep]
    problems: list[dict[str, str]]


def workflow_entry(entry: Entry) -> WorkflowEntry:
    """A workflow of the library as its routes answer."""
    spec = entry.spec
    return WorkflowEntry(
        name=spec.name, title=spec.heading, description=spec.description, version=entry.version, author=entry.author,
        definition=as_written(spec),
    )  # fmt: skip


def checked_workflow(checked: Checked) -> CheckedWorkflow:
    """A checked definition as its route answers."""
    steps = []
    for name in checked.order:
        wired = checked.wired.get(name)
        files = {key: f"{link.step}:{link.role}" for key, link in wired.links.items()} if wired else {}
        source = f"{wired.structure.kind} {wired.structure.step}".strip() if wired else ""
        steps.append(CheckedStep(name=name, after=list(checked.before[name]), files=files, structure=source))
    problems = [{"step": one.step, "field": one.field, "reason": one.reason} for one in checked.problems]
    return CheckedWorkflow(steps=steps, problems=problems)
