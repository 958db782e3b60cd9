"""All routers of the REST service, in the order in which their paths are tried."""

from __future__ import annotations

from app.routes.api.v1 import (
    actions,
    batches,
    catalogue,
    clusters,
    composing,
    files,
    jobs,
    provenance,
    results,
    runs,
    workflows,
)

ROUTERS = tuple(
    subject.router
    for subject in (
        clusters, catalogue, composing, actions, batches, results, files, jobs, workflows, runs, provenance,
    )
)  # fmt: skip
