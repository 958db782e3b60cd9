"""All routers of the pages, in the order in which their paths are tried: fixed words before ids."""

from __future__ import annotations

from app.routes.pages import (
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
    session,
    workflows,
)

ROUTERS = tuple(
    subject.router
    for subject in (
        session, actions, files, results, jobs, catalogue, composing, batches, workflows, provenance, runs, clusters,
    )
)  # fmt: skip
