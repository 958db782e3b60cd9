"""Workflows as Python objects; the service checks and runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class WorkflowStep:
    """One step: its name, the template of its jobs, the parameters that it has of its own, and the steps before it.

    Which files pass follows from the templates' declared roles; `options` are all other keys of a step, such as `when`,
    `over`, `files`, `remedies`, `retries` and `on_failure`.
    """

    name: str
    template: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dependencies: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def definition(self) -> dict[str, Any]:
        """As the service reads it."""
        own = {"template": self.template} if self.template else {}
        given = {"parameters": dict(self.parameters)} if self.parameters else {}
        return {"name": self.name, **own, **given, "after": list(self.dependencies), **self.options}


@dataclass(frozen=True)
class Workflow:
    """Steps under a name. `outputs`: expressions by name, such as `{{ steps.scf.results.energy_total }}`."""

    name: str
    steps: Sequence[WorkflowStep]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    title: str = ""

    def definition(self) -> dict[str, Any]:
        """As the service reads it."""
        return {
            "name": self.name, "title": self.title, "parameters": dict(self.parameters),
            "steps": [step.definition() for step in self.steps],
            "outputs": [{"name": name, "value": value} for name, value in self.outputs.items()],
        }  # fmt: skip
