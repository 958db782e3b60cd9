"""From answers to jobs: everything is checked and rendered first, then all jobs of a request are queued, or none."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.crystal.decks.rendering import content_digest
from app.crystal.files import names_fault
from app.db.engine import insert_rows
from app.db.repositories import idempotency, jobs
from app.db.sessions import ReadSession, WriteSession
from app.db.tables import Cluster, Job
from app.domain.names import SHORT_ID, check_job_name, suggest_name
from app.domain.people.permissions import Actor, require
from app.domain.resources import Partition, Resources, read_resources
from app.domain.states import JobState, read_priority
from app.domain.templates.metadata import refuse
from app.domain.templates.releases import too_old
from app.errors import CrystalDeckError, FieldError, InvalidInput
from app.library.drafting import Wanted
from app.library.templates import Rendering
from app.services.catalogue.templates import refresh
from app.services.clusters.registry import usable_cluster
from app.services.clusters.remote_accounts import cluster_settings
from app.services.context import Context
from app.services.jobs.attachments import Gathered, gather
from app.services.jobs.existing import existing_job
from app.services.people.quotas import require_room
from app.services.transitions.jobs import NewJob, begin_jobs
from app.workers.pauses import with_pauses

MAX_JOBS_PER_REQUEST = 1000
WAITING_WORDS = "Waiting to be submitted."


@dataclass(frozen=True)
class JobRequest:
    """What a form or a notebook asks for."""

    template: str
    parameters: dict[str, Any]
    cluster: str
    resources: dict[str, Any]
    name: str = ""
    priority: str = "normal"
    parent: str | None = None
    draft: bool = False
    """Prepare it, and wait for somebody to submit it."""


@dataclass(frozen=True)
class Prepared:
    """A request that was checked: what it becomes, the files that it takes along, its digest and size."""

    request: JobRequest
    rendering: Rendering
    resources: Resources
    attachments: Gathered
    digest: str
    atoms: int


async def create_jobs(
    context: Context, actor: Actor, requests: Sequence[JobRequest], idempotency_key: str = ""
) -> list[Job]:
    """Validate all requests, then queue them all in one transaction, or none.

    Raises:
        InvalidInput, NotFound: names the request and the field. Conflict: the key was used for another request.
        QuotaExceeded: the files of this user take more than one person's share.
    """
    require(actor, "job.create")
    if not 1 <= len(requests) <= MAX_JOBS_PER_REQUEST:
        raise InvalidInput(f"A request must contain 1 to {MAX_JOBS_PER_REQUEST} jobs.", hint="Split it.")
    request_digest = await _digest(requests)
    async with context.database.read() as session:
        if earlier := await _made_before(session, actor, idempotency_key, request_digest):
            return earlier
    await require_room(context, actor)
    await refresh(context)
    gathered = [
        await gather(context, actor, request.template, request.parameters) async for request in with_pauses(requests)
    ]
    prepared = await _prepare_all(context, actor, requests, gathered)
    async with context.database.write() as session:
        if earlier := await _made_before(session, actor, idempotency_key, request_digest):
            return earlier
        created = await queue_prepared(session, actor, prepared)
        ids = [job.id for job in created]
        await idempotency.keep(session, actor.user_id, idempotency_key, request_digest, ids)
    return created


async def _digest(requests: Sequence[JobRequest]) -> str:
    """One checksum of all that is asked for, made piece by piece."""
    digest = hashlib.sha256(b"[")
    first = True
    async for request in with_pauses(requests):
        digest.update((("" if first else ", ") + json.dumps(vars(request), sort_keys=True)).encode())
        first = False
    digest.update(b"]")
    return digest.hexdigest()


async def _made_before(session: ReadSession, actor: Actor, key: str, request_digest: str) -> list[Job] | None:
    """The jobs that the same request made when it was sent before, in their order."""
    ids = await idempotency.earlier(session, actor.user_id, key, request_digest)
    if ids is None:
        return None
    rows = await jobs.get_all(session, ids)
    return [rows[job_id] for job_id in ids if job_id in rows]


async def _prepare_all(
    context: Context, actor: Actor, requests: Sequence[JobRequest], gathered: Sequence[Gathered]
) -> list[Prepared]:
    prepared = []
    for index, (request, attachments) in enumerate(zip(requests, gathered, strict=True)):
        try:
            prepared.append(await prepare(context, actor.user_id, request, attachments))
        except CrystalDeckError as error:
            if len(requests) > 1:
                error.message = f"Job {index + 1} of {len(requests)}: {error.message}"
            raise
    return prepared


async def prepare(
    context: Context,
    user: int,
    request: JobRequest,
    attachments: Gathered,
    *,
    wanted: Wanted = Wanted(),  # noqa: B008  (frozen)
    patient: bool = False,
) -> Prepared:
    """Check and render one request of a user.

    Args:
        attachments: what its file fields name.
        wanted: what a page shows beside the decks.
        patient: work of the background, which lets people's requests go first.

    Raises:
        InvalidInput, NotFound: names the field.
    """
    read_priority(request.priority)
    if request.name:
        check_job_name(request.name)
    rendering = await context.renderer.render(
        user, request.template, request.parameters, attachments.supplies, wanted=wanted, patient=patient
    )
    if reason := names_fault(rendering.decks):
        raise refuse(request.template, [FieldError("files", reason)])
    if wrong := await attachments.errors(context.workers, user, rendering, patient=patient):
        raise refuse(request.template, wrong)
    sums = {file.spec.staged_as: file.sha256 for file in attachments.files if file.spec.key in rendering.values}
    digest = content_digest(rendering.decks, sums)
    return Prepared(request, rendering, read_resources(request.resources), attachments, digest, rendering.drafted.atoms)


async def queue_prepared(
    session: WriteSession, actor: Actor, prepared: Sequence[Prepared], batch: str | None = None, *, head: bool = False
) -> list[Job]:
    """Write jobs, their history and their attachments in the caller's transaction.

    Args:
        batch: the batch that they belong to; `head`: the first of them stands for it in lists.

    Raises:
        InvalidInput: no such cluster, or the job does not fit it. NotFound: no such parent.
    """
    targets = {
        name: await usable_cluster(session, name, field="cluster") for name in {new.request.cluster for new in prepared}
    }
    for parent in {new.request.parent for new in prepared if new.request.parent}:
        await existing_job(session, parent)
    # Rows of a batch mostly ask for the same: each different request is checked once.
    asked = {(new.request.cluster, new.resources.model_dump_json()): new.resources for new in prepared}
    for (name, _), resources in asked.items():
        check_fits(targets[name], resources)
    beginnings = []
    async for new in with_pauses(prepared):
        cluster = targets[new.request.cluster]
        check_release(cluster, new.rendering)
        first = JobState.DRAFT if new.request.draft else JobState.QUEUED
        beginnings.append(NewJob(_job(actor, new, cluster, batch), first, "Created."))
    created = [beginning.job for beginning in beginnings]
    if created and head:
        created[0].batch_head = True
    await begin_jobs(session, beginnings, actor=actor.name)
    await insert_rows(
        session,
        [
            row
            for job, new in zip(created, prepared, strict=True)
            for row in new.attachments.rows(job.id, new.rendering.values)
        ],
    )
    return created


def _job(actor: Actor, prepared: Prepared, cluster: Cluster, batch: str | None) -> Job:
    request, rendering = prepared.request, prepared.rendering
    return Job(
        id=new_job_id(),
        token=secrets.token_hex(16),
        name=request.name or suggest_name(f"{rendering.title}-{request.template}"),
        owner_id=actor.user_id,
        cluster_id=cluster.id,
        parent_id=request.parent,
        batch_id=batch,
        template_id=rendering.template.spec.id,
        template_revision=rendering.template.revision,
        parameters=rendering.values,
        decks=rendering.decks,
        digest=prepared.digest,
        atoms=prepared.atoms,
        resources=prepared.resources.model_dump(),
        priority=read_priority(request.priority).rank,
        reason="Not submitted yet." if request.draft else WAITING_WORDS,
    )


def new_job_id() -> str:
    """Short and unique: it is part of the job's name on the cluster."""
    return base64.b32encode(secrets.token_bytes(8)).decode().lower()[:SHORT_ID]


