"""Nodes of drawn workflows: what each says, and where it leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.workflows.checks import Checked
from app.domain.workflows.definition import StepSpec, WorkflowSpec
from app.domain.workflows.wiring import Wired
from app.services.provenance.lineage import Lineage
from app.services.workflows.views import RunView, StepView, passing


@dataclass(frozen=True)
class Node:
    """One box: its heading, a line below it, its state and the page it leads to."""

    heading: str
    sub: str
    href: str
    state: str = ""
    hint: str = ""


def _does(step: StepSpec) -> str:
    what = step.template or step.workflow or "values"
    return f"{what} × many" if step.over else what


def step_nodes(spec: WorkflowSpec) -> dict[str, Node]:
    """Nodes of a workflow that is only described."""
    return {
        step.name: Node(
            step.heading, _does(step), f"#step-{step.name}", hint=f"only if {step.when}" if step.when else ""
        )
        for step in spec.steps
    }


def run_nodes(view: RunView) -> dict[str, Node]:
    """Nodes of a run, each with its state, leading to its job or its step."""
    return {one.spec.name: _run_node(view, one) for one in view.steps}


def _run_node(view: RunView, one: StepView) -> Node:
    single = one.single
    href = f"/runs/{view.run.id}/steps/{one.spec.name}"
    if single is not None and single.job is not None and not single.task.earlier:
        href = f"/jobs/{single.job.id}"
    elif single is not None and single.child is not None:
        href = f"/runs/{single.child.id}"
    sub = one.counted or (
        f"{single.energy:.6f} Ha" if single is not None and single.energy is not None else _does(one.spec)
    )
    return Node(one.spec.heading, sub, href, one.state, one.step.message)


def edge_words(found: Checked | RunView) -> dict[tuple[str, str], str]:
    """What passes along each edge."""
    wired: Mapping[str, Wired] = found.wired
    return {
        (source, target): words
        for target, own in wired.items()
        for source in {link.step for link in own.links.values()}
        if (words := passing(wired, source, target))
    }


def lineage_nodes(found: Lineage) -> dict[str, Node]:
    """Nodes of jobs and uploads, with who did what where."""
    uploads = {key: Node(name, "uploaded", "#uploads", hint=key) for key, name in found.uploads.items()}
    listed = {
        key: Node(
            one.job.name, f"{one.job.template_id}, {one.cluster}", f"/jobs/{key}/provenance", one.job.state, one.program
        )
        for key, one in found.jobs.items()
    }
    return uploads | listed
