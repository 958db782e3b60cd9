"""A workflow played through before it starts: the decks that its steps would send, made from the structure as it is now.

What only a result can tell, such as an optimised geometry, is taken as it stands at the start; so a basis set that lacks an
element, or a path that does not fit the cell, is found before the first job leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.crystal.decks.guesses import basis_name, same_basis
from app.domain.people.permissions import Actor
from app.domain.templates.conditions import ConditionError
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.checks import Checked, Known, parameter_keys
from app.domain.workflows.definition import StepSpec
from app.errors import CrystalDeckError, FieldError
from app.library import evaluating
from app.library.drafting import Wanted
from app.library.templates import Rendering
from app.services.context import Context
from app.services.jobs.attachments import gather
from app.services.workflows import library as workflow_library
from app.services.workflows.tasks import Plan, StepInput, filler, parameters_of

SOURCE = "job:aaaaaaaaaa"
"""Stands for the job that a step before will have."""


@dataclass(frozen=True)
class Rehearsed:
    """One step as it would be now."""

    step: StepSpec
    rendering: Rendering | None = None
    rows: int = 1
    pending: tuple[str, ...] = ()
    """Parameters whose values are known only later."""
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True)
class Rehearsal:
    """All steps of a workflow as they would be now, by name."""

    steps: dict[str, Rehearsed] = field(default_factory=dict)

    @property
    def errors(self) -> list[FieldError]:
        """All of them, as `steps.<name>.<field>`; the same one in several steps is listed once, without the step."""
        by_text: dict[tuple[str, str], list[tuple[str, FieldError]]] = {}
        for name, step in self.steps.items():
            for error in step.errors:
                by_text.setdefault((error.field, error.reason), []).append((name, error))
        return [
            FieldError(key if len(same) > 1 else f"steps.{same[0][0]}.{key}", reason, same[0][1].value)
            for (key, reason), same in by_text.items()
        ]


@dataclass
class _Stage:
    """What the steps of one rehearsal share, and what those before have left."""

    context: Context
    actor: Actor
    plan: Plan
    known: Known
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]
    done: dict[str, Rehearsed] = field(default_factory=dict)
    structures: dict[str, str] = field(default_factory=dict)
    """What each step computes, as a text of fort.34; empty: not known."""

    @property
    def names(self) -> dict[str, Any]:
        """What expressions may name before there are results."""
        return {"inputs": self.inputs, "parameters": self.parameters}

    async def fill(self, value: Any, names: Mapping[str, Any]) -> Any:
        """Evaluate the expressions in a value."""
        return await filler(self.context, self.actor.user_id)(value, names)


async def rehearse(
    context: Context,
    actor: Actor,
    checked: Checked,
    known: Known,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> Rehearsal:
    """Play all steps through, in their order; those of inner workflows too."""
    plan = Plan(checked.spec, checked.before, checked.order, checked.wired, known.templates)
    stage = _Stage(context, actor, plan, known, parameters, inputs)
    done = stage.done
    for name in plan.order:
        step = plan.spec.step(name)
        template = known.templates.get(step.template)
        if template is not None:
            done[name], stage.structures[name] = await _rehearse_step(stage, step, template)
        elif step.workflow in known.workflows:
            done[name] = await _rehearse_inner(stage, step)
    for name, rehearsed in list(done.items()):
        if rehearsed.rendering is not None and (reason := await _basis_reason(stage, name, rehearsed)):
            done[name] = replace(rehearsed, errors=(*rehearsed.errors, reason))
    return Rehearsal({name: done[name] for name in plan.spec.names if name in done})


async def _rehearse_inner(stage: _Stage, step: StepSpec) -> Rehearsed:
    """An inner workflow with what is known now, for the first and the last of its rows."""
    context, user = stage.context, stage.actor.user_id
    spec = stage.known.workflows[step.workflow]
    try:
        rows = await context.workers.run(user, evaluating.rows_now, step, (), stage.names)
    except (ConditionError, ValueError) as error:
        return Rehearsed(step, errors=(FieldError("over", str(error)),))
    keys, input_keys = parameter_keys(spec, stage.known), {field.key for field in spec.inputs}
    errors: list[FieldError] = []
    pending: tuple[str, ...] = ()
    inner = await workflow_library.check_with(context, user, spec, stage.known)
    for row in [rows[0], *rows[-1:]][: len(rows)]:
        names = stage.names | {"item": row, "index": 0}
        pending = await _pending(stage, step, names)
        unfilled = {key: value for key, value in {**step.parameters, **row}.items() if key not in pending}
        values = {**stage.parameters, **stage.inputs, **await stage.fill(unfilled, names)}
        parameters = {key: value for key, value in values.items() if key in keys and key not in input_keys}
        inputs = {key: value for key, value in values.items() if key in input_keys}
        rehearsal = await rehearse(context, stage.actor, inner, stage.known, parameters, inputs)
        errors += [error for error in rehearsal.errors if error.field.rpartition(".")[2] not in pending]
    return Rehearsed(step, None, len(rows), pending, tuple(dict.fromkeys(errors)))


async def _rehearse_step(stage: _Stage, step: StepSpec, template: TemplateSpec) -> tuple[Rehearsed, str]:
    """One step with a template, and the structure that it computes."""
    names = stage.names
    try:
        rows = await stage.context.workers.run(stage.actor.user_id, evaluating.rows_now, step, template.fields, names)
    except (ConditionError, ValueError) as error:
        return Rehearsed(step, errors=(FieldError("over", str(error)),)), ""
    names |= {"item": rows[0], "index": 0}
    pending = await _pending(stage, step, names)
    now = step.model_copy(update={"parameters": {k: v for k, v in step.parameters.items() if k not in pending}})
    rendered: list[tuple[Rendering, list[FieldError]]] = []
    # The ends of a fan-out are rendered, as those of a sweep are looked at.
    for row in [rows[0], *rows[-1:]][: len(rows)]:
        try:
            raw = await _raw_answers(stage, now, template, names | {"item": row})
        except ConditionError as error:
            return Rehearsed(step, None, len(rows), pending, (FieldError("parameters", str(error)),)), ""
        rendered.append(await _render(stage, step, template, _with_examples(template, raw, pending)))
    wrong = {error for _, errors in rendered for error in errors if error.field not in pending}
    first = rendered[0][0]
    return (
        Rehearsed(step, first, len(rows), pending, tuple(sorted(wrong, key=lambda error: error.field))),
        _structure(stage, step, first),
    )


async def _raw_answers(
    stage: _Stage, step: StepSpec, template: TemplateSpec, names: Mapping[str, Any]
) -> dict[str, Any]:
    """The answers of a step's form for the row `names["item"]`."""
    links = stage.plan.wired[step.name].links
    files = {key: f"{SOURCE}/{link.name}" for key, link in links.items()}
    step_input = StepInput(stage.parameters, await stage.fill(names["item"], names), files, names)
    return await parameters_of(stage.fill, stage.plan, step, template, step_input)


