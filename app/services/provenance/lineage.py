"""Where a result comes from and what came of it: jobs, the files and values that passed between them, and who did it when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from app.db.repositories import clusters, jobs, library, users, workflows
from app.db.sessions import ReadSession
from app.db.tables import (
    Cluster,
    Job,
    JobAttachment,
    JobFile,
    JobResult,
    RemoteJob,
    WorkflowRun,
    WorkflowStep,
    WorkflowTask,
)
from app.domain.drawing.graphs import Drawing, draw
from app.domain.people.permissions import Actor, require
from app.errors import NotFound
from app.provenance.records import program_of
from app.runners.registry import aiida_scheduler
from app.services.context import Context
from app.services.jobs.existing import existing_job

MOST = 200
"""Jobs in one picture."""


@dataclass(frozen=True)
class Passed:
    """What passed from one job, or from an upload, to another job."""

    source: str
    """A job's id, or `upload:<sha256>`."""
    target: str
    kind: str
    """`file` or `value`."""
    name: str
    """The file's name there, or the parameter."""
    detail: str
    """The sha256 of the file, or the value."""


@dataclass(frozen=True)
class Ancestry:
    """One job with its origin."""

    job: Job
    person: str
    cluster: str
    hostname: str
    scheduler: str
    """The plugin of AiiDA for the cluster's batch system."""
    remote: RemoteJob | None
    results: list[JobResult]
    files: list[JobFile]
    task: WorkflowTask | None = None
    step: WorkflowStep | None = None
    run: WorkflowRun | None = None

    @property
    def program(self) -> str:
        """Program and release that computed the job."""
        return program_of(next((row.results for row in self.results), {})) or "not known yet"


@dataclass(frozen=True)
class Lineage:
    """A job, or several, with everything before and behind them."""

    jobs: dict[str, Ancestry]
    passed: list[Passed]
    uploads: dict[str, str] = field(default_factory=dict)
    """Names of uploaded files, by `upload:<sha256>`."""
    roots: tuple[str, ...] = ()
    cut: bool = False
    """There is more than is shown."""

    @property
    def before(self) -> dict[str, list[str]]:
        """For each job and upload those that it has something from."""
        before: dict[str, list[str]] = {key: [] for key in (*self.uploads, *self.jobs)}
        for link in self.passed:
            if link.source in before and link.target in before and link.source not in before[link.target]:
                before[link.target].append(link.source)
        return before

    @property
    def drawing(self) -> Drawing:
        """The graph of the jobs, laid out."""
        return draw(self.before)

    def words(self) -> dict[tuple[str, str], str]:
        """What passed, by edge."""
        by_edge: dict[tuple[str, str], list[str]] = {}
        for link in self.passed:
            by_edge.setdefault((link.source, link.target), []).append(link.name)
        return {edge: ", ".join(dict.fromkeys(names)) for edge, names in by_edge.items()}


