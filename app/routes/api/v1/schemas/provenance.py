"""Shapes of REST answers about where results come from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from app.services.provenance.lineage import Lineage


class OriginEntry(BaseModel):
    """One job: who computed it where, when, with what, and for which step of which run."""

    id: str
    name: str
    state: str
    person: str
    cluster: str
    hostname: str
    scheduler_id: str
    directory: str
    program: str
    template: str
    template_revision: str
    parameters: dict[str, Any]
    decks: dict[str, str]
    digest: str
    run: str | None
    step: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    files: list[dict[str, Any]]


class PassedEntry(BaseModel):
    """What passed from one job, or `upload:<sha256>`, to another: a `file` with its sha256, or a `value`."""

    source: str
    target: str
    kind: str
    name: str
    detail: str


class LineageAnswer(BaseModel):
    """Connected jobs, what passed between them, and uploaded files."""

    jobs: list[OriginEntry]
    passed: list[PassedEntry]
    uploads: dict[str, str]
    complete: bool


def lineage_answer(found: Lineage) -> LineageAnswer:
    """A lineage as its routes answer."""
    listed = [
        OriginEntry(
            id=job_id, name=one.job.name, state=one.job.state, person=one.person, cluster=one.cluster, hostname=one.hostname,
            scheduler_id=one.remote.scheduler_id if one.remote else "", directory=one.remote.directory if one.remote else "",
            program=one.program, template=one.job.template_id, template_revision=one.job.template_revision,
            parameters=one.job.parameters, decks=one.job.decks, digest=one.job.digest, run=one.run.id if one.run else None,
            step=one.step.name if one.step else None, created_at=one.job.created_at, started_at=one.job.started_at,
            ended_at=one.job.ended_at,
            files=[{"name": file.name, "size": file.size, "sha256": file.sha256, "role": file.role} for file in one.files],
        )
        for job_id, one in found.jobs.items()
    ]  # fmt: skip
    passed = [PassedEntry(**vars(one)) for one in found.passed]
    return LineageAnswer(jobs=listed, passed=passed, uploads=found.uploads, complete=not found.cut)
