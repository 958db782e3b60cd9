"""The tables. They are dumb: values are validated in `domain` before they come here. Times are aware UTC."""

from __future__ import annotations

from app.db.tables.batches import Batch, BatchItem
from app.db.tables.catalogue import LibraryBasis, LibraryTemplate, TemplateReview
from app.db.tables.clock import now
from app.db.tables.clusters import Cluster
from app.db.tables.jobs import Job, JobAttachment, JobEvent, JobFile, JobResult, JobTag, RemoteJob
from app.db.tables.limits import Device, Throttle
from app.db.tables.member_keys import Credential
from app.db.tables.people import ApiToken, OneTimeLink, Session, User
from app.db.tables.service import FormDraft, IdempotencyKey, OutboxEvent, ServiceState, StoredFile
from app.db.tables.workflows import WorkflowRun, WorkflowStep, WorkflowTask, WorkflowVersion

__all__ = [
    "ApiToken",
    "Batch",
    "BatchItem",
    "Cluster",
    "Credential",
    "Device",
    "FormDraft",
    "IdempotencyKey",
    "Job",
    "JobAttachment",
    "JobEvent",
    "JobFile",
    "JobResult",
    "JobTag",
    "LibraryBasis",
    "LibraryTemplate",
    "OneTimeLink",
    "OutboxEvent",
    "RemoteJob",
    "ServiceState",
    "Session",
    "StoredFile",
    "TemplateReview",
    "Throttle",
    "User",
    "WorkflowRun",
    "WorkflowStep",
    "WorkflowTask",
    "WorkflowVersion",
    "now",
]
