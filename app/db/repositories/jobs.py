"""Jobs, their history, remote facts, files and results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, cast, func, or_, tuple_, update
from sqlalchemy.orm import aliased, defer
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col, select

from app.db.sessions import ReadSession, WriteSession
from app.db.tables import (
    Cluster,
    Job,
    JobEvent,
    JobFile,
    JobResult,
    JobTag,
    RemoteJob,
    User,
    WorkflowRun,
    WorkflowStep,
    WorkflowTask,
    now,
)
from app.domain.jobs import JobFilter
from app.domain.people.credentials import CredentialKey
from app.domain.states import OCCUPYING, TERMINAL, JobState
from app.domain.verdict import Usage

LIGHT: tuple[Any, ...] = tuple(defer(column, raiseload=True) for column in (Job.decks, Job.script, Job.parameters))  # type: ignore[arg-type]
"""Options of queries that are asked often or for many jobs: decks, scripts and parameters, which may take megabytes, stay in
the database. Whoever needs one of them all the same gets an error, not a hidden statement."""


@dataclass(frozen=True)
class JobRow:
    """One line of the job list."""

    job: Job
    owner: str
    cluster: str
    energy_total: float | None
    preview: bool
    tags: tuple[str, ...] = ()
    batch: str = ""
    """Name of its batch, where the line stands for all of that batch's jobs."""
    tally: Mapping[str, int] = field(default_factory=dict)
    """Those jobs by state."""


def restricted(query: Any, wanted: JobFilter) -> Any:
    """A query over jobs, users and clusters with the filter's conditions."""
    if wanted.id:
        return query.where(Job.id == wanted.id)
    query = query.where(col(Job.archived).is_(wanted.archived))
    if wanted.batch:
        query = query.where(Job.batch_id == wanted.batch)
    if wanted.tag:
        query = query.where(col(Job.id).in_(select(JobTag.job_id).where(JobTag.tag == wanted.tag)))
    if wanted.grouped:
        query = query.where(or_(col(Job.batch_id).is_(None), col(Job.batch_head)))
    if wanted.states:
        query = query.where(col(Job.state).in_(wanted.states))
    if wanted.owner:
        query = query.where(User.name == wanted.owner)
    if wanted.cluster:
        query = query.where(Cluster.name == wanted.cluster)
    if wanted.template:
        query = query.where(Job.template_id == wanted.template)
    if wanted.text:
        query = query.where(or_(col(Job.name).contains(wanted.text, autoescape=True), col(Job.id) == wanted.text))
    if wanted.before:
        query = query.where(tuple_(col(Job.created_at), col(Job.id)) < wanted.before)
    return query


async def listing(session: ReadSession, wanted: JobFilter, *, whole: bool = False) -> list[JobRow]:
    """Newest first; without decks, scripts and parameters unless `whole`."""
    energy, preview = _energy_and_preview()
    query = (
        select(Job, User.name, Cluster.name, energy, preview)  # type: ignore[call-overload]
        .join(User, col(User.id) == col(Job.owner_id))
        .join(Cluster, col(Cluster.id) == col(Job.cluster_id))
    )
    query = restricted(query, wanted).options(*(() if whole else LIGHT))
    query = query.order_by(col(Job.created_at).desc(), col(Job.id).desc()).limit(wanted.limit)
    rows = (await session.exec(query)).all()
    return [JobRow(job, owner, cluster, value, bool(preview)) for job, owner, cluster, value, preview in rows]


async def count_by_state(session: ReadSession) -> dict[str, int]:
    """How many jobs there are in each state, those in the archive left out."""
    query = select(col(Job.state), func.count()).where(col(Job.archived).is_(False)).group_by(col(Job.state))
    return dict((await session.exec(query)).all())


async def get(session: ReadSession, job_id: str, *, whole: bool = True) -> Job | None:
    """A job; without decks, script and parameters unless `whole`."""
    return await session.get(Job, job_id) if whole else (await get_all(session, [job_id], whole=False)).get(job_id)


@dataclass(frozen=True)
class Origin:
    """The task of a workflow that a job was made for."""

    run_id: str
    run: str
    """Name of the run."""
    step: str
    """Name of the step."""


@dataclass(frozen=True)
class Standing:
    """One job with all that stands beside it once: one row of one query."""

    row: JobRow
    remote: RemoteJob | None
    cluster_problem: str
    origin: Origin | None


