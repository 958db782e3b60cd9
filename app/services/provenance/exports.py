"""A run written down for others: RO-Crate, AiiDA archive, or a plain zip with a README. Streamed; no copy of it is made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from app import __version__
from app.db.repositories import library, users, workflows
from app.db.sessions import ReadSession
from app.db.tables import JobAttachment, WorkflowRun, WorkflowStep, WorkflowTask
from app.domain.people.permissions import Actor, require
from app.domain.workflows.definition import WorkflowSpec
from app.errors import InvalidInput, NotFound
from app.library.kept import find
from app.provenance.aiida import write_archive
from app.provenance.plain import write_folder
from app.provenance.records import FileRecord, JobRecord, RunRecord, Source, StepRecord, Taken
from app.provenance.rocrate import write_crate
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs.attachments import attached_path
from app.services.provenance import lineage
from app.services.provenance.lineage import Ancestry
from app.services.workflows import library as workflow_library
from app.services.workflows.tasks import Plan, plan_of

KINDS = {
    "zip": ("plain zip with a README", "zip"),
    "rocrate": ("RO-Crate", "crate.zip"),
    "aiida": ("AiiDA archive", "aiida"),
}
"""What a run can be exported as: words, and the end of the file's name."""
_WRITERS = {"zip": write_folder, "rocrate": write_crate, "aiida": write_archive}


async def members(context: Context, actor: Actor, run_id: str, kind: str) -> tuple[str, dict[str, Source]]:
    """Name of the file, and its members by name.

    Raises:
        NotFound: no such run. InvalidInput: no such kind, or the run has not ended.
    """
    if kind not in KINDS:
        raise InvalidInput(f"There is no export {kind[:40]!r}.", hint=f"Exports: {', '.join(KINDS)}.")
    record = await record_of(context, actor, run_id)
    if record.ended_at is None:
        raise InvalidInput(f"The run {record.name} has not ended.", hint="Export it once it has.")
    return f"{record.name}-{record.id}.{KINDS[kind][1]}", await asyncio.to_thread(_WRITERS[kind], record)


async def record_of(context: Context, actor: Actor, run_id: str) -> RunRecord:
    """Everything that is known of a run.

    Raises:
        NotFound
    """
    require(actor, "job.read")
    await refresh(context)
    async with context.database.read() as session:
        run = await workflows.run(session, run_id)
        if run is None:
            raise NotFound(f"There is no run {run_id[:40]!r}.", hint="See the list of runs.")
        people = await users.names(session)
        steps = await workflows.steps(session, run_id)
        tasks = await workflows.tasks(session, run_id)
        ids = await lineage.jobs_of_run(session, run_id)
        attached = await library.attachments_of(session, ids)
        known = await lineage.ancestry(session, ids)
        places = await _places(session, steps, tasks)
    plan = plan_of(context, run)
    own = [_job(context, job, attached.get(job_id, []), *places[job_id]) for job_id, job in known.items()]
    return _run(run, plan, people.get(run.owner_id, "?"), steps, tasks, own)


async def _places(
    session: ReadSession, steps: list[WorkflowStep], tasks: list[WorkflowTask]
) -> dict[str, tuple[str, WorkflowTask | None]]:
    """For each job the step that it belongs to, and its task where it is that task's own and last one."""
    names = {step.id: step.name for step in steps}
    places: dict[str, tuple[str, WorkflowTask | None]] = {}
    for task in tasks:
        step = names[task.step_id]
        places |= {entry["job"]: (step, None) for entry in task.earlier if entry.get("job")}
        if task.child_id:
            places |= dict.fromkeys(await lineage.jobs_of_run(session, task.child_id), (step, None))
        if task.job_id:
            places[task.job_id] = step, task
    return places


def _job(
    context: Context, ancestry: Ancestry, attached: list[JobAttachment], step: str, task: WorkflowTask | None
) -> JobRecord:
    job, remote = ancestry.job, ancestry.remote
    return JobRecord(
        job.id,
        job.name,
        job.state,
        job.reason,
        job.template_id,
        job.template_revision,
        job.parameters,
        job.decks,
        job.resources,
        ancestry.cluster,
        ancestry.hostname,
        ancestry.scheduler,
        remote.scheduler_id if remote else "",
        remote.directory if remote else "",
        ancestry.person,
        job.created_at,
        job.started_at,
        job.ended_at,
        remote.exit_code if remote else None,
        {row.output: row.results for row in ancestry.results},
        [
            FileRecord(file.name, file.sha256, file.size, file.role, _path(context, job.id, file.name))
            for file in ancestry.files
        ],
        [_taken(context, row) for row in attached],
        step,
        task.number if task else 0,
        bool(task and task.reused),
        list(task.uses) if task else [],
    )


def _path(context: Context, job_id: str, name: str) -> Path | None:
    kept = find(context.job_folder(job_id), name)
    return kept.folder / kept.name if kept else None


def _taken(context: Context, row: JobAttachment) -> Taken:
    kind, _, rest = row.source.partition(":")
    owner, _, name = rest.partition("/")
    path = attached_path(context, row)
    return Taken(row.name, row.sha256, row.size, owner if kind == "job" else "", name, path if path.is_file() else None)


def _run(
    run: WorkflowRun,
    plan: Plan,
    person: str,
    steps: list[WorkflowStep],
    tasks: list[WorkflowTask],
    own: list[JobRecord],
) -> RunRecord:
    spec: WorkflowSpec = plan.spec
    values: Mapping[int, dict[str, object]] = {task.step_id: task.outcome for task in tasks if task.outcome}
    listed = [
        StepRecord(
            step.name,
            spec.step(step.name).heading,
            _does(spec, step.name),
            plan.before[step.name],
            step.state,
            step.message,
            step.started_at,
            step.ended_at,
            values.get(step.id, {}),
        )
        for step in steps
    ]
    links = [(link.step, name, link.role) for name, wired in plan.wired.items() for link in wired.links.values()]
    return RunRecord(
        run.id,
        run.name,
        run.workflow,
        spec.heading,
        spec.description,
        run.version,
        workflow_library.write_text(spec),
        person,
        run.state,
        run.remark,
        run.cluster,
        run.parameters,
        run.inputs,
        run.outputs,
        run.created_at,
        run.ended_at,
        listed,
        own,
        links,
        f"CrystalDeck {__version__}",
    )


def _does(spec: WorkflowSpec, name: str) -> str:
    step = spec.step(name)
    return step.template or step.workflow or f"computes {json.dumps(step.values, ensure_ascii=False)}"
