"""Shapes of REST requests and answers. Times are ISO 8601 in UTC, energies hartree, gaps eV."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.db.repositories.jobs import JobRow
from app.domain.studies import Study
from app.services.jobs.creation import JobRequest
from app.services.jobs.views import JobView, priority_of
from app.services.results.comparison import Comparison


class NewJob(BaseModel):
    """One job to be made. `resources` keys: nodes, ntasks, cpus_per_task, memory_mb, walltime, partition, account, qos."""

    model_config = ConfigDict(extra="forbid")

    template: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    cluster: str
    resources: dict[str, Any] = Field(default_factory=dict)
    name: str = ""
    priority: str = "normal"
    parent: str | None = None
    draft: bool = False

    def request(self) -> JobRequest:
        return JobRequest(**vars(self))


class QueueAction(BaseModel):
    """One action on many jobs: those of `ids`, or with `all` true every job that the query's filter lets through.

    `expect` is how many jobs there should be: where there are more or fewer, nothing is done. `all` needs it where the query
    holds no filter. With `dry_run` nothing is done either: the answer is the number of jobs and what would become of the first.
    """

    model_config = ConfigDict(extra="forbid")

    action: str
    ids: list[str] = Field(default_factory=list, max_length=10_000)
    all: bool = False
    value: str = Field("", max_length=200)
    expect: int | None = Field(None, ge=0)
    dry_run: bool = False


class ActionResult(BaseModel):
    id: str
    name: str
    done: bool
    reason: str


class ActionPreview(BaseModel):
    """Of a dry run: how many jobs it would be tried on; in `sample` the first of them, `done` where they could take part."""

    dry_run: Literal[True] = True
    action: str
    count: int
    sample: list[ActionResult]


class EstimateAnswer(BaseModel):
    """Core-hours, seconds and MiB, from `jobs` finished ones."""

    jobs: int
    core_hours: float
    wall_s: float
    longest_s: float
    memory_mb: int
    suggested_walltime: str
    suggested_memory_mb: int


class StudyTable(BaseModel):
    """A quantity over a parameter, as differences to its last value, and from which value on they stay within `tolerance`."""

    parameter: str
    of: str
    unit: str
    values: list[str]
    differences: list[float]
    tolerance: float
    reached: str | None


class ComparisonTable(BaseModel):
    """Values of what differs, in the order of `jobs`. Hartree, eV, Å³; relative energies to the lowest one of the same formula."""

    jobs: list[str]
    differing: dict[str, list[str]]
    energies: list[float | None]
    per_atom: list[float | None]
    relative: list[float | None]
    relative_per_atom: bool
    formulas: list[str]
    per_formula: list[float | None]
    gaps: list[float | None]
    volumes: list[float | None]
    study: StudyTable | None = None


class PauseRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cluster: str = ""
    reason: str = ""


class RenderRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, Any] = Field(default_factory=dict)


class TemplateSummary(BaseModel):
    id: str
    title: str
    description: str
    category: str
    tags: list[str]
    version: str
    revision: str
    author: str = ""
    """Who of the group wrote it in the browser; empty for a template of the installation."""
    reviewed_by: str = ""
    """The maintainer who looked through this revision; empty: nobody yet."""


class Review(BaseModel):
    """`revision` is the one that was read; another one is answered with 409."""

    model_config = ConfigDict(extra="forbid")

    revision: str
    reviewed: bool = True


class Rendered(BaseModel):
    """Decks by file name, and the parameters as they were understood, defaults included."""

    template: str
    revision: str
    parameters: dict[str, Any]
    decks: dict[str, str]


class DeckText(BaseModel):
    """A deck to check; `files` are the names of those that will lie beside it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=1_000_000)
    role: Literal["d12", "d3"] | None = None
    files: list[str] | None = None


class DeckFinding(BaseModel):
    line: int
    severity: Literal["error", "warning", "note"]
    keyword: str
    message: str
    remedy: str


class StoredReference(BaseModel):
    """How a file parameter names an uploaded file."""

    reference: str


class BasisText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    text: str = Field(max_length=1_000_000)
    source: str


class BasisVersion(BaseModel):
    name: str
    version: int
    elements: list[str]
    source: str
    author: str
    created_at: datetime


class TemplateTexts(BaseModel):
    """A template's files by name. With `expected_version` it is refused where somebody saved a newer one meanwhile."""

    model_config = ConfigDict(extra="forbid")

    files: dict[str, str] = Field(max_length=8)
    comment: str = ""
    expected_version: int | None = None


