"""Shapes of REST requests and answers about clusters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.services.clusters.changes import LOCAL_KEYS, why_fixed
from app.services.clusters.registry import ClusterView
from app.services.context import Context


class ClusterSummary(BaseModel):
    """One cluster in a list."""

    name: str
    runner_type: str
    hostname: str
    default_partition: str
    program: str
    problem: str
    checked_at: datetime | None
    jobs: int


class ClusterDetail(ClusterSummary):
    """A cluster with its settings. `fixed` says why they cannot be changed over REST, `broken` why they cannot be used."""

    settings: dict[str, Any]
    paused: str
    fixed: str
    broken: str
    fingerprint: str


class NewCluster(BaseModel):
    """A machine to add. `settings` has the keys of a `[clusters.<name>]` table, but for those that reach into the server."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=60)
    settings: dict[str, Any]


class ClusterChange(BaseModel):
    """Settings that change; those that are not named stay, empty ones become as by default."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any]


def cluster_summary(view: ClusterView) -> ClusterSummary:
    """A cluster as lists answer."""
    return ClusterSummary(
        name=view.cluster.name, runner_type=view.settings.runner_type, hostname=view.settings.hostname,
        default_partition=view.settings.default_partition, program=view.cluster.program,
        problem=view.broken or view.cluster.problem,
        checked_at=view.cluster.polled_at, jobs=view.active_jobs,
    )  # fmt: skip


def cluster_detail(context: Context, view: ClusterView) -> ClusterDetail:
    """A cluster with its settings, as its route answers."""
    name = view.cluster.name
    return ClusterDetail(
        **cluster_summary(view).model_dump(), settings=view.settings.model_dump(mode="json", exclude=set(LOCAL_KEYS)),
        paused=view.cluster.paused, fixed=why_fixed(context, name, view.settings), broken=view.broken,
        fingerprint=view.fingerprint,
    )  # fmt: skip