async def standing(session: ReadSession, job_id: str, *, whole: bool = False) -> Standing | None:
    """One job with its owner, cluster, tags, energy, remote facts and origin, in one statement.

    Args:
        whole: with decks, script and parameters.
    """
    energy_total, by_preview = _energy_and_preview()
    tags = select(func.aggregate_strings(col(JobTag.tag), _BETWEEN)).where(col(JobTag.job_id) == col(Job.id))
    made = aliased(WorkflowTask)
    task = select(made.id).where(col(made.job_id) == col(Job.id)).order_by(col(made.reused), col(made.id)).limit(1)
    query = (
        select(  # type: ignore[call-overload]
            Job,
            RemoteJob,
            User.name,
            Cluster.name,
            Cluster.problem,
            energy_total,
            by_preview,
            tags.scalar_subquery(),
            WorkflowRun.id,
            WorkflowRun.name,
            WorkflowStep.name,
        )
        .join(User, col(User.id) == col(Job.owner_id))
        .join(Cluster, col(Cluster.id) == col(Job.cluster_id))
        .join(RemoteJob, col(RemoteJob.job_id) == col(Job.id), isouter=True)
        .join(WorkflowTask, col(WorkflowTask.id) == task.scalar_subquery(), isouter=True)
        .join(WorkflowStep, col(WorkflowStep.id) == col(WorkflowTask.step_id), isouter=True)
        .join(WorkflowRun, col(WorkflowRun.id) == col(WorkflowTask.run_id), isouter=True)
        .where(Job.id == job_id)
        .options(*(() if whole else LIGHT))
    )
    found = (await session.exec(query)).first()
    if found is None:
        return None
    job, remote_job, owner, cluster, problem, energy, preview, joined, run_id, run, step = found
    row = JobRow(job, owner, cluster, energy, bool(preview), tuple(sorted(joined.split(_BETWEEN))) if joined else ())
    return Standing(row, remote_job, problem, Origin(run_id, run, step) if run_id else None)


async def load_parameters(session: ReadSession, job: Job) -> None:
    """Bring the parameters of a job that was read without them in this session."""
    query = select(Job.parameters).where(Job.id == job.id)
    set_committed_value(job, "parameters", (await session.exec(query)).one())


_BETWEEN = ","
"""Tags have no comma: see `domain.names`."""


async def get_all(session: ReadSession, job_ids: Iterable[str], *, whole: bool = True) -> dict[str, Job]:
    """Jobs by id; those that do not exist are absent."""
    query = select(Job).where(col(Job.id).in_(list(job_ids))).options(*(() if whole else LIGHT))
    return {job.id: job for job in (await session.exec(query)).all()}


async def rows_of(session: ReadSession, job_ids: Collection[str]) -> dict[str, tuple[Job, float | None, bool]]:
    """Jobs by id, without decks, scripts and parameters, each with its energy in hartree.

    The third is whether the preview engine computed it.
    """
    energy, preview = _energy_and_preview()
    query = select(Job, energy, preview).where(col(Job.id).in_(list(job_ids))).options(*LIGHT)
    return {job.id: (job, value, bool(by_preview)) for job, value, by_preview in (await session.exec(query)).all()}


def _energy_and_preview() -> tuple[Any, Any]:
    """Two columns of a query over jobs."""
    own = col(JobResult.job_id) == col(Job.id)
    return (
        select(func.min(col(JobResult.energy_total))).where(own).scalar_subquery(),
        select(func.max(cast(col(JobResult.preview), Integer))).where(own).scalar_subquery(),
    )


async def remotes(session: ReadSession, job_ids: Iterable[str]) -> dict[str, RemoteJob]:
    """What clusters know of these jobs, by job id."""
    query = select(RemoteJob).where(col(RemoteJob.job_id).in_(list(job_ids)))
    return {remote.job_id: remote for remote in (await session.exec(query)).all()}


async def remote(session: ReadSession, job_id: str) -> RemoteJob | None:
    """What the cluster knows of a job; None: it was never sent there."""
    return await session.get(RemoteJob, job_id)


async def in_states(
    session: ReadSession,
    cluster_id: int,
    states: Iterable[JobState],
    *,
    owners: Iterable[int],
    limit: int | None = None,
    attention_not: str | None = None,
) -> list[Job]:
    """Jobs of some users in the order in which they are served; without decks, scripts and parameters."""
    query = select(Job).where(
        Job.cluster_id == cluster_id,
        col(Job.state).in_([str(state) for state in states]),
        col(Job.owner_id).in_(list(owners)),
    )
    if attention_not is not None:
        query = query.where(Job.attention != attention_not)
    query = query.options(*LIGHT).order_by(col(Job.priority), col(Job.place), col(Job.id)).limit(limit)
    return list((await session.exec(query)).all())


