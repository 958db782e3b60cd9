"""The fields of the form that starts a workflow, made from the forms of its steps' templates; in worker processes.

A field that several steps have in common is asked once. What a step takes from another one is not asked at all, and what the
workflow fixes neither. Where two steps mean different things by one name, each gets a field of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.checks import Checked, Known, check, expanded
from app.domain.workflows.definition import StepSpec, WorkflowSpec, row_keys
from app.domain.workflows.wiring import Wired
from app.library.evaluating import known_of

INPUT = "input_"
"""Before the keys of the workflow's own inputs; `<step>__` stands before those of single steps."""
_SAME = ("type", "min", "max", "choices", "pattern", "required", "columns")


def form_of(
    spec: WorkflowSpec, templates: Mapping[str, TemplateSpec], workflows: Mapping[str, WorkflowSpec]
) -> tuple[list[FieldSpec], Checked]:
    """The fields that are asked, and what is wrong with the workflow."""
    known = known_of(templates, workflows)
    checked = check(spec, known)
    return form_fields(spec, checked, known), checked


def form_fields(spec: WorkflowSpec, checked: Checked, known: Known) -> list[FieldSpec]:
    """The fields that are asked, in the order of the steps."""
    own = [
        field.model_copy(
            update={"key": f"{INPUT}{field.key}", "group": "Workflow", "visible_when": "", "enabled_when": ""}
        )
        for field in spec.inputs
    ]
    if expanded(spec, known.workflows):
        return own
    asked: dict[str, list[tuple[StepSpec, FieldSpec]]] = {}
    for step, wired, template in _job_steps(spec, checked, known):
        for field in template.fields:
            if _is_asked(field, step, wired):
                asked.setdefault(field.key, []).append((step, field))
    fields = []
    for key, listed in asked.items():
        first = listed[0][1]
        if all(_alike(first, other) for _, other in listed):
            fields.append(first)
        else:
            fields += [
                field.model_copy(update={"key": f"{step.name}__{key}", "group": step.heading, "help": field.help})
                for step, field in listed
            ]
    return own + fields


def _job_steps(spec: WorkflowSpec, checked: Checked, known: Known) -> list[tuple[StepSpec, Wired, TemplateSpec]]:
    """Steps of templates in their order, those of inner workflows among them."""
    job_steps = []
    for name in checked.order:
        step = spec.step(name)
        if step.template in known.templates:
            job_steps.append((step, checked.wired[name], known.templates[step.template]))
        elif step.workflow in known.workflows:
            inner = known.workflows[step.workflow]
            fixed = {**step.parameters, **dict.fromkeys(row_keys(step) or ())}
            for inner_step, wired, template in _job_steps(inner, check(inner, known), known):
                job_steps.append(
                    (inner_step.model_copy(update={"parameters": {**fixed, **inner_step.parameters}}), wired, template)
                )
    return job_steps


def _is_asked(field: FieldSpec, step: StepSpec, wired: Wired) -> bool:
    taken = {*wired.links, *wired.parameters, *step.parameters, *(row_keys(step) or ())}
    if field.key in taken or (field.type == "file" and field.key != "geometry_file"):
        return False
    # A step that reads its structure from a file needs no other fields of one.
    return not ("geometry_file" in wired.links and field.group == "Structure")


def _alike(field: FieldSpec, other: FieldSpec) -> bool:
    if field.key == "system":
        # The kinds that a later step cannot take are refused when the workflow is rehearsed.
        return True
    return all(getattr(field, name) == getattr(other, name) for name in _SAME)
