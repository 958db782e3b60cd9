"""Starting a workflow: everything is checked and, as far as it can be, rendered before anything is submitted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.db.engine import insert_rows
from app.db.repositories import idempotency, workflows
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.names import suggest_name
from app.domain.people.permissions import Actor, require
from app.domain.resources import read_resources
from app.domain.states import read_priority
from app.domain.templates.fields import validate
from app.domain.workflows.checks import MAX_DEPTH, Known, check, parameter_keys
from app.domain.workflows.definition import WorkflowSpec, as_written
from app.errors import FieldError, InvalidInput, NotFound
from app.services.clusters.registry import usable_cluster
from app.services.context import Context
from app.services.jobs.creation import check_fits, new_job_id
from app.services.people.quotas import require_room
from app.services.transitions.runs import begin_run
from app.services.workflows import library as workflow_library
from app.services.workflows.rehearsal import rehearse
from app.services.workflows.tasks import InnerRequest, Scene

MAX_RUNS = 200


@dataclass(frozen=True)
class RunRequest:
    """What a form or a notebook asks for: a workflow of the library, or one that comes with the request."""

    spec: WorkflowSpec
    version: str = ""
    name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    cluster: str = ""
    resources: Mapping[str, Any] = field(default_factory=dict)
    priority: str = "normal"
    reuse: bool = True


async def start(context: Context, actor: Actor, request: RunRequest, idempotency_key: str = "") -> WorkflowRun:
    """Start one; see `start_all`."""
    [run] = await start_all(context, actor, [request], idempotency_key)
    return run


async def start_all(
    context: Context, actor: Actor, requests: Sequence[RunRequest], idempotency_key: str = ""
) -> list[WorkflowRun]:
    """Check everything, then write all runs down, or none; the orchestrator does the rest.

    Raises:
        InvalidInput: names the run, the steps and the fields; nothing was submitted. Conflict: the key was used for another
            request. QuotaExceeded: the files of this user take more than one person's share.
    """
    require(actor, "job.create")
    if not 1 <= len(requests) <= MAX_RUNS:
        raise InvalidInput(f"{len(requests)} runs were requested.", hint=f"Start 1 to {MAX_RUNS} runs at a time.")
    digest = hashlib.sha256(
        json.dumps([_written(request) for request in requests], sort_keys=True).encode()
    ).hexdigest()
    async with context.database.read() as session:
        if earlier := await _made_before(session, actor, idempotency_key, digest):
            return earlier
    await require_room(context, actor)
    known = await workflow_library.known(context, actor)
    inputs = []
    for request in requests:
        try:
            inputs.append(await _checked(context, actor, request, known))
        except InvalidInput as error:
            if len(requests) > 1:
                error.message = f"{request.name or 'A run'}: {error.message}"
            raise
    async with context.database.write() as session:
        if earlier := await _made_before(session, actor, idempotency_key, digest):
            return earlier
        runs = []
        for request, values in zip(requests, inputs, strict=True):
            await _refuse_cluster(session, request)
            runs.append(await write_run(session, actor.user_id, request, values))
        await idempotency.keep(session, actor.user_id, idempotency_key, digest, [run.id for run in runs])
    return runs


def _written(request: RunRequest) -> list[Any]:
    return [as_written(request.spec), {key: value for key, value in vars(request).items() if key != "spec"}]


async def _checked(context: Context, actor: Actor, request: RunRequest, known: Known) -> dict[str, Any]:
    """Everything that can be checked before there are results; answers the inputs, read."""
    checked = await workflow_library.check_with(context, actor.user_id, request.spec, known)
    workflow_library.refuse(checked)
    inputs = await _inputs(context, actor, request)
    _refuse_unknown(request, known)
    read_priority(request.priority)
    read_resources(dict(request.resources))
    rehearsal = await rehearse(context, actor, checked, known, request.parameters, inputs)
    if rehearsal.errors:
        reasons = "; ".join(f"{error.field} {error.reason}" for error in rehearsal.errors[:5])
        raise InvalidInput(
            f"The workflow {request.spec.name} cannot run with these parameters: {reasons}.",
            hint="Correct the named fields; nothing was submitted.",
            fields=rehearsal.errors,
        )
    return inputs


async def _made_before(session: ReadSession, actor: Actor, key: str, digest: str) -> list[WorkflowRun] | None:
    """The runs that the same request started when it was sent before."""
    ids = await idempotency.earlier(session, actor.user_id, key, digest)
    if ids is None:
        return None
    rows = [await workflows.run(session, run_id) for run_id in ids]
    return [run for run in rows if run is not None]


async def _inputs(context: Context, actor: Actor, request: RunRequest) -> dict[str, Any]:
    values, errors = await context.workers.run(actor.user_id, validate, request.spec.inputs, dict(request.inputs))
    if errors:
        reasons = "; ".join(f"{error.field} {error.reason}" for error in errors[:5])
        raise InvalidInput(
            f"The inputs of {request.spec.name} are invalid: {reasons}.",
            hint="Correct the named inputs; nothing was submitted.",
            fields=[FieldError(f"inputs.{error.field}", error.reason, error.value) for error in errors],
        )
    return values


def _refuse_unknown(request: RunRequest, known: Known) -> None:
    """A parameter that no step knows would be left out in silence."""
    keys = parameter_keys(request.spec, known)
    if unknown := sorted(set(request.parameters) - keys):
        raise InvalidInput(
            f"{request.spec.name} has no parameter {unknown[0][:40]!r}.",
            hint="Use the parameters of its steps' templates.",
            fields=[FieldError(f"parameters.{key}", "is not a parameter of any step") for key in unknown],
        )


async def _refuse_cluster(session: ReadSession, request: RunRequest) -> None:
    """Every cluster that a step names must be there, and must take what the step asks for."""
    for step in request.spec.steps:
        name = step.cluster or request.cluster
        cluster = await usable_cluster(session, name, field="cluster")
        if step.kind == "job" and not any("{{" in str(value) for value in step.resources.values()):
            check_fits(cluster, read_resources({**request.resources, **step.resources}))


async def write_run(
    session: WriteSession, owner_id: int, request: RunRequest, inputs: Mapping[str, Any], **more: Any
) -> WorkflowRun:
    """The rows of a new run, with all its steps waiting."""
    run = WorkflowRun(
        id=new_job_id(),
        name=suggest_name(request.name or request.spec.name),
        owner_id=owner_id,
        workflow=request.spec.name,
        version=request.version,
        definition=as_written(request.spec),
        parameters=dict(request.parameters),
        inputs=dict(inputs),
        cluster=request.cluster,
        resources={key: value for key, value in request.resources.items() if value not in ("", None)},
        priority=request.priority,
        reuse=request.reuse,
        **more,
    )
    await begin_run(session, run)
    rows = [
        WorkflowStep(run_id=run.id, name=step.name, position=place) for place, step in enumerate(request.spec.steps)
    ]
    await insert_rows(session, rows)
    return run


async def begin_inner(
    context: Context, scene: Scene[WriteSession], task: WorkflowTask, inner: InnerRequest
) -> WorkflowRun:
    """The run of an inner workflow, in the caller's transaction; it knows of the outer run whatever it can use.

    Raises:
        InvalidInput, NotFound: the inner workflow is gone or wrong by now, or workflows are nested too deeply.
    """
    run, step = scene.run, scene.spec_of(task)
    specs = workflow_library.all_specs(await workflows.newest(scene.session))
    if step.workflow not in specs:
        raise NotFound(f"The workflow {step.workflow!r} no longer exists.", hint="Save it again, then rerun this step.")
    await _refuse_depth(scene.session, run)
    spec, version = specs[step.workflow]
    known = workflow_library.known_with(context, specs)
    workflow_library.refuse_large(spec)
    workflow_library.refuse(check(spec, known))
    keys, input_keys = parameter_keys(spec, known), {field.key for field in spec.inputs}
    parameters = {**run.parameters, **inner.parameters}
    request = RunRequest(
        spec,
        version,
        f"{run.name}-{step.name}{f'-{task.number + 1:03}' if step.over else ''}",
        {key: value for key, value in parameters.items() if key in keys and key not in input_keys},
        cluster=step.cluster or run.cluster,
        resources=inner.resources,
        priority=run.priority,
        reuse=run.reuse,
    )
    inputs = {key: value for key, value in {**run.inputs, **inner.parameters}.items() if key in input_keys}
    values, errors = validate(spec.inputs, inputs)
    if errors:
        raise InvalidInput(
            f"{spec.name}: {errors[0].field} {errors[0].reason}.", hint="Set it in the parameters of the step."
        )
    return await write_run(scene.session, run.owner_id, request, values, task_id=task.id)


async def _refuse_depth(session: ReadSession, run: WorkflowRun) -> None:
    depth, above = 1, run
    while above.task_id is not None:
        task = await workflows.task(session, above.task_id)
        outer = await workflows.run(session, task.run_id) if task is not None else None
        if outer is None:
            break
        depth, above = depth + 1, outer
    if depth > MAX_DEPTH:
        raise InvalidInput(
            f"Workflows are nested {depth} levels deep.", hint=f"At most {MAX_DEPTH} levels are allowed."
        )