async def owners_in_states(session: ReadSession, cluster_id: int, states: Iterable[JobState]) -> list[int]:
    """Users who have jobs in these states on a cluster."""
    query = select(Job.owner_id).distinct()
    query = query.where(Job.cluster_id == cluster_id, col(Job.state).in_([str(state) for state in states]))
    return list((await session.exec(query)).all())


async def mark_seen(session: WriteSession, job_ids: Iterable[str]) -> None:
    """The cluster still lists these jobs, in the same words as before."""
    query = update(RemoteJob).where(col(RemoteJob.job_id).in_(list(job_ids))).values(last_seen=now())
    await session.exec(query, execution_options={"synchronize_session": False})


async def with_remote(
    session: ReadSession, key: CredentialKey, states: Iterable[JobState], *, whole: bool = False
) -> list[tuple[Job, RemoteJob]]:
    """Jobs in these states that were submitted with this credential, the oldest first; with their decks where `whole`."""
    query = (
        select(Job, RemoteJob)
        .join(RemoteJob, col(RemoteJob.job_id) == col(Job.id))
        .where(
            Job.cluster_id == key.cluster_id,
            RemoteJob.credential_id == key.credential_id,
            RemoteJob.account == key.username,
            col(Job.state).in_([str(state) for state in states]),
        )
        .order_by(col(Job.created_at))
        .options(*(() if whole else LIGHT))
    )
    return [(job, remote) for job, remote in (await session.exec(query)).all()]


async def without_usage(session: ReadSession, since: datetime) -> list[tuple[Job, RemoteJob]]:
    """Jobs that ended since then, and of which no accounting told yet what they took."""
    ended = [str(state) for state in TERMINAL]
    query = (
        select(Job, RemoteJob)
        .join(RemoteJob, col(RemoteJob.job_id) == col(Job.id))
        .where(
            col(Job.ended_at) >= since, col(Job.state).in_(ended), RemoteJob.wall_s == 0, RemoteJob.scheduler_id != ""
        )
        .options(*LIGHT)
    )
    return [(job, remote) for job, remote in (await session.exec(query)).all()]


