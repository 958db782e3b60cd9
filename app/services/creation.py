"""From answers to jobs: everything is checked and rendered first, then all jobs of a request are queued, or none."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.db.engine import insert_rows
from app.db.repositories import clusters, jobs
from app.db.tables import Cluster, IdempotencyKey, Job, JobEvent
from app.domain.names import SHORT_ID, check_job_name, suggest_name
from app.domain.permissions import Actor, require
from app.domain.resources import Resources, read_resources
from app.domain.states import JobState, Priority
from app.domain.templates import refuse
from app.errors import Conflict, CrystalDeckError, FieldError, InvalidInput, NotFound
from app.events.outbox import announce_jobs
from app.services.access import cluster_settings
from app.services.attachments import Gathered, gather
from app.services.context import Context
from app.services.library import refresh
from app.services.templates import Rendering

MAX_JOBS_PER_REQUEST = 1000


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


async def create_jobs(
    context: Context, actor: Actor, requests: Sequence[JobRequest], idempotency_key: str = ""
) -> list[Job]:
    """Validate all requests, then queue them all in one transaction, or none.

    Raises:
        InvalidInput, NotFound: names the request and the field. Conflict: the key was used for another request.
    """
    require(actor, "job.create")
    if not 1 <= len(requests) <= MAX_JOBS_PER_REQUEST:
        raise InvalidInput(f"A request must hold 1 to {MAX_JOBS_PER_REQUEST} jobs.", hint="Split it.")
    if len(idempotency_key) > 200:
        raise InvalidInput("The Idempotency-Key is longer than 200 characters.", hint="Use a UUID.")
    request_digest = hashlib.sha256(json.dumps([vars(r) for r in requests], sort_keys=True).encode()).hexdigest()
    async with context.database.read() as session:
        if earlier := await _earlier(session, actor, idempotency_key, request_digest):
            return earlier
    await refresh(context)
    supplied = [await gather(context, actor, request.template, request.parameters) for request in requests]
    made = await asyncio.to_thread(_render_all, context, requests, supplied)
    async with context.database.write() as session:
        if earlier := await _earlier(session, actor, idempotency_key, request_digest):
            return earlier
        created = await _queue(session, actor, requests, made)
        rows = [
            attachment
            for job, found, (rendering, _) in zip(created, supplied, made, strict=True)
            for attachment in found.rows(job.id, rendering.values)
        ]
        await insert_rows(session, rows)
        if idempotency_key:
            ids = [job.id for job in created]
            session.add(IdempotencyKey(user_id=actor.user_id, key=idempotency_key, digest=request_digest, job_ids=ids))
    context.broker.wake()
    return created


async def _earlier(session: AsyncSession, actor: Actor, key: str, request_digest: str) -> list[Job] | None:
    if not key:
        return None
    query = select(IdempotencyKey).where(IdempotencyKey.user_id == actor.user_id, IdempotencyKey.key == key)
    row = (await session.exec(query)).first()
    if row is None:
        return None
    if row.digest != request_digest:
        raise Conflict(
            "This Idempotency-Key was used for a different request.", hint="Use a new key for a new request."
        )
    found = [await jobs.get(session, job_id) for job_id in row.job_ids]
    return [job for job in found if job is not None]


def _render_all(
    context: Context, requests: Sequence[JobRequest], supplied: Sequence[Gathered]
) -> list[tuple[Rendering, Resources]]:
    made = []
    for index, (request, found) in enumerate(zip(requests, supplied, strict=True)):
        try:
            if request.priority not in set(Priority):
                raise InvalidInput(
                    f"There is no priority {request.priority!r}.",
                    hint=f"Priorities: {', '.join(Priority)}.",
                    fields=[FieldError("priority", f"must be one of {', '.join(Priority)}", request.priority)],
                )
            if request.name:
                check_job_name(request.name)
            rendering = context.templates.render(request.template, request.parameters, found.supplies)
            if wrong := found.errors(rendering):
                raise refuse(request.template, wrong)
            made.append((rendering, read_resources(request.resources)))
        except CrystalDeckError as error:
            if len(requests) > 1:
                error.message = f"Job {index + 1} of {len(requests)}: {error.message}"
            raise
    return made


async def _queue(
    session: AsyncSession, actor: Actor, requests: Sequence[JobRequest], made: Sequence[tuple[Rendering, Resources]]
) -> list[Job]:
    targets = {name: await _cluster(session, name) for name in {request.cluster for request in requests}}
    for parent in {request.parent for request in requests if request.parent}:
        if await jobs.get(session, parent) is None:
            raise NotFound(f"There is no job {parent!r} to clone.", hint="Leave the parent out.")
    created = []
    for request, (rendering, resources) in zip(requests, made, strict=True):
        cluster = targets[request.cluster]
        check_fits(cluster, resources)
        created.append(_job(actor, request, rendering, resources, cluster))
    await insert_rows(session, created)
    await insert_rows(
        session,
        [JobEvent(job_id=job.id, to_state=job.state, message="Created.", actor=actor.name) for job in created],
    )
    await announce_jobs(session, created)
    return created


async def _cluster(session: AsyncSession, name: str) -> Cluster:
    cluster = await clusters.by_name(session, name)
    if cluster is None or not cluster.active:
        known = ", ".join(row.name for row in await clusters.all_active(session))
        raise InvalidInput(
            f"There is no cluster {name[:60]!r}.",
            hint=f"Known clusters: {known or 'none; add one on the clusters page'}.",
            fields=[FieldError("cluster", "is not known", name[:60])],
        )
    return cluster


def _job(actor: Actor, request: JobRequest, rendering: Rendering, resources: Resources, cluster: Cluster) -> Job:
    return Job(
        id=base64.b32encode(secrets.token_bytes(8)).decode().lower()[:SHORT_ID],
        token=secrets.token_hex(16),
        name=request.name or suggest_name(f"{rendering.title}-{request.template}"),
        owner_id=actor.user_id,
        cluster_id=cluster.id or 0,
        parent_id=request.parent,
        template_id=rendering.template.spec.id,
        template_revision=rendering.template.revision,
        parameters=rendering.values,
        decks=rendering.decks,
        resources=resources.model_dump(),
        priority=Priority(request.priority).rank,
        state=str(JobState.QUEUED),
        reason="Waiting to be handed to the cluster.",
    )


def check_fits(cluster: Cluster, resources: Resources) -> None:
    """Raise InvalidInput when a job asks for more cores than a machine without scheduler has."""
    settings = cluster_settings(cluster)
    if settings.cores and -(-resources.cores // resources.nodes) > settings.cores:
        raise InvalidInput(
            f"{resources.cores} cores on {resources.nodes} node(s) were asked for, but a node of {cluster.name} has "
            f"{settings.cores}.",
            hint="Ask for fewer ranks or threads.",
            fields=[FieldError("resources.ntasks", f"ranks × threads must be at most {settings.cores} per node")],
        )
