"""Clusters over REST: the same services as the pages. What reaches into the server itself is for its operator alone."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.routes.api.v1.schemas.clusters import (
    ClusterChange,
    ClusterDetail,
    ClusterSummary,
    NewCluster,
    cluster_detail,
    cluster_summary,
)
from app.routes.deps import ActorDep, ContextDep
from app.services.clusters import changes as cluster_changes
from app.services.clusters import registry as clusters

router = APIRouter(prefix="/api/v1/clusters", tags=["clusters"])


@router.get("")
async def list_clusters(context: ContextDep, actor: ActorDep) -> list[ClusterSummary]:
    """Machines that run jobs."""
    return [cluster_summary(view) for view in await clusters.all_of(context, actor)]


@router.post("", status_code=201)
async def add_cluster(context: ContextDep, actor: ActorDep, response: Response, body: NewCluster) -> ClusterDetail:
    """Add a machine; its settings are checked."""
    await cluster_changes.add(context, actor, body.name, body.settings, remote_only=True)
    response.headers["Location"] = f"/api/v1/clusters/{body.name}"
    return cluster_detail(context, await clusters.get(context, actor, body.name))


@router.get("/{name}")
async def get_cluster(context: ContextDep, actor: ActorDep, name: str) -> ClusterDetail:
    """One machine with its settings."""
    return cluster_detail(context, await clusters.get(context, actor, name))


@router.patch("/{name}")
async def change_cluster(context: ContextDep, actor: ActorDep, name: str, body: ClusterChange) -> ClusterDetail:
    """Change settings. Where jobs lie stays as it is while there are any; connections are opened anew."""
    await cluster_changes.edit(context, actor, name, body.settings, remote_only=True)
    return cluster_detail(context, await clusters.get(context, actor, name))


@router.delete("/{name}", status_code=204)
async def remove_cluster(context: ContextDep, actor: ActorDep, name: str) -> None:
    """Remove a machine of which no job or run is unfinished; its jobs stay and keep naming it."""
    await cluster_changes.remove(context, actor, name)