async def change_remotes(session: WriteSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set what is known of submitted jobs: each row names its `job_id` and the columns to set, the same in all rows."""
    if rows:
        await session.exec(update(RemoteJob), params=[dict(row) for row in rows])


async def keep_usage(session: WriteSession, usages: Mapping[str, Usage]) -> None:
    """What jobs took, by job id."""
    await change_remotes(session, [{"job_id": job_id, **vars(usage)} for job_id, usage in usages.items()])


async def count_occupying_by_cluster(session: ReadSession, cluster_ids: Collection[int]) -> dict[int, int]:
    """Jobs that count against the limits of these clusters, by cluster; those without any are absent."""
    query = select(col(Job.cluster_id), func.count()).where(
        col(Job.cluster_id).in_(list(cluster_ids)), col(Job.state).in_([str(state) for state in OCCUPYING])
    )
    return dict((await session.exec(query.group_by(col(Job.cluster_id)))).all())


async def count_occupying(session: ReadSession, cluster_id: int) -> int:
    """How many jobs count against the cluster's limit."""
    states = [str(state) for state in OCCUPYING]
    query = select(func.count()).select_from(Job).where(Job.cluster_id == cluster_id, col(Job.state).in_(states))
    return (await session.exec(query)).one()


async def count_unfinished_by_state(session: ReadSession, cluster_id: int) -> dict[str, int]:
    """How many jobs of a cluster have not ended, by state."""
    query = select(col(Job.state), func.count()).where(
        Job.cluster_id == cluster_id, col(Job.state).not_in([str(state) for state in TERMINAL])
    )
    return dict((await session.exec(query.group_by(col(Job.state)))).all())


async def states_of(session: ReadSession, job_ids: Collection[str]) -> dict[str, str]:
    """The states of jobs in the database, by id."""
    if not job_ids:
        return {}
    query = select(Job.id, Job.state).where(col(Job.id).in_(list(job_ids)))
    return dict((await session.exec(query)).all())


async def write_states(session: WriteSession, changes: Sequence[tuple[Job, Mapping[str, Any]]]) -> None:
    """Set the new states of jobs, and what else changes with them. Only `services.transitions.jobs` may do this."""
    await session.exec(update(Job), params=[{"id": job.id, **values} for job, values in changes])
    for job, values in changes:
        for key, value in values.items():
            # The row is what was just written: set it without marking it as changed once more.
            set_committed_value(job, key, value)


async def update_jobs(session: WriteSession, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Set columns of jobs, by id; rows that the session holds keep what they have.

    Raises:
        ValueError: a state is among them: `services.transitions.jobs` changes those.
    """
    if any("state" in values for values in changes.values()):
        raise ValueError("states are changed by services.transitions.jobs")
    if changes:
        await session.exec(update(Job), params=[{"id": job_id, **values} for job_id, values in changes.items()])


async def set_attention(session: WriteSession, reasons: Mapping[str, str]) -> None:
    """What a person should look at, by job id; empty: nothing."""
    await update_jobs(session, {job_id: {"attention": reason} for job_id, reason in reasons.items()})


async def history(session: ReadSession, job_id: str) -> list[JobEvent]:
    """The events of a job, the oldest first."""
    query = select(JobEvent).where(JobEvent.job_id == job_id).order_by(col(JobEvent.id))
    return list((await session.exec(query)).all())


async def histories(session: ReadSession, job_ids: Collection[str]) -> dict[str, list[JobEvent]]:
    """The events of many jobs, by job id, the oldest first."""
    query = select(JobEvent).where(col(JobEvent.job_id).in_(list(job_ids))).order_by(col(JobEvent.id))
    by_job: dict[str, list[JobEvent]] = {}
    for event in (await session.exec(query)).all():
        by_job.setdefault(event.job_id, []).append(event)
    return by_job


async def files(session: ReadSession, job_id: str) -> list[JobFile]:
    """The files of a job that are here, by name."""
    query = select(JobFile).where(JobFile.job_id == job_id).order_by(col(JobFile.name))
    return list((await session.exec(query)).all())


async def file(session: ReadSession, job_id: str, name: str) -> JobFile | None:
    """One file of a job, if it is here."""
    return (await session.exec(select(JobFile).where(JobFile.job_id == job_id, JobFile.name == name))).first()


async def files_of(session: ReadSession, job_ids: Iterable[str]) -> dict[tuple[str, str], JobFile]:
    """Files of many jobs, by job id and name."""
    query = select(JobFile).where(col(JobFile.job_id).in_(list(job_ids)))
    return {(file.job_id, file.name): file for file in (await session.exec(query)).all()}


async def with_files(session: ReadSession, names: Collection[str], limit: int) -> list[tuple[Job, str]]:
    """Jobs that left files of these names here, the newest first, each with the name."""
    query = (
        select(Job, JobFile.name)
        .join(JobFile, col(JobFile.job_id) == col(Job.id))
        .where(col(JobFile.name).in_(list(names)), JobFile.size > 0)
        .order_by(col(Job.created_at).desc())
        .options(*LIGHT)
    )
    return list((await session.exec(query.limit(limit))).all())


async def file_names(session: ReadSession, job_ids: Collection[str]) -> dict[str, list[str]]:
    """Names of the files of many jobs that are here, by job id, in the order of the alphabet."""
    query = select(JobFile.job_id, JobFile.name).where(col(JobFile.job_id).in_(list(job_ids)))
    found: dict[str, list[str]] = {}
    for job_id, name in (await session.exec(query.order_by(col(JobFile.name)))).all():
        found.setdefault(job_id, []).append(name)
    return found


async def results(session: ReadSession, job_id: str) -> list[JobResult]:
    """What was read from each output of a job, in the order in which they were written."""
    query = select(JobResult).where(JobResult.job_id == job_id).order_by(col(JobResult.id))
    return list((await session.exec(query)).all())


async def with_results(session: ReadSession, job_id: str) -> tuple[Job, list[JobResult]] | None:
    """A job without decks, script and parameters, and what was read from its outputs, in the order they were written."""
    query = (
        select(Job, JobResult)
        .join(JobResult, col(JobResult.job_id) == col(Job.id), isouter=True)
        .where(Job.id == job_id)
        .order_by(col(JobResult.id))
        .options(*LIGHT)
    )
    rows = (await session.exec(query)).all()
    return (rows[0][0], [result for _, result in rows if result is not None]) if rows else None


async def older_results(session: ReadSession, version: int, limit: int) -> list[JobResult]:
    """Results of an older schema, newest jobs first."""
    stored = col(JobResult.results)["schema_version"].as_integer()
    query = (
        select(JobResult).where(or_(stored.is_(None), stored < version)).order_by(col(JobResult.id).desc()).limit(limit)
    )
    return list((await session.exec(query)).all())


async def results_of(session: ReadSession, job_ids: Iterable[str]) -> dict[tuple[str, str], JobResult]:
    """Results of many jobs, by job id and output."""
    query = select(JobResult).where(col(JobResult.job_id).in_(list(job_ids)))
    return {(result.job_id, result.output): result for result in (await session.exec(query)).all()}
