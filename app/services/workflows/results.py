"""What a run shows for its results beside numbers: bands and densities of states of the steps that computed some."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.drawing.bands import BandChart
from app.domain.people.permissions import Actor, require
from app.domain.workflows.states import TaskState
from app.services.context import Context
from app.services.results import electronic
from app.services.workflows.views import RunView

MOST = 4
"""Pictures on one page."""


@dataclass(frozen=True)
class Figure:
    """A picture of a job's results: which step and job, in words, and what is drawn."""

    step: str
    job_id: str
    words: str
    bands: BandChart


async def figures(context: Context, actor: Actor, view: RunView) -> list[Figure]:
    """Band structures of the run's completed jobs, the first few."""
    require(actor, "job.read")
    completed = [
        task.job for step in view.steps for task in step.tasks if task.job and task.task.state == TaskState.COMPLETED
    ]
    sources = await electronic.sources_of(context, completed) if completed else {}
    drawn_figures: list[Figure] = []
    for step in view.steps:
        for task in step.tasks:
            if task.job is None or task.job.id not in sources or len(drawn_figures) >= MOST:
                continue
            drawn = await electronic.shown(context, actor.user_id, sources[task.job.id])
            chart = await electronic.chart(context, actor.user_id, drawn) if drawn is not None else None
            if drawn is not None and chart is not None:
                name = step.spec.heading if len(step.tasks) == 1 else f"{step.spec.heading} {task.task.number + 1}"
                drawn_figures.append(Figure(name, task.job.id, drawn.words, chart))
    return drawn_figures
