"""Batches, sweeps and actions on many jobs, with real processes: what is right is computed, and a restart changes nothing."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from app.db.repositories import batches as rows
from app.db.tables import Batch, BatchItem, Job
from app.domain.jobs import JobFilter
from app.domain.people.permissions import Actor, Role
from app.domain.resources import Partition
from app.errors import Conflict, InvalidInput, NotAllowed, NotFound
from app.services.batches import drafts as batches
from app.services.batches import rows as batch_rows
from app.services.batches import sweeps as batch_sweeps
from app.services.batches import views as batch_views
from app.services.batches import work as batch_work
from app.services.batches.views import BatchView
from app.services.clusters.registry import keep_partitions
from app.services.context import Context
from app.services.jobs import actions, archives, queue
from app.services.jobs import views as jobs
from app.services.jobs.actions import Selection
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.estimates import advise
from app.services.results.comparison import compare
from tests.support.app import make_actor
from tests.support.service import TERMINAL, mgo
from tests.support.structures import rock_salt
from tests.support.waiting import until

TITLE = "replay mgo-scf/main.out seconds=0.1"
MGO = rock_salt("Mg", "O", 4.21)


async def draft(context: Context, actor: Actor, **parameters: Any) -> Batch:
    """A batch of MgO, with nothing in it yet."""
    template = context.templates.get("scf")
    form = batches.common_form(template, mgo(TITLE, **parameters), {}) | {"cluster": "here", "priority": "normal"}
    return await batches.begin(context, actor, "scf", form, "study")


async def checked(context: Context, actor: Actor, batch: Batch) -> BatchView:
    """The batch once every row was looked at."""

    async def look() -> BatchView | None:
        view = await batch_views.view(context, actor, batch.id, limit=1000)
        return view if not view.batch.busy else None

    found: BatchView = await until(look, "the check")
    return found


async def over(context: Context, actor: Actor, batch: Batch) -> BatchView:
    async def look() -> BatchView | None:
        view = await batch_views.view(context, actor, batch.id, limit=1000)
        return view if view.batch.state == "made" and not view.batch.busy and view.ended == len(view.strip) else None

    found: BatchView = await until(look, "the end of the batch")
    return found


async def test_rows_of_a_table_become_jobs_and_a_wrong_one_stops_none(start: Callable[..., Any]) -> None:
    async with start() as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        batch = await draft(context, ada)
        table = "name;Shrinking factor;walltime;a\nsmall;2;00:10:00;4.2\nodd;x;;4.2\nbig;4;00:20:00;4.3\nlike-small;2;;4.2\n"
        with pytest.raises(InvalidInput, match="Unknown column 'colour'"):
            await batch_rows.add_table(context, ada, batch.id, "name;colour\na;red\n")
        with pytest.raises(InvalidInput, match="has no rows"):
            await batch_rows.add_table(context, ada, batch.id, "name;a\n")
        with pytest.raises(InvalidInput, match="Line 2 of the table has 3 cells"):
            await batch_rows.add_table(context, ada, batch.id, "name;a\nb;1;2\n")
        assert await batch_rows.add_table(context, ada, batch.id, table.replace("Shrinking factor", "shrink")) == 4
        await batches.change(context, ada, batch.id, form=batch.form | {"p_gilat": ""})
        view = await checked(context, ada, batch)
        states = {row.item.position: (row.item.state, row.item.message) for row in view.rows}
        assert [states[n][0] for n in (1, 2, 3, 4)] == ["ready", "wrong", "ready", "known"]
        assert "shrink" in states[2][1] and states[4][1] == "Identical to row 1 of this batch."
        await batches.submit(context, ada, batch.id)
        with pytest.raises(Conflict, match="study is"):
            await batches.submit(context, ada, batch.id)
        view = await over(context, ada, batch)
        assert view.counts == {"made": 2, "wrong": 1, "reused": 1}
        made = {row.item.position: row for row in view.rows}
        assert made[1].job is not None and made[4].item.job_id == made[1].job.id
        assert made[3].job is not None
        assert (await jobs.get(context, ada, made[3].job.id)).job.resources["walltime_s"] == 1200
        assert [made[n].job.name for n in (1, 3)] == ["small", "big"]  # type: ignore[union-attr]
        assert all(row.energy_total == -271.1234567891 for n, row in made.items() if n in (1, 3, 4))
        # One line stands for the batch where nobody looks for a job, and all of them where somebody does.
        lines = await jobs.listing(context, ada, JobFilter(grouped=True))
        assert [(row.batch, dict(row.tally)) for row in lines] == [("study", {"completed": 2})]
        assert len(await jobs.listing(context, ada, JobFilter(batch=batch.id))) == 2
        # Later, somebody else asks for the same.
        bob = await make_actor(context, "bob", Role.MEMBER)
        second = await draft(context, bob, gilat="")
        await batch_rows.add_rows(
            context, bob, second.id, [{"shrink": 2, "a": 4.2}, {"shrink": 2, "a": 4.2, "title": "other"}]
        )
        view = await checked(context, bob, second)
        assert [row.item.state for row in view.rows] == ["known", "known"]
        assert view.rows[0].item.message.startswith("Already computed by ada on here, ")
        await batch_rows.change_item(context, bob, second.id, 2, {"shrink": 2, "a": 4.2}, anyway=True)
        with pytest.raises(NotAllowed):
            await batches.submit(context, Actor(99, "eve", Role.MEMBER), second.id)
        await batches.submit(context, bob, second.id)
        view = await over(context, bob, second)
        assert [row.item.state for row in view.rows] == ["reused", "made"]
        assert view.rows[0].item.job_id == made[1].job.id
        advice = await advise(context, bob, "scf", "here", 2, 1)
        assert advice is not None and advice.estimate.jobs == 3 and advice.walltime == "00:10:00"
        assert "3 similar finished jobs" in advice.words


async def test_structures_are_read_and_what_cannot_be_read_is_told(start: Callable[..., Any]) -> None:
    async with start() as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        batch = await draft(context, ada)
        with pytest.raises(InvalidInput, match="No file"):
            await batch_rows.add_structures(context, ada, batch.id, [])
        larger = rock_salt("Mg", "O", 4.3)
        files = [("MgO.cif", MGO), ("larger.cif", larger), ("noise.cif", b"\x00\x01 noise")]
        await batch_rows.add_structures(context, ada, batch.id, files)
        view = await checked(context, ada, batch)
        assert [row.item.state for row in view.rows] == ["ready", "ready", "wrong"]
        assert [row.item.name for row in view.rows[:2]] == ["MgO-scf", "larger-scf"]
        assert "cannot be read" in view.rows[2].item.message
        item, made = await batch_work.decks_of(context, ada, view.batch, 2)
        assert not isinstance(made, str) and made.atoms == 2
        assert made.rendering.decks["scf.d12"].splitlines()[1:5] == ["CRYSTAL", "0 0 0", "225", "4.3"]
        await batches.change(context, ada, batch.id, naming="{batch}-{n}-{nonsense}")
        view = await checked(context, ada, batch)
        assert view.rows[0].item.state == "wrong" and "names nonsense" in view.rows[0].item.message
        await batches.change(context, ada, batch.id, naming="{batch}-{n}", name="set one")
        assert [row.item.name for row in (await checked(context, ada, batch)).rows[:2]] == [
            "set-one-001",
            "set-one-002",
        ]
        await batch_rows.change_item(
            context, ada, batch.id, 1, batch_rows.read_lines(batch_rows.own_lines(item) + "\nshrink = 4")
        )
        _, made = await batch_work.decks_of(context, ada, batch, 1)
        assert isinstance(made, str) and "gilat" in made
        with pytest.raises(InvalidInput, match="has no '='"):
            batch_rows.read_lines("shrink 4")
        await batch_rows.remove_item(context, ada, batch.id, 3)
        with pytest.raises(NotFound):
            await batch_rows.remove_item(context, ada, batch.id, 3)
        await batches.discard(context, ada, batch.id)
        assert await batch_views.listing(context, ada) == []


async def test_a_sweep_stops_by_itself_once_it_has_converged(start: Callable[..., Any]) -> None:
    async with start(max_jobs=1) as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        batch = await draft(context, ada, gilat="")
        for axes, words in (
            ([("title", "a, b")], "cannot be varied"),
            ([("shrink", "2, y")], "does not accept y"),
            ([("shrink", "2, 4"), ("shrink", "2, 4")], "only one axis"),
        ):
            with pytest.raises(InvalidInput, match=words):
                await batch_sweeps.set_sweep(context, ada, batch.id, axes)
        with pytest.raises(InvalidInput, match="only with one axis"):
            await batch_sweeps.set_sweep(
                context, ada, batch.id, [("shrink", "2, 4"), ("a", "4.1, 4.2")], tolerance=1e-4, stop=True
            )
        count = await batch_sweeps.set_sweep(
            context, ada, batch.id, [("shrink", "2..24 step 2")], tolerance=1e-4, stop=True
        )
        assert count == 12
        view = await checked(context, ada, batch)
        assert view.corners == [1, 12] and view.counts == {"ready": 12}
        await batches.submit(context, ada, batch.id)
        view = await over(context, ada, batch)
        ended = Counter(cell.state for cell in view.strip)
        # The stored output tells the same energy each time: the third point settles it.
        assert ended["completed"] >= 3 and ended["cancelled"] >= 5
        assert [cell.state for cell in view.strip[:3]] == ["completed"] * 3
        assert "The sweep has converged" in view.batch.remark
        assert view.reached == "Converged within 0.0001 Ha from shrink = 2 on."
        assert view.chart is not None and view.chart.band is not None and view.chart.x_label == "shrink"


async def test_a_restart_in_the_middle_of_a_batch_changes_nothing(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_work, "MADE", 20)
    async with start() as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        await queue.pause(context, ada)
        batch = await draft(context, ada)
        await batch_rows.add_rows(context, ada, batch.id, [{"a": 4.0 + index / 100} for index in range(90)])
        await until(lambda: _positions(context, batch, "ready"), "some checks")
        await batches.submit(context, ada, batch.id)
        await until(lambda: _positions(context, batch, "made"), "some jobs")
    async with start() as app:
        context = app.state.context
        view = await checked(context, ada, batch)
        assert view.counts == {"made": 90} and view.batch.state == "made"
        async with context.database.read() as session:
            found = (await session.exec(select(Job).where(Job.batch_id == batch.id))).all()
        assert len(found) == 90 == len({job.digest for job in found})
        assert sum(job.batch_head for job in found) == 1
        outcomes = await actions.act(context, ada, "cancel", Selection(matching=JobFilter(batch=batch.id)))
        assert len(outcomes) == 90 and all(entry.done for entry in outcomes)


async def _positions(context: Context, batch: Batch, state: str) -> int:
    async with context.database.read() as session:
        return (await rows.counts(session, batch.id)).get(state, 0)


async def test_actions_on_many_jobs_answer_for_each_and_go_on_after_a_restart(start: Callable[..., Any]) -> None:
    async with start() as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        await queue.pause(context, ada)
        request = JobRequest("scf", mgo(TITLE), "here", {}, "many")
        ids = [job.id for job in await create_jobs(context, ada, [request] * 700)]
        batch = await actions.begin(context, ada, "first", Selection((*ids, "nobody")))
        assert await actions.advance(context, batch.id)
    async with start() as app:
        context = app.state.context
        await until(lambda: _finished(context, batch), "the rest of the action")
        outcomes = await actions.outcomes(context, ada, batch.id)
        assert sum(entry.done for entry in outcomes) == 700
        assert [(entry.id, entry.reason) for entry in outcomes if not entry.done] == [
            ("nobody", "There is no such job.")
        ]
        async with context.database.read() as session:
            found = {job.id: job.place for job in (await session.exec(select(Job))).all()}
            notes = Counter((await session.exec(select(BatchItem.state).where(BatchItem.batch_id == batch.id))).all())
        assert notes == {"done": 700, "left": 1}
        # Their order among each other stayed, over two chunks and a restart.
        in_order = sorted(ids, key=lambda job_id: (found[job_id], job_id))
        before = [entry.id for entry in outcomes if entry.done]
        assert in_order == before


async def _finished(context: Context, batch: Batch) -> bool:
    async with context.database.read() as session:
        row = await rows.get(session, batch.id)
    return row is not None and row.state == "done"


async def test_what_else_can_be_done_to_jobs(start: Callable[..., Any]) -> None:
    async with start() as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        await queue.pause(context, ada)
        one = JobRequest("scf", mgo(TITLE), "here", {}, "one")
        [first] = await create_jobs(context, ada, [one])
        [prepared] = await create_jobs(
            context, ada, [JobRequest(**{**vars(one), "draft": True, "parameters": mgo(TITLE, a=4.3)})]
        )
        assert prepared.state == "draft"
        both = Selection((first.id, prepared.id))

        async def act(action: str, value: str = "", whose: Actor = ada) -> list[str]:
            return [entry.reason for entry in await actions.act(context, whose, action, both, value)]

        assert await act("submit") == ["It is queued: it was already submitted.", ""]
        assert await act("tag", "thesis") == ["", ""] and await act("tag", "thesis") == ["", ""]
        assert [row.tags for row in await jobs.listing(context, ada, JobFilter(tag="thesis"))] == [("thesis",)] * 2
        assert (await jobs.get(context, ada, first.id)).tags == ["thesis"]
        assert await act("untag", "thesis") == ["", ""] and not await jobs.listing(
            context, ada, JobFilter(tag="thesis")
        )
        assert "only ended jobs" in (await act("archive"))[0]
        assert "has not ended" in (await act("rerun"))[0]
        for action, value, words in (
            ("move", "nowhere", "no cluster"), ("tag", "two words", "cannot be a tag"), ("paint", "", "no action"),
            ("priority", "huge", "no priority"), ("start", "soon", "is not a valid time"),
        ):  # fmt: skip
            with pytest.raises(InvalidInput, match=words):
                await act(action, value)
        bob = await make_actor(context, "bob", Role.MEMBER)
        assert await act("hold", whose=bob) == ["It belongs to another user."] * 2
        await keep_partitions(context, "here", [Partition("fast", walltime_s=600)])
        assert "time limit (fast)" in (await act("move", "here:fast"))[0]
        with pytest.raises(
            InvalidInput, match="The partition fast of here does not take this job: walltime must be at most"
        ):
            await create_jobs(context, ada, [JobRequest(**{**vars(one), "resources": {"partition": "fast"}})])
        await keep_partitions(context, "here", [Partition("fast", walltime_s=7200)])
        assert await act("move", "here:fast") == ["", ""]
        assert (await jobs.get(context, ada, first.id)).job.resources["partition"] == "fast"
        await queue.resume(context, ada)
        for job_id in both.ids:
            await until(lambda job_id=job_id: _ended(context, ada, job_id), "the end")  # type: ignore[misc]
        again = await act("rerun", whose=bob)
        assert all(reason.startswith("New job ") for reason in again)
        copy = await jobs.get(context, bob, again[0].removeprefix("New job ").rstrip("."))
        assert (copy.job.parent_id, copy.job.owner_id) == (first.id, bob.user_id)
        assert copy.job.decks == (await jobs.get(context, ada, first.id)).job.decks
        assert await act("archive") == ["", ""]
        assert {row.job.id for row in await jobs.listing(context, ada, JobFilter(archived=True))} == set(both.ids)
        assert await act("unarchive") == ["", ""]
        found = await compare(context, ada, both.ids)
        assert [key for key, _ in found.differing] == ["a"] and found.relative == [0.0, 0.0]
        with pytest.raises(InvalidInput, match="at least two"):
            await compare(context, ada, [first.id, first.id])
        data = b"".join(archives.zipped(await archives.members(context, ada, both)))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            names = set(archive.namelist())
            text = archive.read(f"one-{first.id}/scf.d12").decode()
        assert {f"one-{job_id}/scf.out" for job_id in both.ids} <= names and text == first.decks["scf.d12"]
        with pytest.raises(InvalidInput, match="0 jobs"):
            await archives.members(context, ada, Selection(("nobody",)))


async def _ended(context: Context, actor: Actor, job_id: str) -> bool:
    return (await jobs.get(context, actor, job_id)).job.state in TERMINAL