async def of_job(context: Context, actor: Actor, job_id: str) -> Lineage:
    """Everything that one job was made from, and everything made from it.

    Raises:
        NotFound
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        await existing_job(session, job_id)
        return await _trace(session, [job_id], down=True)


async def of_run(context: Context, actor: Actor, run_id: str) -> Lineage:
    """All jobs of a run, and what they come from.

    Raises:
        NotFound
    """
    require(actor, "job.read")
    async with context.database.read() as session:
        if await workflows.run(session, run_id) is None:
            raise NotFound(f"There is no run {run_id[:40]!r}.", hint="See the list of runs.")
        own = await jobs_of_run(session, run_id)
        return await _trace(session, own, down=False)


async def jobs_of_run(session: ReadSession, run_id: str) -> list[str]:
    """Jobs of a run and of the runs of its inner workflows; those that failed before another one was tried, too."""
    job_ids: list[str] = []
    for task in await workflows.tasks(session, run_id):
        job_ids += [entry["job"] for entry in task.earlier if entry.get("job")]
        if task.job_id:
            job_ids.append(task.job_id)
        if task.child_id:
            job_ids += await jobs_of_run(session, task.child_id)
    return list(dict.fromkeys(job_ids))


async def _trace(session: ReadSession, roots: list[str], *, down: bool) -> Lineage:
    known: dict[str, None] = dict.fromkeys(roots[:MOST])
    passed: dict[tuple[str, str, str], Passed] = {}
    uploads: dict[str, str] = {}
    up, below = list(known), list(known) if down else []
    cut = len(roots) > MOST
    while (up or below) and not cut:
        fresh_up, fresh_below = [], []
        for link in await _into(session, up):
            passed[(link.source, link.target, link.name)] = link
            if link.source.startswith("upload:"):
                uploads[link.source] = link.name
            elif link.source not in known:
                fresh_up.append(link.source)
        for link in await _out_of(session, below):
            passed[(link.source, link.target, link.name)] = link
            if link.target not in known:
                fresh_below.append(link.target)
        for job_id in (*fresh_up, *fresh_below):
            known[job_id] = None
        up, below = list(dict.fromkeys(fresh_up)), list(dict.fromkeys(fresh_below))
        cut = len(known) > MOST
    return Lineage(await ancestry(session, list(known)[:MOST]), list(passed.values()), uploads, tuple(roots), cut)


async def _into(session: ReadSession, ids: Collection[str]) -> list[Passed]:
    """Files and values that jobs took."""
    attached = await library.attachments_of(session, ids)
    passed = [_file(row) for rows in attached.values() for row in rows]
    for job_id, (task, _, _) in (await workflows.origins(session, ids)).items():
        passed += [
            Passed(giver, job_id, "value", str(use["parameter"]), str(use["value"]))
            for use in task.uses
            for giver in use["jobs"]
            if giver != job_id
        ]
    return passed


async def _out_of(session: ReadSession, ids: Collection[str]) -> list[Passed]:
    """What other jobs took from these."""
    passed = [_file(row) for row in await library.taken_from(session, ids)]
    runs = {run.id for _, _, run in (await workflows.origins(session, ids)).values()}
    wanted = set(ids)
    for task in await workflows.using(session, runs):
        passed += [
            Passed(giver, task.job_id, "value", str(use["parameter"]), str(use["value"]))
            for use in task.uses
            for giver in use["jobs"]
            if giver in wanted and task.job_id and task.job_id != giver
        ]
    return passed


def _file(row: JobAttachment) -> Passed:
    kind, _, rest = row.source.partition(":")
    owner = rest.partition("/")[0]
    return Passed(owner if kind == "job" else f"upload:{owner}", row.job_id, "file", row.name, row.sha256)


async def ancestry(session: ReadSession, ids: list[str]) -> dict[str, Ancestry]:
    """Jobs with their origins, however many."""
    rows = await jobs.get_all(session, ids)
    remotes = await jobs.remotes(session, ids)
    people = await users.names(session)
    machines = {row.id: row for row in await clusters.every(session)}
    origins = await workflows.origins(session, ids)
    results: dict[str, list[JobResult]] = {}
    for (job_id, _), row in sorted((await jobs.results_of(session, ids)).items(), key=lambda entry: entry[1].id):
        results.setdefault(job_id, []).append(row)
    files: dict[str, list[JobFile]] = {}
    for (job_id, _), file in sorted((await jobs.files_of(session, ids)).items()):
        files.setdefault(job_id, []).append(file)
    return {
        job_id: Ancestry(
            job,
            people.get(job.owner_id, "?"),
            machines[job.cluster_id].name,
            _setting(machines[job.cluster_id], "hostname"),
            aiida_scheduler(_setting(machines[job.cluster_id], "runner_type")),
            remotes.get(job_id),
            results.get(job_id, []),
            files.get(job_id, []),
            *origins.get(job_id, (None, None, None)),
        )
        for job_id in ids
        if (job := rows.get(job_id)) is not None
    }


def _setting(cluster: Cluster, key: str) -> str:
    return str(cluster.settings.get(key) or "")
