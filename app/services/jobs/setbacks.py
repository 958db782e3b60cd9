"""What failed for a reason that nobody foresaw says so where people look; a person takes up again what was set aside."""

from __future__ import annotations

from app.db.repositories import batches, clusters, workflows
from app.db.tables import Batch, now
from app.domain.batches import UNFINISHED
from app.domain.people.permissions import Actor, require
from app.domain.workflows.states import RunState
from app.errors import Conflict, NotFound
from app.events.model import Topic
from app.events.outbox import announce
from app.services.clusters.access import note_problem
from app.services.context import Context
from app.services.transitions.runs import move_run

TRYING = "Trying again: "
ASIDE = "Set aside after several failures: "


def is_set_aside(batch: Batch) -> bool:
    """True for a batch or an action that has work left, and on which nobody works."""
    return not batch.busy and batch.state in UNFINISHED


async def tell_batch(context: Context, batch_id: str, reason: str, final: bool) -> None:
    """Show on a batch or an action why it does not go on; without a reason it does again."""
    async with context.database.write() as session:
        batch = await batches.get(session, batch_id)
        if batch is None:
            return
        if reason:
            batch.remark = f"{ASIDE if final else TRYING}{reason}"
            batch.busy = batch.busy and not final
        elif batch.remark.startswith((TRYING, ASIDE)):
            batch.remark = ""
        session.add(batch)
        announce(session, Topic.BATCH, batch.id)


async def tell_run(context: Context, run_id: str, reason: str, final: bool) -> None:
    """Show on a run why it does not go on. One that is set aside is paused: whoever resumes it tries again."""
    async with context.database.write() as session:
        run = await workflows.run(session, run_id)
        if run is None:
            return
        if reason:
            run.remark = f"{ASIDE if final else TRYING}{reason}"
            run.busy = run.busy and not final
        elif run.remark.startswith((TRYING, ASIDE)):
            run.remark = ""
        if final and run.state == RunState.RUNNING:
            await move_run(session, run, RunState.PAUSED, run.remark)
        else:
            run.updated_at = now()
            session.add(run)
            announce(session, Topic.WORKFLOW, run.id, state=run.state)


async def tell_cluster(context: Context, cluster_id: int, reason: str) -> None:
    """Show on a cluster why nothing is submitted or looked at there."""
    async with context.database.read() as session:
        cluster = await clusters.by_id(session, cluster_id)
    if cluster is not None:
        await note_problem(context, cluster.name, reason)


async def take_up(context: Context, actor: Actor, batch_id: str) -> Batch:
    """Go on with a batch or an action that was set aside.

    Raises:
        NotFound, NotAllowed. Conflict: it was not set aside.
    """
    async with context.database.write() as session:
        batch = await batches.get(session, batch_id)
        if batch is None:
            raise NotFound(f"There is no batch or action {batch_id[:40]!r}.", hint="See the list of batches.")
        require(actor, "job.change", batch.owner_id)
        if not is_set_aside(batch):
            raise Conflict(f"{batch.name} was not set aside.", hint="Reload its page.")
        batch.busy, batch.remark, batch.updated_at = True, "", now()
        session.add(batch)
        announce(session, Topic.BATCH, batch.id)
    return batch
