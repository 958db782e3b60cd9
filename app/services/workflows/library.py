"""Workflows that can be started: those of the installation, and the versions that the group saved."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import tomli_w

from app import places
from app.crystal.decks.remedies import REMEDIES
from app.crystal.language import LANGUAGE
from app.crystal.outputs.results import shape_of_results
from app.db.repositories import users, workflows
from app.db.tables import WorkflowVersion
from app.domain.differences import step_by_step
from app.domain.people.permissions import Actor, can, require
from app.domain.templates.metadata import TemplateSpec
from app.domain.workflows.checks import Checked, Known, named_workflows
from app.domain.workflows.definition import WorkflowSpec, as_written, read_workflow
from app.errors import Conflict, FieldError, InvalidInput, NotFound
from app.library.evaluating import check_workflow
from app.services.catalogue.templates import refresh
from app.services.context import Context

BUILT_IN = places.WORKFLOWS
RESERVED = ("new", "runs", "edit")
MAX_TEXT = 200_000
MAX_HISTORY = 40
"""Versions that are shown."""


@dataclass(frozen=True)
class Entry:
    """A workflow of the library: what it does, whose it is, which version."""

    spec: WorkflowSpec
    version: str
    author: str
    own: bool
    """False: it belongs to the installation and is not changed in the browser."""
    author_id: int | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Revision:
    """One entry of a history, with the difference to the one before."""

    version: int
    author: str
    at: datetime
    comment: str
    removed: bool
    difference: str


@cache
def built_in() -> dict[str, WorkflowSpec]:
    """The ready workflows, by name."""
    specs = [read_workflow(tomllib.loads(path.read_text(encoding="utf-8"))) for path in sorted(BUILT_IN.glob("*.toml"))]
    return {spec.name: spec for spec in specs}


async def entries(context: Context, actor: Actor) -> list[Entry]:
    """The whole library: ready workflows first, then the group's."""
    require(actor, "template.read")
    async with context.database.read() as session:
        rows, names = await workflows.newest(session), await users.names(session)
    ready = [Entry(spec, "built-in", "", own=False) for spec in built_in().values()]
    saved = [
        Entry(
            read_workflow(row.definition),
            str(row.version),
            names.get(row.author_id, "?"),
            True,
            row.author_id,
            row.created_at,
        )
        for row in rows
    ]
    return ready + saved


async def get(context: Context, actor: Actor, name: str) -> Entry:
    """One workflow.

    Raises:
        NotFound
    """
    listed = await entries(context, actor)
    entry = next((entry for entry in listed if entry.spec.name == name), None)
    if entry is None:
        known = ", ".join(entry.spec.name for entry in listed)
        raise NotFound(f"There is no workflow {name[:60]!r}.", hint=f"Known workflows: {known}.")
    return entry


async def known(context: Context, actor: Actor) -> Known:
    """Everything that a workflow may name."""
    await refresh(context)
    return known_with(
        context, {entry.spec.name: (entry.spec, entry.version) for entry in await entries(context, actor)}
    )


def known_with(context: Context, specs: Mapping[str, tuple[WorkflowSpec, str]]) -> Known:
    """Everything that a workflow may name, these workflows among it."""
    templates = {template.spec.id: template.spec for template in context.templates.all()}
    inner = {name: spec for name, (spec, _) in specs.items()}
    return Known(templates, inner, shape_of_results(), list(REMEDIES), LANGUAGE)


def all_specs(rows: Sequence[WorkflowVersion]) -> dict[str, tuple[WorkflowSpec, str]]:
    """Ready workflows and these versions of the group's, each with its version."""
    ready = {name: (spec, "built-in") for name, spec in built_in().items()}
    return ready | {row.name: (read_workflow(row.definition), str(row.version)) for row in rows}


async def check_for(context: Context, actor: Actor, spec: WorkflowSpec) -> Checked:
    """The workflow with its order, its wiring and everything that is wrong with it."""
    return await check_with(context, actor.user_id, spec, await known(context, actor))


async def check_with(
    context: Context, user: int, spec: WorkflowSpec, everything: Known, *, patient: bool = False
) -> Checked:
    """The same, knowing what it may name: a worker process is told of what is named in it, and in workflows in it.

    Raises:
        InvalidInput: it is larger than a workflow may be.
    """
    refuse_large(spec)
    return await context.workers.run(user, check_workflow, spec, *named_in(spec, everything), patient=patient)


def named_in(spec: WorkflowSpec, everything: Known) -> tuple[dict[str, TemplateSpec], dict[str, WorkflowSpec]]:
    """Templates and workflows that a workflow names, and those in it."""
    inner = named_workflows(spec, everything.workflows)
    used = {step.template for nested in (spec, *inner.values()) for step in nested.steps}
    return {name: everything.templates[name] for name in used if name in everything.templates}, inner