async def _pending(stage: _Stage, step: StepSpec, names: Mapping[str, Any]) -> tuple[str, ...]:
    """Parameters whose values are known only later."""
    if not evaluating.has_expressions(step.parameters):
        return ()
    return await stage.context.workers.run(stage.actor.user_id, evaluating.pending, step.parameters, names)


def _with_examples(template: TemplateSpec, raw: dict[str, Any], pending: tuple[str, ...]) -> dict[str, Any]:
    """For what is not known yet the template's example stands in, where its default does not."""
    answers = dict(raw)
    for spec in template.fields:
        if spec.key in pending and spec.default is None and spec.required and spec.key in template.example:
            answers[spec.key] = template.example[spec.key]
    return answers


async def _render(
    stage: _Stage, step: StepSpec, template: TemplateSpec, raw: dict[str, Any]
) -> tuple[Rendering, list[FieldError]]:
    """The decks of these answers; files that pass along edges are stood in for."""
    context, user = stage.context, stage.actor.user_id
    links = stage.plan.wired[step.name].links
    own_files = {key: value for key, value in raw.items() if key not in links}
    gathered = await gather(context, stage.actor, template.id, own_files)
    files = dict(gathered.supplies.files)
    geometry = links.get("geometry_file")
    if geometry is not None and (text := stage.structures.get(geometry.step)):
        files["geometry_file"] = text.encode()
    supplies = replace(gathered.supplies, files=files)
    if supplies.fermi_energy is None and "wavefunction_file" in links:
        supplies = replace(supplies, fermi_energy=0.0, basis=await _basis_before(stage, step))
    wanted = Wanted(look=True, fort34=geometry is None)
    rendering = await context.renderer.try_render(user, template.id, raw, supplies, wanted)
    errors = [*rendering.errors, *rendering.faults]
    if rendering.decks:
        errors += await gathered.errors(context.workers, user, rendering)
    elif rendering.message and not errors:
        errors.append(FieldError("template", rendering.message))
    return rendering, errors


async def _basis_before(stage: _Stage, step: StepSpec) -> str:
    """Name of the basis set of the wave function that a step reads; empty: not known."""
    source = stage.done.get(stage.plan.wired[step.name].links["wavefunction_file"].step)
    if source is None or source.rendering is None:
        return ""
    return await stage.context.workers.run(stage.actor.user_id, basis_name, source.rendering.decks)


def _structure(stage: _Stage, step: StepSpec, rendering: Rendering) -> str:
    """What the step computes: of a file that will come, the structure that stands in for it."""
    link = stage.plan.wired[step.name].links.get("geometry_file")
    return rendering.drafted.fort34 if link is None else stage.structures.get(link.step, "")


async def _basis_reason(stage: _Stage, name: str, rehearsed: Rehearsed) -> FieldError | None:
    """Why this step cannot read the wave function of a step before it."""
    for key, link in stage.plan.wired[name].links.items():
        source = stage.done.get(link.step)
        if link.role != "wavefunction" or source is None or source.rendering is None or rehearsed.rendering is None:
            continue
        decks = rehearsed.rendering.decks, source.rendering.decks
        try:
            reason = await stage.context.workers.run(stage.actor.user_id, same_basis, *decks)
        except CrystalDeckError:
            continue
        if reason:
            return FieldError(key, f"of {link.step}: {reason}")
    return None
