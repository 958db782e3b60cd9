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
from app.domain.workflows.wiring import Wired
from app.errors import CrystalDeckError, FieldError
from app.library import evaluating
from app.library.drafting import Wanted
from app.library.templates import Rendering
from app.services.context import Context
from app.services.jobs.attachments import gather
from app.services.workflows import library as workflow_library
from app.services.workflows.tasks import Plan, filler, parameters_of

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
class Stand:
    """What stands in for results: structures by step, and the basis set of the wave function that is read."""

    structures: Mapping[str, str]
    """As texts of fort.34; empty: not known."""
    basis: str


@dataclass(frozen=True)
class Rehearsal:
    steps: dict[str, Rehearsed] = field(default_factory=dict)

    @property
    def errors(self) -> list[FieldError]:
        """All of them, as `steps.<name>.<field>`; the same one in several steps is told once, without the step."""
        listed = [(name, error) for name, one in self.steps.items() for error in one.errors]
        found: dict[tuple[str, str], list[str]] = {}
        for name, error in listed:
            found.setdefault((error.field, error.reason), []).append(name)
        return [
            FieldError(
                key if len(names) > 1 else f"steps.{names[0]}.{key}",
                reason,
                next(e.value for n, e in listed if (e.field, e.reason) == (key, reason)),
            )
            for (key, reason), names in found.items()
        ]


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
    done: dict[str, Rehearsed] = {}
    structures: dict[str, str] = {}
    for name in plan.order:
        step = plan.spec.step(name)
        template = known.templates.get(step.template)
        if template is None:
            if step.workflow in known.workflows:
                done[name] = await _inner(context, actor, step, known, parameters, inputs)
            continue
        link = plan.wired[name].links.get("wavefunction_file")
        giver = done.get(link.step) if link is not None else None
        basis = ""
        if giver is not None and giver.rendering is not None:
            basis = await context.workers.run(actor.user_id, basis_name, giver.rendering.decks)
        stand = Stand(structures, basis)
        done[name], structures[name] = await _step(context, actor, plan, step, template, parameters, inputs, stand)
    for name, one in done.items():
        if one.rendering is not None and (reason := await _basis_reason(context, actor, plan.wired[name], one, done)):
            done[name] = replace(one, errors=(*one.errors, reason))
    return Rehearsal({name: done[name] for name in plan.spec.names if name in done})


async def _inner(
    context: Context,
    actor: Actor,
    step: StepSpec,
    known: Known,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> Rehearsed:
    """An inner workflow with what is known now, for the first and the last of its rows."""
    spec = known.workflows[step.workflow]
    names: dict[str, Any] = {"inputs": inputs, "parameters": parameters}
    try:
        rows = await context.workers.run(actor.user_id, evaluating.rows_now, step, (), names)
    except (ConditionError, ValueError) as error:
        return Rehearsed(step, errors=(FieldError("over", str(error)),))
    keys, asked = parameter_keys(spec, known), {one.key for one in spec.inputs}
    errors: list[FieldError] = []
    pending: tuple[str, ...] = ()
    inner = await workflow_library.checked_by(context, actor.user_id, spec, known)
    for row in [rows[0], *rows[-1:]][: len(rows)]:
        named = names | {"item": row, "index": 0}
        pending = await _pending(context, actor, step, named)
        own = {key: value for key, value in {**step.parameters, **row}.items() if key not in pending}
        given = {**parameters, **inputs, **await filler(context, actor.user_id)(own, named)}
        told = await rehearse(
            context,
            actor,
            inner,
            known,
            {key: value for key, value in given.items() if key in keys and key not in asked},
            {key: value for key, value in given.items() if key in asked},
        )
        errors += [error for error in told.errors if error.field.rpartition(".")[2] not in pending]
    return Rehearsed(step, None, len(rows), pending, tuple(dict.fromkeys(errors)))


async def _step(
    context: Context,
    actor: Actor,
    plan: Plan,
    step: StepSpec,
    template: TemplateSpec,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Any],
    known: Stand,
) -> tuple[Rehearsed, str]:
    wired = plan.wired[step.name]
    names: dict[str, Any] = {"inputs": inputs, "parameters": parameters}
    try:
        rows = await context.workers.run(actor.user_id, evaluating.rows_now, step, template.fields, names)
    except (ConditionError, ValueError) as error:
        return Rehearsed(step, errors=(FieldError("over", str(error)),)), ""
    names |= {"item": rows[0], "index": 0}
    pending = await _pending(context, actor, step, names)
    now = step.model_copy(update={"parameters": {k: v for k, v in step.parameters.items() if k not in pending}})
    files = {key: f"{SOURCE}/{link.name}" for key, link in wired.links.items()}
    rendered: list[tuple[Rendering, list[FieldError]]] = []
    # The ends of a fan-out are rendered, as those of a sweep are looked at.
    for row in [rows[0], *rows[-1:]][: len(rows)]:
        named = names | {"item": row}
        try:
            fill = filler(context, actor.user_id)
            item = await fill(row, named)
            raw = await parameters_of(fill, plan, parameters, now, template, item, files, named)
        except ConditionError as error:
            return Rehearsed(step, None, len(rows), pending, (FieldError("parameters", str(error)),)), ""
        raw = _pretended(template, raw, pending)
        rendered.append(await _rendered(context, actor, template, raw, wired, known))
    wrong = {error for _, listed in rendered for error in listed if error.field not in pending}
    return (
        Rehearsed(step, rendered[0][0], len(rows), pending, tuple(sorted(wrong, key=lambda error: error.field))),
        _structure(rendered[0][0], wired, known.structures),
    )


