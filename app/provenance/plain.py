"""A folder that people read without any program: README, the workflow, one folder for each job, and all of it as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from app.provenance.records import JobRecord, RunRecord, Source, folder_of


def write_folder(run: RunRecord) -> dict[str, Source]:
    """All members, by name."""
    files: dict[str, Source] = {
        "README.md": _readme(run).encode(),
        "workflow.toml": run.definition.encode(),
        "provenance.json": json.dumps(asdict(run), indent=2, default=_plain, ensure_ascii=False).encode(),
    }
    for job in run.jobs:
        folder = folder_of(job)
        files |= {f"{folder}/{file.name}": file.path for file in job.files if file.path is not None}
        files |= {
            f"{folder}/inputs/{taken.name}": taken.path
            for taken in job.taken
            if taken.path is not None and not taken.job
        }
    return files


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, Path) else str(value)


def _readme(run: RunRecord) -> str:
    """What this is, what came out, and where each file comes from."""
    version = f", version {run.version}" if run.version else ""
    begun = f"{run.created_at:%d %b %Y %H:%M} UTC"
    lines = [
        f"# {run.title}: {run.name}",
        "",
        *([run.description, ""] if run.description else []),
        f"Run `{run.id}` of the workflow `{run.workflow}`{version}, started by {run.person} on {begun}: "
        f"{run.state}. {run.remark}".strip(),
        "",
        f"Written by {run.software}. The workflow is in `workflow.toml`; everything below, and more, is in `provenance.json`.",
        "",
    ]
    if run.outputs:
        lines += ["## Results", ""]
        for name, entry in run.outputs.items():
            value = entry.get("value") if isinstance(entry, dict) else entry
            lines.append(f"- {name}: {json.dumps(value)}")
        lines.append("")
    lines += ["## Steps", "", "| step | does | after | state | jobs |", "|---|---|---|---|---|"]
    for step in run.steps:
        own = ", ".join(f"`{folder_of(job)}`" for job in run.jobs if job.step == step.name)
        lines.append(f"| {step.name} | {step.does} | {', '.join(step.after)} | {step.state} {step.message} | {own} |")
    lines += ["", "## Jobs", ""]
    for job in run.jobs:
        lines += _job(run, job)
    return "\n".join(lines) + "\n"


def _job(run: RunRecord, job: JobRecord) -> list[str]:
    ended = f", ended {job.ended_at:%d %b %Y %H:%M} UTC" if job.ended_at else ""
    lines = [
        f"### {job.name} ({job.id})",
        "",
        f"{job.state}: {job.reason} By {job.person} on {job.cluster}"
        f"{f' as job {job.scheduler_id}' if job.scheduler_id else ''}{ended}, with {job.program}.",
        f"Deck by template {job.template}, revision `{job.revision[:12]}`.",
    ]
    if job.is_preview:
        lines.append("**Computed by CrystalDeck's preview engine (PySCF), not by CRYSTAL.**")
    lines.append("")
    names = {other.id: folder_of(other) for other in run.jobs}
    for taken in job.taken:
        origin = f"`{names.get(taken.job, 'job ' + taken.job)}/{taken.source}`" if taken.job else "an upload"
        lines.append(f"- takes `{taken.name}` from {origin}, sha256 `{taken.sha256}`")
    for use in job.uses:
        lines.append(f"- takes {use['parameter']} = {use['value']} from `{use['expression']}`")
    for file in job.files:
        lines.append(f"- `{file.name}` ({file.role}, {file.size} bytes), sha256 `{file.sha256}`")
    return [*lines, ""]