def check_release(cluster: Cluster, rendering: Rendering) -> None:
    """Raise InvalidInput when an answer needs a later CRYSTAL than the cluster is known to run."""
    spec = rendering.template.spec
    if wrong := too_old(spec, rendering.values, cluster.program, cluster.name):
        raise refuse(spec.id, wrong)


def check_fits(cluster: Cluster, resources: Resources) -> None:
    """Raise InvalidInput when a job asks for more cores than a machine without scheduler has."""
    settings = cluster_settings(cluster)
    if settings.cores and -(-resources.cores // resources.nodes) > settings.cores:
        raise InvalidInput(
            f"{resources.cores} cores on {resources.nodes} node(s) were requested, but a node of {cluster.name} has "
            f"{settings.cores}.",
            hint="Request fewer ranks or threads.",
            fields=[FieldError("resources.ntasks", f"ranks × threads must be at most {settings.cores} per node")],
        )
    name = resources.partition or settings.default_partition
    partitions = {entry["name"]: Partition(**entry) for entry in cluster.partitions}
    # What the scheduler refuses for sure is refused here, before anything is queued; a name that it did not list is its own affair.
    if name in partitions and (wrong := partitions[name].refusals(resources)):
        raise InvalidInput(
            f"The partition {name} of {cluster.name} does not take this job: "
            + "; ".join(f"{error.field.removeprefix('resources.')} {error.reason}" for error in wrong)
            + ".",
            hint="Request less, or choose another partition.",
            fields=wrong,
        )
