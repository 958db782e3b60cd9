"""A batch system is one class, found by its name: an invented one runs jobs without a line changed anywhere else."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.domain.resources import Partition, Resources
from app.domain.verdict import Ending, Phase, SchedulerWord
from app.errors import RemoteFailure
from app.runners import registry
from app.runners.base import BaseRunner
from app.runners.batch_systems import TIME_OUTS, Check, Meaning, Reply, RunnerType
from app.services.clusters import checks
from app.services.clusters import registry as clusters
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.queue import explain
from app.services.jobs.views import cancel, get
from app.settings import ClusterSettings
from tests.support.app import make_actor, make_client, place_replay, running, settings_for
from tests.support.jobs import job_in
from tests.support.service import mgo
from tests.support.waiting import until, wait_until

SPOOL = """
import fcntl, json, os, signal, subprocess, sys, time
spool = {spool!r}
def write(job, row):
    with open(f"{{spool}}/{{job}}.new", "w") as file: json.dump(row, file)
    os.replace(f"{{spool}}/{{job}}.new", f"{{spool}}/{{job}}")
def rows():
    found = {{}}
    for job in os.listdir(spool):
        if job.isdigit():
            with open(f"{{spool}}/{{job}}") as file: found[job] = json.load(file)
    return found
def begin(job, environment):
    with open("job.log", "ab") as log:
        own = subprocess.Popen(["/bin/bash", "job.sh"], env=environment, start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    write(job, {{**rows()[job], "state": "R", "pid": own.pid}})
command, arguments = sys.argv[1], sys.argv[2:]
if command == "put":
    busy = f"{{spool}}/busy"
    if os.path.exists(busy):
        os.remove(busy)
        sys.exit("abacus: the beads are counted already, come back")
    one = open(f"{{spool}}/one", "w")
    fcntl.flock(one, fcntl.LOCK_EX)
    job, script = str(1000 + len(rows())), open(arguments[0]).read()
    name = next(line.split("=", 1)[1] for line in script.splitlines() if line.startswith("#BEAD name="))
    environment = dict(os.environ, BEAD_ID=job, BEAD_DIR=os.getcwd())
    write(job, {{"state": "Q", "name": name, "pid": 0, "folder": os.getcwd()}})
    fcntl.flock(one, fcntl.LOCK_UN)
    begin(job, environment)
    print(job)
elif command == "again":
    [job] = arguments
    os.chdir(rows()[job]["folder"])
    begin(job, dict(os.environ, BEAD_ID=job, BEAD_DIR=os.getcwd(), BEAD_AGAIN="1"))
elif command == "show":
    for job, row in sorted(rows().items()):
        try:
            state = open(f"/proc/{{row['pid']}}/stat").read().rpartition(")")[2].split()[0]
        except OSError:
            state = "Z"
        if os.path.exists(f"{{spool}}/forgets"): continue
        if os.path.exists(f"{{spool}}/over") and state == "Z": print(job, "C", sep=":")
        elif os.path.exists(f"{{spool}}/back"): print(job, "Q", sep=":")
        elif state != "Z": print(job, row["state"], sep=":")
elif command == "find":
    print(*(job for job, row in rows().items() if row["name"] == arguments[0]))
elif command == "drop":
    for job in sys.stdin.read().split():
        if os.path.exists(f"{{spool}}/kept"): sys.exit(f"abacus: bead {{job}} is glued to the frame")
        os.killpg(rows()[job]["pid"], signal.SIGTERM)
"""
STEPS = {
    "submission": 'submit_script() { abacus put "$1"; }\nstart() { start_scheduled; }\n'
    'look_up() { found=$(abacus find "$1") || return 2; [ -n "$found" ]; }\n',
    "queue": "exec abacus show\n",
    "cancel": "exec abacus drop\n",
    "probe": "printf 'beads'\n",
    "partitions": "printf 'frame 7\\n'\n",
}


class Abacus(BaseRunner):
    """A batch system of this test: a program keeps its jobs in a folder."""

    kind = "abacus"
    runner_types = (RunnerType("abacus", "Abacus"),)
    default_limit = 3
    default_launcher = ""
    has_partitions = True
    states = {"Q": (Phase.PENDING, None), "R": (Phase.RUNNING, None), "C": (Phase.ENDED, Ending.NORMAL)}  # noqa: RUF012
    replies = (*TIME_OUTS, Reply("come back", Meaning.LATER, limits_rate=True))
    variables = {  # noqa: RUF012
        "SLURM_JOB_ID": "BEAD_ID", "SLURM_SUBMIT_DIR": "BEAD_DIR", "SLURM_RESTART_COUNT": "BEAD_AGAIN",
    }  # fmt: skip

    @classmethod
    def directives(cls, settings: ClusterSettings, name: str, token: str, resources: Resources) -> tuple[str, ...]:
        return (f"#BEAD name={name}",)

    @classmethod
    def read_queue(cls, text: str) -> dict[str, SchedulerWord]:
        return {job: cls.word(state) for job, _, state in (line.partition(":") for line in text.split())}

    @classmethod
    def read_probe(cls, text: str) -> list[Check]:
        return [Check("scheduler", text == "beads", text)]

    @classmethod
    def read_partitions(cls, text: str) -> list[Partition]:
        return [Partition(line.split()[0], True, 3600, 1, int(line.split()[1]), 0) for line in text.splitlines()]

    @classmethod
    def step(cls, name: str) -> str:
        return STEPS[name]


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program `abacus` on the path, and the folder that it keeps its jobs in."""
    place_replay(tmp_path)
    folder = tmp_path / "spool"
    folder.mkdir()
    program = tmp_path / "bin" / "abacus"
    code = tmp_path / "abacus.py"
    code.write_text(SPOOL.format(spool=str(folder)))
    program.write_text(f'#!/bin/sh\nexec python3 {shlex.quote(str(code))} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    for table in (registry._RUNNERS, registry._TYPES, registry.RUNNER_TYPES):
        # What is registered here is forgotten again.
        monkeypatch.setitem(table, "abacus", None)  # type: ignore[arg-type]
        del table["abacus"]  # type: ignore[attr-defined]
    registry.register(Abacus)
    return folder


@pytest.fixture
async def app(tmp_path: Path, spool: Path, request: pytest.FixtureRequest) -> AsyncIterator[FastAPI]:
    """The application with the cluster `frame`; the parameter is what its jobs do before they compute."""
    cluster = ClusterSettings(
        runner_type="abacus",
        crystal=str(tmp_path / "bin" / "replay"),
        workdir=str(tmp_path / "work"),
        setup=getattr(request, "param", ""),
    )
    async with running(settings_for(tmp_path, data=tmp_path / "deck", clusters={"frame": cluster})) as app:
        yield app


def request(options: str) -> JobRequest:
    title = f"replay mgo-scf/main.out {options}".strip()
    return JobRequest("scf", mgo(title), "frame", {"walltime": "00:10:00"}, "bead")


async def test_a_job_goes_through(app: FastAPI, spool: Path) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    (spool / "busy").touch()
    [job] = await create_jobs(context, ada, [request("seconds=0.3")])
    view = await job_in(context, ada, job.id)
    assert view.job.state == "completed", (view.job.reason, view.job.attention)
    assert view.remote is not None and view.remote.scheduler_id == "1000" and "scf.out" in {f.name for f in view.files}
    messages = [event.message for event in view.events]
    assert any(
        "cannot take the job now (abacus: the beads are counted already, come back)" in words for words in messages
    )
    assert len(list(spool.glob("1*"))) == 1, "it was submitted once"


async def test_a_running_job_is_cancelled_and_the_rest_waits_for_its_default_limit(app: FastAPI) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    made = await create_jobs(context, ada, [request("seconds=60") for _ in range(4)])
    for job in made[:3]:
        await job_in(context, ada, job.id, "running")
    last = (await get(context, ada, made[3].id)).job
    assert last.state == "queued" and any(
        "takes 3 jobs at a time" in words for words in await explain(context, ada, last)
    )
    for job in made:
        await cancel(context, ada, job.id)
    assert {(await job_in(context, ada, job.id)).job.state for job in made} == {"cancelled"}


async def test_a_job_that_cannot_be_cancelled_says_why_while_the_others_are_followed(
    app: FastAPI, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.running.monitoring.CANCEL_AGAIN", 0.1)
    context: Context = app.state.context
    ada = await make_actor(context)
    [kept, other] = await create_jobs(context, ada, [request("seconds=60"), request("seconds=2")])
    await job_in(context, ada, kept.id, "running")
    (spool / "kept").touch()
    await cancel(context, ada, kept.id)
    assert (await job_in(context, ada, other.id)).job.state == "completed"
    view = await get(context, ada, kept.id)
    assert view.job.state == "running" and "glued to the frame. It is asked again." in view.job.attention
    (spool / "kept").unlink()
    ended = (await job_in(context, ada, kept.id)).job
    assert (ended.state, ended.attention) == ("cancelled", "")


async def test_a_job_that_is_put_back_into_the_queue_ends_once(app: FastAPI, spool: Path) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    [job] = await create_jobs(context, ada, [request("seconds=2")])
    view = await job_in(context, ada, job.id, "running")
    assert view.remote is not None
    state = Path(app.state.context.settings.clusters["frame"].workdir) / view.remote.directory / ".crystaldeck"
    (spool / "back").touch()
    os.killpg(json.loads((spool / "1000").read_text())["pid"], signal.SIGTERM)
    await asyncio.to_thread(wait_until, (state / "exit").exists, "the exit marker of the first start")
    assert "TERM" in (state / "exit").read_text()
    await job_in(context, ada, job.id, "submitted")
    subprocess.run(["abacus", "again", "1000"], check=True)
    (spool / "back").unlink()
    view = await job_in(context, ada, job.id)
    assert view.job.state == "completed", (view.job.reason, view.job.attention)
    states = [event.to_state for event in view.events]
    assert states[-5:] in (
        ["running", "submitted", "running", "finishing", "completed"],
        ["finishing", "submitted", "running", "finishing", "completed"],
    ), states


@pytest.mark.parametrize("way", ["cancelled", "lost"])
async def test_a_job_that_nobody_knows_any_more_ends(
    app: FastAPI, spool: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr("app.services.running.forgotten.UNKNOWN_FOR", 0.3)
    monkeypatch.setattr("app.services.running.finishing.GRACE", 0.3)
    # The abacus keeps no accounting, and exit markers do not take its part here.
    monkeypatch.setattr(Abacus, "accounting", nothing)
    context: Context = app.state.context
    ada = await make_actor(context)
    [job] = await create_jobs(context, ada, [request("seconds=60")])
    await job_in(context, ada, job.id, "running")
    (spool / "forgets").touch()
    os.killpg(json.loads((spool / "1000").read_text())["pid"], signal.SIGKILL)

    async def nobody_knows() -> bool:
        return "no longer lists this job" in (await get(context, ada, job.id)).job.attention

    await until(nobody_knows, "the job says that nobody knows it")
    if way == "cancelled":
        await cancel(context, ada, job.id)
    else:
        context.settings.lost_after_hours = 1e-4
    ended = (await job_in(context, ada, job.id)).job
    assert ended.state == ("cancelled" if way == "cancelled" else "failed")
    told = [event.message for event in (await get(context, ada, job.id)).events]
    assert any(words.startswith(("Lost: neither", "Cancelled; neither")) for words in told), told
    assert way == "cancelled" or "left no exit marker" in ended.reason


async def nothing(self: Abacus, jobs: Any) -> dict[str, SchedulerWord]:
    return {}


async def test_a_full_disk_sends_jobs_back_to_the_queue(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    stage, full = Abacus.stage, [True]

    async def refuse_once(self: Abacus, batch: Any) -> None:
        if full.pop() if full else False:
            raise RemoteFailure("Staging files on frame failed: tar: scf.d12: Cannot write: Disk quota exceeded.")
        await stage(self, batch)

    monkeypatch.setattr(Abacus, "stage", refuse_once)
    [job] = await create_jobs(context, ada, [request("seconds=0.3")])
    view = await job_in(context, ada, job.id)
    assert view.job.state == "completed", view.job.reason
    [told] = [event for event in view.events if "Disk quota exceeded" in event.message]
    assert told.to_state == "queued"


async def test_a_submission_that_breaks_off_after_it_was_taken_runs_once(
    app: FastAPI, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context: Context = app.state.context
    ada = await make_actor(context)
    submit, breaks = Abacus.submit, [True]

    async def break_off(self: Abacus, batch: Any) -> Any:
        answers = await submit(self, batch)
        if breaks.pop() if breaks else False:
            raise RemoteFailure("Submitting jobs on frame failed: status 137.")
        return answers

    monkeypatch.setattr(Abacus, "submit", break_off)
    [job] = await create_jobs(context, ada, [request("seconds=0.3")])
    view = await job_in(context, ada, job.id)
    assert view.job.state == "completed", view.job.reason
    assert len(list(spool.glob("1*"))) == 1, "it was submitted once"


LATE = """later=$(mktemp -d) here=$PWD
cp -a . "$later"
cd "$later"
(setsid sh -c "sleep 3; cp -a '$later/.' '$here'; rm -r '$later'" > /dev/null 2>&1 &)
"""


@pytest.mark.parametrize("app", [LATE], indirect=True)
async def test_files_that_come_after_the_end_are_waited_for(
    app: FastAPI, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job works in another folder, as on a compute node whose files others see later."""
    monkeypatch.setattr("app.services.running.latecomers.PAUSE", 0.2)
    context: Context = app.state.context
    ada = await make_actor(context)
    (spool / "over").touch()
    [job] = await create_jobs(context, ada, [request("seconds=0.3")])
    view = await job_in(context, ada, job.id, "finishing")
    assert view.job.state == "finishing"
    view = await job_in(context, ada, job.id)
    assert (view.job.state, view.job.attention) == ("completed", "")
    assert "scf.out" in {file.name for file in view.files}


async def test_pages_settings_and_the_test_of_a_cluster_know_it(app: FastAPI) -> None:
    context: Context = app.state.context
    report = await checks.test_cluster(context, await make_actor(context, "bob"), "frame")
    assert [check.detail for check in report if check.name == "scheduler"] == ["beads"]
    client = await make_client(app)
    assert '<option value="abacus"' in (await client.get("/clusters")).text
    assert "Abacus" in (await client.get("/clusters")).text
    [cluster] = (await client.get("/api/v1/clusters")).json()
    assert (cluster["name"], cluster["runner_type"]) == ("frame", "abacus")
    view = await clusters.get(context, await make_actor(context, "cyd"), "frame")
    assert [partition["name"] for partition in view.cluster.partitions] == ["frame"]
    await client.aclose()


def test_a_name_that_nobody_registered_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of slurm, ssh, local"):
        ClusterSettings(runner_type="pbs-of-another-release")
