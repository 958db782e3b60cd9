"""Shapes of REST requests and answers about batches. Times are ISO 8601 in UTC, energies hartree."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.services.batches import creation as batch_creation
from app.services.batches.views import BatchView
from app.workers.pauses import with_pauses


class AxisText(BaseModel):
    """A parameter and its values: a list `4, 6, 8`, `4..12 step 2`, `5..6 count 5` or `1e-4..1e-8 log 5`."""

    model_config = ConfigDict(extra="forbid")

    key: str
    values: str


class SweepRequest(BaseModel):
    """Axes as a grid or zipped. `tolerance` (hartree per cell) tells where it has converged; `stop` cancels the rest then."""

    model_config = ConfigDict(extra="forbid")

    axes: list[AxisText]
    how: Literal["grid", "zip"] = "grid"
    tolerance: float = Field(0.0, ge=0)
    stop: bool = False


class BatchRowRequest(BaseModel):
    """What one job has of its own."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    resources: dict[str, Any] = Field(default_factory=dict)
    cluster: str = ""
    priority: str = ""

    def given(self) -> dict[str, Any]:
        """The row as a table would give it: parameters, `name`, `cluster`, `priority`, `resources.<key>`."""
        own = {"name": self.name, "cluster": self.cluster, "priority": self.priority}
        return self.parameters | own | {f"resources.{key}": value for key, value in self.resources.items()}


class NewBatch(BaseModel):
    """Many jobs of one template: common parameters, and rows or a sweep. With `submit` false it stays a draft."""

    model_config = ConfigDict(extra="forbid")

    template: str
    cluster: str
    name: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    resources: dict[str, Any] = Field(default_factory=dict)
    priority: str = "normal"
    naming: str = ""
    reuse: bool = True
    rows: list[BatchRowRequest] = Field(default_factory=list, max_length=1000)
    sweep: SweepRequest | None = None
    submit: bool = True
    expect: int | None = Field(None, ge=0, description="How many rows there should be; otherwise nothing is created.")
    dry_run: bool = Field(False, description="Only report how many rows it would be, with the first of them.")

    def request(self) -> batch_creation.BatchRequest:
        """The batch that the services are asked for."""
        given = self.model_dump(exclude={"rows", "sweep", "dry_run"})
        sweep = self.sweep
        return batch_creation.BatchRequest(
            **given, rows=[row.given() for row in self.rows],
            sweep=batch_creation.SweepRequest(
                [(axis.key, axis.values) for axis in sweep.axes], sweep.how, sweep.tolerance, sweep.stop
            ) if sweep is not None else None,
        )  # fmt: skip


class BatchPreviewAnswer(BaseModel):
    """Of a dry run: how many jobs it would be; in `sample` what the first of them have of their own."""

    dry_run: Literal[True] = True
    count: int
    sample: list[dict[str, Any]]


class BatchEntry(BaseModel):
    """One batch in a list."""

    id: str
    name: str
    owner: str
    template: str
    state: str
    jobs: dict[str, int]
    created_at: datetime


class BatchRow(BaseModel):
    """One row. `state`: new, ready, known, wrong, made, reused; then the job's id, state and energy in hartree."""

    position: int
    name: str
    given: dict[str, Any]
    point: dict[str, Any]
    state: str
    message: str
    job: str | None
    job_state: str | None
    energy_total: float | None


class BatchDetail(BaseModel):
    """A batch. `core_hours` is told for the `estimated` rows that are ready; `reached` says where a sweep has converged."""

    id: str
    name: str
    owner: str
    template: str
    state: str
    busy: bool
    remark: str
    reached: str
    core_hours: float
    estimated: int
    rows: list[BatchRow]


async def batch_detail(view: BatchView) -> BatchDetail:
    """A batch as its route answers."""
    batch = view.batch
    return BatchDetail(
        **batch.model_dump(include={"id", "name", "state", "busy", "remark"}), owner=view.owner, template=batch.template_id,
        reached=view.reached, core_hours=view.core_hours, estimated=view.estimated,
        rows=[
            BatchRow(
                **row.item.model_dump(include={"position", "name", "given", "point", "state", "message"}), job=row.item.job_id,
                job_state=row.job.state if row.job else None, energy_total=row.energy_total,
            )
            async for row in with_pauses(view.rows)
        ],
    )  # fmt: skip


class EstimateAnswer(BaseModel):
    """Core-hours, seconds and MiB, from `jobs` finished ones."""

    jobs: int
    core_hours: float
    wall_s: float
    longest_s: float
    memory_mb: int
    suggested_walltime: str
    suggested_memory_mb: int