async def _pending(context: Context, actor: Actor, step: StepSpec, names: Mapping[str, Any]) -> tuple[str, ...]:
    """Parameters whose values are known only later."""
    if not evaluating.has_expressions(step.parameters):
        return ()
    return await context.workers.run(actor.user_id, evaluating.pending, step.parameters, names)


def _pretended(template: TemplateSpec, raw: dict[str, Any], pending: tuple[str, ...]) -> dict[str, Any]:
    """For what is not known yet the template's example stands in, where its default does not."""
    given = dict(raw)
    for one in template.fields:
        if one.key in pending and one.default is None and one.required and one.key in template.example:
            given[one.key] = template.example[one.key]
    return given


async def _rendered(
    context: Context, actor: Actor, template: TemplateSpec, raw: dict[str, Any], wired: Wired, known: Stand
) -> tuple[Rendering, list[FieldError]]:
    """The decks of these answers; files that pass along edges are stood in for."""
    own_files = {key: value for key, value in raw.items() if key not in wired.links}
    gathered = await gather(context, actor, template.id, own_files)
    files = dict(gathered.supplies.files)
    link = wired.links.get("geometry_file")
    if link is not None and (text := known.structures.get(link.step)):
        files["geometry_file"] = text.encode()
    supplies = replace(gathered.supplies, files=files)
    if supplies.fermi_energy is None and "wavefunction_file" in wired.links:
        supplies = replace(supplies, fermi_energy=0.0, basis=known.basis)
    rendering = await context.renderer.try_render(
        actor.user_id, template.id, raw, supplies, Wanted(look=True, fort34=link is None)
    )
    errors = [*rendering.errors, *rendering.faults]
    if rendering.decks:
        errors += await gathered.errors(context.workers, actor.user_id, rendering)
    elif rendering.message and not errors:
        errors.append(FieldError("template", rendering.message))
    return rendering, errors


def _structure(rendering: Rendering, wired: Wired, structures: Mapping[str, str]) -> str:
    """What the step computes: of a file that will come, the structure that stands in for it."""
    link = wired.links.get("geometry_file")
    return rendering.drafted.fort34 if link is None else structures.get(link.step, "")


async def _basis_reason(
    context: Context, actor: Actor, wired: Wired, one: Rehearsed, done: Mapping[str, Rehearsed]
) -> FieldError | None:
    """Why the wave function of a step before cannot be read by this one."""
    for key, link in wired.links.items():
        giver = done.get(link.step)
        if link.role != "wavefunction" or giver is None or giver.rendering is None or one.rendering is None:
            continue
        try:
            decks = one.rendering.decks, giver.rendering.decks
            reason = await context.workers.run(actor.user_id, same_basis, *decks)
        except CrystalDeckError:
            continue
        if reason:
            return FieldError(key, f"of {link.step}: {reason}")
    return None
