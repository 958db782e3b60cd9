"""What the page of one job shows, gathered: the whole of it, what a change of the job touches, or how far the job is.

The page fetches no more than what an event touched, and each gathering costs a constant number of statements: decks, scripts and
parameters are read for the whole page only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.db.tables import Job
from app.domain.people.permissions import Actor
from app.domain.resources import Resources
from app.domain.states import Priority
from app.services.context import Context
from app.services.jobs import queue, views
from app.services.jobs.views import JobView
from app.services.results import curves, remedies
from app.services.results.curves import Course
from app.services.results.remedies import Remedies


@dataclass(frozen=True)
class JobPage:
    """A job, and what is worked out of it for people."""

    view: JobView
    tail: str
    """The last lines of its main output, as far as they are here."""
    course: Course | None
    waiting: list[str] = field(default_factory=list)
    """Why it has not begun, in sentences."""
    remedies: Remedies = field(default_factory=Remedies)

    @property
    def job(self) -> Job:
        """The row itself."""
        return self.view.job

    @property
    def output(self) -> str:
        """Name of the main output."""
        return self.job.outputs[0]

    @property
    def resources(self) -> Resources:
        """What the job asked for."""
        return views.resources_of(self.job)

    @property
    def priority(self) -> Priority:
        """Its priority as a word."""
        return views.priority_of(self.job)


async def whole_page(context: Context, actor: Actor, job_id: str) -> JobPage:
    """All of the page.

    Raises:
        NotFound: no such job.
    """
    return await _with_words(context, actor, await views.get(context, actor, job_id))


async def changed_parts(context: Context, actor: Actor, job_id: str) -> JobPage:
    """The parts that a change of the job touches.

    Raises:
        NotFound: no such job.
    """
    return await _with_words(context, actor, await views.get_changing(context, actor, job_id))


async def progress_parts(context: Context, actor: Actor, job_id: str) -> JobPage:
    """The parts that show how far a running job is: its view has no history, files or results.

    Raises:
        NotFound: no such job.
    """
    view = await views.get_progress(context, actor, job_id)
    return JobPage(view, views.output_tail(context, view.job), await curves.course(context, view.job))


async def _with_words(context: Context, actor: Actor, view: JobView) -> JobPage:
    job = view.job
    return JobPage(
        view,
        views.output_tail(context, job),
        await curves.course(context, job),
        await queue.explain(context, actor, job, view.remote),
        remedies.shown(context, job, view.results, view.files),
    )
