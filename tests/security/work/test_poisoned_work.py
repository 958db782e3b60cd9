"""One thing that fails fails alone, says why, and is not tried for ever: jobs, rows, tasks, outputs, clusters, ticks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from sqlalchemy import update
from sqlmodel import col, select

from app.background import scheduler
from app.background.scheduler import Background
from app.db.repositories import batches as batch_rows
from app.db.repositories import workflows as workflow_rows
from app.db.tables import Batch, BatchItem, Cluster, Job, JobResult, RemoteJob, WorkflowRun
from app.domain.people.permissions import Actor, Role
from app.domain.setbacks import FIRST, LONGEST, SET_ASIDE, Setbacks
from app.domain.workflows.definition import read_workflow
from app.errors import InvalidInput
from app.runners.base import BaseRunner
from app.services.batches import drafts as batches
from app.services.batches import rows as draft_rows
from app.services.batches import work as batch_work
from app.services.clusters import changes as cluster_changes
from app.services.context import Context
from app.services.jobs import actions, queue, setbacks
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.selections import Selection
from app.services.jobs.views import get
from app.services.running import reading as results
from app.services.running import rereading
from app.services.running.submission import Dispatcher
from app.services.workflows import actions as workflow_actions
from app.services.workflows import jobs as workflow_jobs
from app.services.workflows import orchestrator
from app.services.workflows import starts as workflow_starts
from app.settings import ClusterSettings
from tests.support import databases
from tests.support.app import make_actor, make_app, make_client, running, settings_for
from tests.support.service import mgo
from tests.support.waiting import until
from tests.support.world import workflow

PROGRAM = "#!/bin/sh\ncat > /dev/null\necho ' EEEEEEEEEE TERMINATION  DATE 01 01 2026 TIME 00:00:00.0'\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a service lives whose program prints one line."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "replay"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return tmp_path


@pytest.fixture
async def quiet(folder: Path, database_url: str) -> AsyncIterator[Context]:
    """The services without their background: each step is taken by the test itself."""
    settings = settings_for(folder, data=folder / "deck", database_url=database_url)
    databases.prepare(settings)
    app = make_app(settings)
    context: Context = app.state.context
    await cluster_changes.sync_configuration(context)
    try:
        yield context
    finally:
        await context.workers.close()
        await context.pool.close()
        await context.database.close()


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[FastAPI]:
    async with running(settings_for(folder, data=folder / "deck")) as app:
        yield app


async def three_jobs(context: Context, actor: Actor) -> list[str]:
    requests = [JobRequest("scf", mgo(f"job {n}", a=4.2 + n / 100), "here", {}, f"n{n}") for n in range(3)]
    return [job.id for job in await create_jobs(context, actor, requests)]


async def change(context: Context, job_id: str, **values: Any) -> None:
    """What no route writes: an older release did, or somebody at the database."""
    async with context.database.write() as session:
        await session.exec(update(Job).where(col(Job.id) == job_id).values(**values))


async def are_in(context: Context, states: tuple[str, ...], *job_ids: str) -> bool:
    found = [(await _row(context, job_id)).state for job_id in job_ids]
    return all(state in states for state in found)


async def are_over(context: Context, *job_ids: str) -> bool:
    return await are_in(context, ("completed", "failed"), *job_ids)


# -- actions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "value"),
    [("move", "here:bad part!"), ("move", "here:-x"), ("move", "here:" + "p" * 99), ("move", "he re"), ("move", "here\0"),
     ("start", "0001-01-01T00:00+14:00"), ("start", "9999-12-31T23:59-23:00"), ("start", "soon"), ("tag", "two words"),
     ("tag", ""), ("priority", "now"), ("explode", "")],
)  # fmt: skip
async def test_a_value_is_judged_when_the_action_begins(quiet: Context, action: str, value: str) -> None:
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    with pytest.raises(InvalidInput):
        await actions.begin(quiet, ada, action, Selection(tuple(ids)), value)
    async with quiet.database.read() as session:
        assert (await session.exec(select(Batch))).all() == []


async def test_one_poisoned_job_stops_none_of_the_others(quiet: Context, caplog: pytest.LogCaptureFixture) -> None:
    ada = await make_actor(quiet)
    first, poisoned, last = await three_jobs(quiet, ada)
    await change(quiet, poisoned, resources={"nodes": 0, "nonsense": True})
    done = await actions.act(quiet, ada, "move", Selection((first, poisoned, last)), "here:part")
    assert [entry.done for entry in done] == [True, False, True]
    assert "nonsense" in done[1].reason
    moved = [(await get(quiet, ada, job_id)).job.resources.get("partition") for job_id in (first, last)]
    assert moved == ["part", "part"]
    # What raises something that nobody foresaw is logged once, with its traceback.
    monkey = pytest.MonkeyPatch()

    async def apply(session: Any, actor: Actor, action: str, rows: list[Job], wanted: Any) -> dict[str, str]:
        await session.exec(update(Job), params=[{"id": job.id, "archived": True} for job in rows])
        if poisoned in [job.id for job in rows]:
            raise ZeroDivisionError("poison")
        return {}

    monkey.setattr(actions, "apply", apply)
    try:
        done = await actions.act(quiet, ada, "tag", Selection((first, poisoned, last)), "seen")
    finally:
        monkey.undo()
    assert [entry.done for entry in done] == [True, False, True]
    assert "ZeroDivisionError: poison" in done[1].reason
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
    archived = [(await get(quiet, ada, job_id)).job.archived for job_id in (first, poisoned, last)]
    assert archived == [True, False, True], "what the failing one had changed was undone"


async def test_an_action_of_an_earlier_release_with_a_bad_value_ends(quiet: Context) -> None:
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    batch = await actions.begin(quiet, ada, "move", Selection(tuple(ids)), "here")
    async with quiet.database.write() as session:
        await session.exec(update(Batch).where(col(Batch.id) == batch.id).values(value="dead:bad part!"))
    await batch_work.work(quiet, batch.id)
    found = await actions.outcomes(quiet, ada, batch.id)
    assert [(entry.done, "dead" in entry.reason) for entry in found] == [(False, True)] * 3
    assert batch.id not in await batch_work.busy(quiet)


# -- setbacks and ticks --------------------------------------------------------------------------------------------------


def test_what_fails_again_rests_ever_longer() -> None:
    found = Setbacks()
    moment, waits = 0.0, []
    for _ in range(12):
        setback = found.failed("x", moment, "why")
        waits.append(setback.wait)
        assert found.waits("x", moment + setback.wait - 0.01) and not found.waits("x", moment + setback.wait)
        moment += setback.wait
    assert waits[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST] and waits[-1] == LONGEST
    assert not found.waits("y", 0.0)
    assert found.over("x") and not found.over("x")
    assert found.failed("x", moment, "why").count == 1


async def test_a_tick_that_raises_is_logged_once_and_set_aside(
    quiet: Context, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    background = Background(quiet)
    runs, told = 0, []

    async def work() -> None:
        nonlocal runs
        runs += 1
        raise KeyError("poison")

    async def tell(reason: str, final: bool) -> None:
        told.append((reason, final))

    clock = 0.0
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(monotonic=lambda: clock))
    for _ in range(SET_ASIDE):
        clock += LONGEST
        background._spawn("x", work, tell=tell)
        await asyncio.gather(*background._tasks.values())
        await asyncio.sleep(0)
        for _ in range(5):
            background._spawn("x", work, tell=tell)
        await asyncio.gather(*background._tasks.values())
    assert runs == SET_ASIDE, "while it rests it is not tried"
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert [final for _, final in told] == [False] * (SET_ASIDE - 1) + [True]
    assert all("KeyError" in reason for reason, _ in told)


async def test_a_batch_that_was_set_aside_says_why_and_is_taken_up_again(app: FastAPI) -> None:
    context: Context = app.state.context
    client = await make_client(app)
    [ada] = [Actor(1, "ada", Role.ADMIN)]
    form = batches.common_form(context.templates.get("scf"), mgo(), {}) | {"cluster": "here"}
    batch = await batches.begin(context, ada, "scf", form, "poisoned")
    async with context.database.write() as session:
        row = await session.get(Batch, batch.id)
        assert row is not None
        # A sweep that is to stop by itself, without the tolerance that says when.
        row.state, row.busy, row.sweep = "making", True, {"stop": True}
        session.add(row)

    async def failing() -> bool:
        async with context.database.read() as session:
            found = await batch_rows.get(session, batch.id)
        return found is not None and "KeyError" in found.remark

    await until(failing)
    await setbacks.tell_batch(context, batch.id, "A fault of CrystalDeck (KeyError).", True)
    shown = (await client.get(f"/api/v1/batches/{batch.id}")).json()
    assert (shown["busy"], shown["state"]) == (False, "making")
    assert shown["remark"].startswith("Set aside after several failures") and "KeyError" in shown["remark"]
    assert "Try again" in (await client.get(f"/batches/{batch.id}")).text
    async with context.database.write() as session:
        await session.exec(update(Batch).where(col(Batch.id) == batch.id).values(sweep={}))
    assert (await client.post(f"/api/v1/batches/{batch.id}/retry")).status_code == 200

    async def over() -> bool:
        return bool((await client.get(f"/api/v1/batches/{batch.id}")).json()["state"] == "made")

    await until(over)
    assert (await client.post(f"/api/v1/batches/{batch.id}/retry")).status_code == 409
    await client.aclose()


async def test_rows_of_a_batch_fail_alone(quiet: Context) -> None:
    ada = await make_actor(quiet)
    form = batches.common_form(quiet.templates.get("scf"), mgo(), {}) | {"cluster": "here"}
    batch = await batches.begin(quiet, ada, "scf", form, "rows")
    await draft_rows.add_rows(quiet, ada, batch.id, [{"a": 4.2}, {"a": 4.3, "cluster": "nowhere"}, {"a": 4.4}])
    async with quiet.database.write() as session:
        session.add(BatchItem(batch_id=batch.id, position=4, source="no reference"))
    await batches.submit(quiet, ada, batch.id)
    # The row's cluster is looked for twice: let it pass the first time, as if it was removed in between.
    monkey = pytest.MonkeyPatch()
    judged = batch_work._prepared

    async def late(context: Context, actor: Actor, row: Batch, item: BatchItem) -> Any:
        if item.position != 2:
            return await judged(context, actor, row, item)
        item.given = {"a": 4.3}
        made = await judged(context, actor, row, item)
        assert not isinstance(made, str)
        return type(made)(**{**vars(made), "request": JobRequest(**{**vars(made.request), "cluster": "nowhere"})})

    monkey.setattr(batch_work, "_prepared", late)
    try:
        await batch_work.work(quiet, batch.id)
    finally:
        monkey.undo()
    async with quiet.database.read() as session:
        items = await batch_rows.items(session, batch.id)
    assert [item.state for item in items] == ["made", "wrong", "made", "wrong"]
    assert "nowhere" in items[1].message and "not an uploaded file" in items[3].message


# -- jobs ----------------------------------------------------------------------------------------------------------------


async def test_a_job_that_cannot_be_sent_is_held_and_the_others_run(app: FastAPI) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    await queue.pause(context, ada)
    first, poisoned, last = await three_jobs(context, ada)
    await change(context, poisoned, decks={"scf.d12": "a deck with an ä\n"})
    await queue.resume(context, ada)

    async def ended() -> bool:
        states = [(await get(context, ada, job_id)).job.state for job_id in (first, last)]
        return all(state in ("completed", "failed") for state in states)

    await until(ended)
    held = (await get(context, ada, poisoned)).job
    assert held.state == "held" and "UnicodeEncodeError" in held.reason and "UnicodeEncodeError" in held.attention
    # A person corrects what was wrong, and lets it go again.
    await change(context, poisoned, decks={"scf.d12": "a deck\n"})
    assert (await actions.act(context, ada, "release", Selection((poisoned,))))[0].done

    async def gone() -> bool:
        return (await get(context, ada, poisoned)).job.state in ("completed", "failed")

    await until(gone)


async def test_a_file_that_is_gone_fails_its_own_job(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    await queue.pause(context, ada)
    first, poisoned, last = await three_jobs(context, ada)
    stage = BaseRunner.stage

    async def broken(self: BaseRunner, batch: Any) -> None:
        if any(poisoned in package.name for package in batch):
            raise FileNotFoundError("fort.9 is gone")
        await stage(self, batch)

    monkeypatch.setattr(BaseRunner, "stage", broken)
    await queue.resume(context, ada)

    async def ended() -> bool:
        return await are_over(context, first, last, poisoned)

    await until(ended)
    failed = (await get(context, ada, poisoned)).job
    assert failed.state == "failed" and "fort.9 is gone" in failed.reason
    for job_id in (first, last):
        assert (await get(context, ada, job_id)).remote is not None


async def test_an_output_that_cannot_be_read_ends_its_own_job(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    read = results.read_file

    def broken(path: Path) -> Any:
        if path.parent.parent.name == poisoned:
            raise RecursionError("poison")
        return read(path)

    await queue.pause(context, ada)
    first, poisoned, last = await three_jobs(context, ada)
    monkeypatch.setattr(results, "read_file", broken)
    await queue.resume(context, ada)

    async def ended() -> bool:
        return await are_over(context, first, poisoned, last)

    await until(ended)
    found = await get(context, ada, poisoned)
    assert found.job.state == "failed" and "RecursionError" in found.job.reason
    assert any(file.name == "scf.out" for file in found.files), "its files are here all the same"
    assert "RecursionError" not in (await get(context, ada, last)).job.reason


async def test_a_job_without_decks_does_not_stop_the_look_at_the_others(app: FastAPI) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    program = Path(context.settings.clusters["here"].crystal)
    go = program.with_name("go")
    program.write_text(f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.1; done\n" + PROGRAM.partition("\n")[2])
    first, poisoned, last = await three_jobs(context, ada)

    async def there() -> bool:
        return await are_in(context, ("running",), first, poisoned, last)

    await until(there)
    await change(context, poisoned, decks={})
    go.touch()

    async def ended() -> bool:
        return await are_over(context, first, last)

    await until(ended)

    async def told() -> bool:
        return "StopIteration" in (await _row(context, poisoned)).attention

    await until(told)


async def _row(context: Context, job_id: str) -> Job:
    async with context.database.read() as session:
        found = await session.get(Job, job_id)
    assert found is not None
    return found


async def test_results_are_read_again_past_one_that_cannot_be(quiet: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    async with quiet.database.write() as session:
        for job_id in ids:
            session.add(JobResult(job_id=job_id, output="scf.out", verdict="completed", results={"schema_version": 0}))
    for job_id in ids:
        path = quiet.job_folder(job_id) / "files" / "scf.out"
        path.parent.mkdir(parents=True)
        path.write_text("an output\n")
    read = rereading.read_file

    def broken(path: Path) -> Any:
        if path.parent.parent.name == ids[1]:
            raise IndexError("poison")
        return read(path)

    monkeypatch.setattr(rereading, "read_file", broken)
    assert await rereading.reread(quiet) == 3
    assert await rereading.reread(quiet) == 0, "it is not tried for ever"
    assert "cannot be read again" in (await _row(quiet, ids[1])).attention
    assert (await _row(quiet, ids[0])).attention == ""


# -- runs ----------------------------------------------------------------------------------------------------------------


async def test_a_task_that_raises_fails_alone(quiet: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await make_actor(quiet)
    names = ("one", "two", "three")
    steps = [
        {"name": name, "template": "scf", "parameters": mgo(name, a=4.0 + n / 10)} for n, name in enumerate(names)
    ]  # fmt: skip
    run = await workflow_starts.start(
        quiet,
        ada,
        workflow_starts.RunRequest(read_workflow({"name": "w", "steps": steps}), cluster="here", reuse=False),
    )
    queued = workflow_jobs.queue_prepared

    async def poisoned(session: Any, actor: Actor, made: Any, *rest: Any, **more: Any) -> Any:
        found = await queued(session, actor, made, *rest, **more)
        if "two" in made[0].request.name:
            raise ZeroDivisionError("poison")
        return found

    monkeypatch.setattr(workflow_jobs, "queue_prepared", poisoned)
    await orchestrator.work(quiet, run.id)
    async with quiet.database.read() as session:
        tasks = await workflow_rows.tasks(session, run.id)
        rows = (await session.exec(select(Job))).all()
    assert sorted(task.state for task in tasks) == ["active", "active", "failed"]
    assert "ZeroDivisionError" in next(task.message for task in tasks if task.state == "failed")
    assert len(rows) == 2, "the job of the failing task was undone"


async def test_a_run_that_was_set_aside_is_paused_and_can_be_resumed(quiet: Context) -> None:
    ada = await make_actor(quiet)
    run = await workflow_starts.start(
        quiet, ada, workflow_starts.RunRequest(read_workflow(workflow("w_x")), cluster="here")
    )
    await setbacks.tell_run(quiet, run.id, "A fault.", False)
    await setbacks.tell_run(quiet, run.id, "A fault.", True)
    async with quiet.database.read() as session:
        found = await session.get(WorkflowRun, run.id)
    assert found is not None and (found.state, found.busy) == ("paused", False)
    assert found.remark == "Set aside after several failures: A fault."
    assert run.id not in await orchestrator.busy(quiet)
    await workflow_actions.resume(quiet, ada, run.id)
    assert run.id in await orchestrator.busy(quiet)


# -- clusters ------------------------------------------------------------------------------------------------------------

BAD: list[dict[str, Any]] = [
    {"proxy_jump": "u@h:abc"}, {"proxy_jump": "u@h:70000"}, {"proxy_jump": "a b"}, {"proxy_jump": "a,b"}, {"proxy_jump": "u@"},
    {"crystal": "mpirun 'crystal"}, {"crystal": ""}, {"crystal": "  "}, {"crystal": "a\nb"}, {"crystal": "run {nodes}"},
    {"properties": 'x "y'}, {"launcher": "srun 'x"}, {"launcher": "mpirun -np {tasks}"}, {"launcher": "mpirun -np {}"},
    {"hostname": "a b"}, {"hostname": "host:22"}, {"hostname": "me@host"}, {"hostname": "-oProxyCommand=x"},
    {"hostname": "h\x07"}, {"hostname": "a..b"}, {"username": "a b"}, {"username": "a;b"}, {"username": "-l"},
    {"workdir": "a b"}, {"workdir": "../up"}, {"workdir": "$HOME/x"}, {"workdir": "x;y"}, {"workdir": "`x`"}, {"workdir": ""},
    {"workdir": "~/x"}, {"default_partition": "a b"}, {"setup": "module load 'x"}, {"setup": "a\x00b"}, {"setup": "a\x1bb"},
    {"host_key": "MD5:1"}, {"host_key": "SHA256:short"}, {"port": 0}, {"port": "x"}, {"presets": {"a\nb": {}}},
    {"nonsense": 1},
]  # fmt: skip


@pytest.mark.parametrize("wrong", BAD, ids=[f"{next(iter(one))}={next(iter(one.values()))!r}"[:40] for one in BAD])
def test_settings_that_break_later_are_refused_when_they_are_saved(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ClusterSettings.model_validate({"hostname": "hpc.example.org", **wrong})
    assert next(iter(wrong)) in str(refused.value)


@pytest.mark.parametrize(
    "right",
    [{"hostname": "10.0.0.1"}, {"hostname": "fe80::1"}, {"hostname": "login_1.hpc.example.org"}, {"proxy_jump": "u@h"},
     {"proxy_jump": "h:2222"}, {"proxy_jump": "u@[fe80::1]:22"}, {"launcher": "mpirun -np {ntasks} --bind-to 'core'"},
     {"setup": "module load CRYSTAL/23\nexport X=\"a b\"  # isn't it\n"}, {"workdir": "/scratch/a.b/c-d_e"},
     {"crystal": "/opt/crystal/bin/Pcrystal --flag"}, {"username": "ab12345"},
     {"presets": {"small one": {"ntasks": 4}}}],
)  # fmt: skip
def test_settings_that_centres_really_have(right: dict[str, Any]) -> None:
    ClusterSettings.model_validate({"hostname": "hpc.example.org", **right})


async def test_a_broken_cluster_breaks_nothing_else(app: FastAPI) -> None:
    """A row that an older release stored: its own page says what is wrong, everything else goes on."""
    context: Context = app.state.context
    client = await make_client(app)
    ada = Actor(1, "ada", Role.ADMIN)
    await queue.pause(context, ada)
    here, there = await three_jobs(context, ada), await three_jobs(context, ada)
    async with context.database.write() as session:
        bad = Cluster(name="bad", settings={"hostname": "h", "proxy_jump": "u@h:abc", "crystal": "mpirun 'x"})
        session.add(bad)
        await session.flush()
        states = {there[0]: "queued", there[1]: "staging", there[2]: "running"}
        for job_id, state in states.items():
            await session.exec(update(Job).where(col(Job.id) == job_id).values(cluster_id=bad.id, state=state))
    await queue.resume(context, ada)

    async def ended() -> bool:
        return await are_over(context, *here)

    await until(ended)
    for path in ("/clusters", "/clusters/here", "/clusters/bad", "/new/scf?example=1", "/jobs", f"/jobs/{there[0]}", "/workflows",
                 "/workflows/equation_of_state/start", "/api/v1/clusters", "/api/v1/jobs?cluster=bad",
                 f"/api/v1/jobs/{there[0]}/waiting"):  # fmt: skip
        assert (await client.get(path)).status_code == 200, path
    shown = (await client.get("/clusters/bad")).text
    assert "proxy_jump" in shown and "must be one jump host" in shown and "crystal" in shown
    job = {"template": "scf", "parameters": mgo(), "cluster": "bad"}
    refused = await client.post("/api/v1/jobs", json=job)
    assert (refused.status_code, refused.json()["code"]) == (409, "cluster-broken")
    assert (await client.post("/api/v1/jobs", json=job | {"cluster": "here"})).status_code == 201
    await client.aclose()


async def test_a_fault_of_one_cluster_is_told_there_once(quiet: Context, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ada = await make_actor(quiet)
    ids = await three_jobs(quiet, ada)
    await change(quiet, ids[0], state="staging")
    async with quiet.database.write() as session:
        session.add(RemoteJob(job_id=ids[0], directory="ada/n0"))
    errands: list[Callable[[], Awaitable[None]]] = []
    dispatcher = Dispatcher(quiet, lambda _, work: errands.append(work))

    async def broken(*_: Any) -> None:
        raise KeyError("poison")

    dispatcher._settle = broken  # type: ignore[method-assign]
    for _ in range(3):
        await dispatcher.run(1)
        while errands:
            await errands.pop()()
    async with quiet.database.read() as session:
        cluster = await session.get(Cluster, 1)
    assert cluster is not None and "KeyError" in cluster.problem
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_a_client_is_told_what_is_wrong_with_a_cluster(app: FastAPI) -> None:
    client: httpx.AsyncClient = await make_client(app)
    answer = await client.post(
        "/clusters", data={"name": "new", "hostname": "h", "proxy_jump": "u@h:abc", "crystal": "x 'y"}
    )
    assert answer.status_code == 422
    assert "proxy_jump must be one jump host" in answer.text.replace(":", "") and "crystal" in answer.text
    await client.aclose()