class TemplateVersion(BaseModel):
    id: str
    version: int


class TextbookEntry(BaseModel):
    id: str
    label: str
    parameters: dict[str, Any]


class StructureRead(BaseModel):
    """What a file holds: kind, group within `tolerance` (Å), and the structure's parameters of a template."""

    format: str
    kind: str
    group: int
    symbol: str
    tolerance: float
    atoms_in_file: int
    atoms_in_primitive_cell: int
    notes: list[str]
    parameters: dict[str, Any]


class JobSummary(BaseModel):
    id: str
    name: str
    owner: str
    cluster: str
    template: str
    state: str
    reason: str
    attention: str
    priority: str
    progress: dict[str, Any]
    energy_total: float | None
    preview: bool
    batch: str | None
    tags: list[str]
    archived: bool
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class SchedulerFacts(BaseModel):
    """The raw words of the cluster."""

    id: str
    directory: str
    queue_state: str
    queue_reason: str
    accounting_state: str
    marker: str
    exit_code: int | None
    signal: int | None
    nodes: str
    last_seen: datetime | None
    expected_start: datetime | None
    wall_s: int
    cpu_s: int
    memory_mb: int


class EventEntry(BaseModel):
    at: datetime
    from_state: str
    to_state: str
    message: str
    actor: str


class FileEntry(BaseModel):
    name: str
    size: int
    sha256: str
    role: str


class AttachmentEntry(BaseModel):
    """A file that the job took along: its name there, and the reference by which it was named."""

    field: str
    name: str
    sha256: str
    size: int
    source: str


class JobDetail(JobSummary):
    parent: str | None
    parameters: dict[str, Any]
    template_revision: str
    resources: dict[str, Any]
    decks: dict[str, str]
    script: str
    scheduler: SchedulerFacts | None
    results: dict[str, Any] | None
    outputs: dict[str, dict[str, Any]]
    events: list[EventEntry]
    files: list[FileEntry]
    attached: list[AttachmentEntry]
    place: float
    not_before: datetime | None


class JobPage(BaseModel):
    jobs: list[JobSummary]
    cursor: str


def summary(row: JobRow) -> JobSummary:
    job = row.job
    return JobSummary(
        **job.model_dump(include=_SAME), owner=row.owner, cluster=row.cluster, template=job.template_id,
        priority=str(priority_of(job)), energy_total=row.energy_total, preview=row.preview,
        batch=job.batch_id, tags=list(row.tags),
    )  # fmt: skip


_SAME = {
    "archived",
    "id",
    "name",
    "state",
    "reason",
    "attention",
    "progress",
    "created_at",
    "updated_at",
    "started_at",
    "ended_at",
}


def detail(view: JobView) -> JobDetail:
    job, remote = view.job, view.remote
    return JobDetail(
        **summary(view.row).model_dump() | {"tags": view.tags},
        parent=job.parent_id,
        parameters=job.parameters,
        template_revision=job.template_revision,
        resources=job.resources,
        decks=job.decks,
        script=job.script,
        scheduler=SchedulerFacts(id=remote.scheduler_id, **remote.model_dump(exclude={"scheduler_id"}))
        if remote
        else None,
        results=view.main_result or None,
        outputs={result.output: result.results for result in view.results},
        events=[EventEntry(**event.model_dump()) for event in view.events],
        files=[FileEntry(**file.model_dump()) for file in view.files],
        place=job.place,
        not_before=job.not_before,
        attached=[AttachmentEntry(**row.model_dump()) for row in view.attached],
    )


def study_table(study: Study) -> StudyTable:
    return StudyTable(
        parameter=study.key, of=study.name, unit=study.quantity.unit, values=study.values, differences=study.differences,
        tolerance=study.tolerance, reached=study.reached or None,
    )  # fmt: skip


def comparison_table(found: Comparison) -> ComparisonTable:
    return ComparisonTable(
        jobs=[row.job.id for row in found.rows], differing=dict(found.differing), energies=found.energies,
        per_atom=found.per_atom, relative=found.relative, relative_per_atom=found.relative_per_atom,
        formulas=found.formulas, per_formula=found.per_formula, gaps=found.gaps, volumes=found.volumes,
        study=study_table(found.study) if found.study else None,
    )  # fmt: skip