def refuse_large(spec: WorkflowSpec) -> None:
    """Raise InvalidInput where a definition has more than `MAX_TEXT`."""
    size = len(spec.model_dump_json(exclude_defaults=True))
    if size > MAX_TEXT:
        raise InvalidInput(
            f"The workflow {spec.name} has {size:,} bytes as JSON; at most {MAX_TEXT:,} are allowed.",
            hint="Move steps to inner workflows, and long texts to files.",
        )


def refuse(checked: Checked) -> None:
    """Raise InvalidInput where something is wrong."""
    if checked.problems:
        sentences = " ".join(problem.sentence for problem in checked.problems[:5])
        more = f" And {len(checked.problems) - 5} more." if len(checked.problems) > 5 else ""
        raise InvalidInput(
            f"The workflow {checked.spec.name} cannot run: {sentences}{more}",
            hint="Correct the named steps; nothing was submitted.",
            fields=[
                FieldError(
                    ".".join(part for part in (f"steps.{problem.step}" if problem.step else "", problem.field) if part),
                    problem.reason,
                )
                for problem in checked.problems
            ],
        )


async def read_text(context: Context, actor: Actor, text: str) -> WorkflowSpec:
    """A workflow from its TOML.

    Raises:
        InvalidInput: the line, or the place in it.
    """
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"A workflow may be at most {MAX_TEXT // 1000} kB.", hint="Move steps to inner workflows.")
    try:
        return read_workflow(await context.workers.run(actor.user_id, tomllib.loads, text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"Not valid TOML: {error}.", hint="Correct this line.", fields=[FieldError("text", str(error))]
        ) from error


def write_text(spec: WorkflowSpec) -> str:
    """The workflow as TOML."""
    return tomli_w.dumps(_without_none(as_written(spec)))


def _without_none(value: Any) -> Any:
    """TOML has no word for nothing."""
    if isinstance(value, Mapping):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(entry) for entry in value]
    return value


async def save(
    context: Context, actor: Actor, spec: WorkflowSpec, comment: str = "", *, expected: int | None = None
) -> WorkflowVersion:
    """Keep a new version.

    Args:
        expected: the version that the author began with; None: whatever there is.

    Raises:
        InvalidInput: it cannot run. Conflict: another user was faster, or it is a built-in workflow.
    """
    require(actor, "template.create")
    refuse(await check_for(context, actor, spec))
    if spec.name in RESERVED:
        raise InvalidInput(
            f"A workflow cannot be named {spec.name}.",
            hint="Choose another name.",
            fields=[FieldError("name", "is the name of a page", spec.name)],
        )
    if spec.name in built_in():
        raise Conflict(f"{spec.name} is a built-in workflow.", hint="Choose another name for yours.")
    async with context.database.write() as session:
        last = next(iter(await workflows.versions(session, spec.name)), None)
        if last is not None and not last.removed:
            require(actor, "template.change", last.author_id)
        if expected is not None and expected != (last.version if last else 0):
            raise Conflict(
                f"{spec.name} was changed while you were editing: "
                f"the newest version is {last.version if last else 0}, you started from {expected}.",
                hint="Open the newest version and make your change there.",
            )
        row = WorkflowVersion(
            name=spec.name,
            version=(last.version if last else 0) + 1,
            definition=as_written(spec),
            comment=comment[:200],
            author_id=actor.user_id,
        )
        session.add(row)
    return row


async def remove(context: Context, actor: Actor, name: str) -> None:
    """Take a workflow out of the library; its versions and runs stay."""
    async with context.database.write() as session:
        last = next(iter(await workflows.versions(session, name)), None)
        if last is None or last.removed:
            raise NotFound(f"The group has no workflow {name[:60]!r}.", hint="See the list of workflows.")
        require(actor, "template.change", last.author_id)
        session.add(
            WorkflowVersion(
                name=name,
                version=last.version + 1,
                definition=last.definition,
                comment="Removed.",
                removed=True,
                author_id=actor.user_id,
            )
        )


async def history(context: Context, actor: Actor, name: str) -> list[Revision]:
    """All versions, the newest first, each with its difference to the one before."""
    require(actor, "template.read")
    async with context.database.read() as session:
        rows, names = await workflows.versions(session, name), await users.names(session)
    rows = rows[:MAX_HISTORY]
    texts = [{"": write_text(read_workflow(row.definition))} for row in rows]
    changes = await context.workers.run(actor.user_id, step_by_step, texts)
    return [
        Revision(row.version, names.get(row.author_id, "?"), row.created_at, row.comment, row.removed, change)
        for row, change in zip(rows, changes, strict=True)
    ]


def may_change(actor: Actor, entry: Entry) -> bool:
    """May this user save a new version of it, or remove it?"""
    return entry.own and can(actor, "template.change", entry.author_id)
