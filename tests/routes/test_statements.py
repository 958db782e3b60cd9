"""What an open page costs: requests and SQL statements for one change of a job, all requests of the page taken together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.db.tables import Job, JobAttachment, JobEvent, JobFile, JobResult, RemoteJob, Session, User, now
from app.domain.people.permissions import Actor, Role
from app.domain.people.secrets import digest
from app.domain.workflows.definition import read_workflow
from app.events.model import Event, Topic
from app.main import create_app
from app.routes.live import names_of_all
from app.services.clusters import changes as cluster_changes
from app.services.context import Context
from app.services.jobs import actions
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.selections import Selection
from app.services.workflows import orchestrator, starts
from tests.support import databases
from tests.support.app import processes, settings_for
from tests.support.corpus import CORPUS
from tests.support.open_pages import OpenPage
from tests.support.service import mgo
from tests.support.statements import asked, statements

MOST = 12
"""Statements for one change and page."""
COOKIE = "a-session-for-a-test"
HEAVY = ("decks", "script", "parameters")


class Site:
    """The application without its background, so that only requests ask the database; and ada, who is logged in."""

    def __init__(self, app: FastAPI, ada: Actor, client: httpx.AsyncClient) -> None:
        self.app, self.ada, self.client = app, ada, client
        self.context: Context = app.state.context

    async def job(self, name: str = "watched") -> Job:
        [job] = await create_jobs(self.context, self.ada, [JobRequest("scf", mgo(), "here", {}, name)])
        batch = await actions.begin(self.context, self.ada, "tag", Selection((job.id,)), "seen")
        await actions.advance(self.context, batch.id)
        return job

    async def put(self, job: Job, state: str, *rows: Any) -> None:
        """Let a job be in a state, with more rows beside it."""
        async with self.context.database.write() as session:
            found = await session.get(Job, job.id)
            assert found is not None
            found.state = state
            for row in (found, *rows):
                session.add(row)

    async def runs(self, job: Job) -> None:
        """It has printed half of an output."""
        text = (CORPUS / "mgo-scf" / "main.out").read_bytes()
        live = self.context.job_folder(job.id) / "live"
        live.mkdir(parents=True)
        (live / job.outputs[0]).write_bytes(text[: len(text) // 2])
        remote = RemoteJob(job_id=job.id, directory="somewhere", scheduler_id="17", queue_state="RUNNING")
        await self.put(job, "running", remote, JobEvent(job_id=job.id, to_state="running", message="It runs."))

    async def ends(self, job: Job, state: str = "completed", **results: Any) -> None:
        files = self.context.job_folder(job.id) / "files"
        files.mkdir(parents=True)
        (files / job.outputs[0]).write_bytes((CORPUS / "mgo-scf" / "main.out").read_bytes())
        held = {"energy_total": -270.0, "gap_ev": None, **results}
        await self.put(
            job, state,
            JobFile(job_id=job.id, name=job.outputs[0], size=9, sha256="x", role="output"),
            JobResult(job_id=job.id, output=job.outputs[0], verdict=state, energy_total=-270.0, results=held),
        )  # fmt: skip

    async def leaves_on_the_same_wave_function(self, job: Job, name: str, data: bytes) -> None:
        """A file that a job left, which took along the wave function of an earlier job."""
        (self.context.job_folder(job.id) / "files" / name).write_bytes(data)
        left = JobFile(job_id=job.id, name=name, size=len(data), sha256="y", role="data")
        taken = JobAttachment(
            job_id=job.id, field="wavefunction", name="fort.9", sha256="z", size=9, source="job:abcdef/fort.9"
        )
        await self.put(job, "completed", left, taken)


@pytest.fixture
async def site(tmp_path: Path, database_url: str) -> AsyncIterator[Site]:
    settings = settings_for(tmp_path, data=tmp_path / "deck", database_url=database_url)
    databases.prepare(settings)
    app = create_app(settings, processes())
    context: Context = app.state.context
    await cluster_changes.sync_configuration(context)
    user = User(name="ada", password_hash="!", role=str(Role.ADMIN))
    async with context.database.write() as session:
        session.add(user)
        await session.flush()
        assert user.id is not None
        session.add(Session(token_hash=digest(COOKIE), user_id=user.id, expires_at=now() + timedelta(days=1)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://testserver", cookies={"crystaldeck": COOKIE}
    ) as client:
        yield Site(app, Actor(user.id, "ada", Role.ADMIN), client)
    await context.workers.close()
    await context.pool.close()
    await context.database.close()


async def heard(site: Site, page: OpenPage, *events: str) -> tuple[list[str], list[str]]:
    """What the page got for these events, and the statements of all its requests."""
    with statements(site.context.database) as sent:
        texts = [text for event in events for text in await page.hear(event)]
    assert texts, "the page asked for nothing"
    return texts, asked(sent)


def loads(sent: list[str], *columns: str) -> list[str]:
    """The statements that read one of these columns of jobs."""
    return [one for one in sent if any(f"jobs.{column}" in one for column in columns)]


def told(topic: Topic, job: Job, **data: Any) -> Event:
    return Event(7, topic, job.id, data)


async def page_of(site: Site, job: Job) -> OpenPage:
    page = OpenPage(site.client, f"/jobs/{job.id}")
    await page.open()
    return page


@pytest.mark.parametrize("state", ["draft", "queued", "held", "staging", "submitted", "running", "finishing"])
async def test_a_change_of_a_job_costs_its_page_few_statements_and_no_deck(site: Site, state: str) -> None:
    job = await site.job()
    await site.runs(job)
    page = await page_of(site, job)
    await site.put(job, state)
    texts, sent = await heard(site, page, *names_of_all([told(Topic.JOB, job, state=state)], job.id))
    # The parts of the page, and the new points of its curves.
    assert len(texts) == 2 and any(f"<span>{state}</span>" in text or f">{state}<" in text for text in texts)
    assert len(sent) <= MOST, "\n".join(sent)
    assert loads(sent, *HEAVY) == []


async def test_the_end_of_a_job_costs_its_page_few_statements_with_figures(site: Site) -> None:
    job = await site.job()
    await site.runs(job)
    page = await page_of(site, job)
    await site.ends(job)
    names = names_of_all([told(Topic.PROGRESS, job, cycle=9), told(Topic.JOB, job, state="completed")], job.id)
    texts, sent = await heard(site, page, *names)
    assert (
        len(texts) == 3 and any("-270.0" in text for text in texts) and any("figure-structure" in one for one in texts)
    )
    assert len(sent) <= MOST, "\n".join(sent)
    assert loads(sent, *HEAVY) == []


async def test_bands_beside_the_densities_of_another_job_cost_no_more(site: Site) -> None:
    """The job left bands alone; another one, on the same wave function, left densities of states: figures show both."""
    bands, densities = await site.job("bands"), await site.job("densities")
    await site.runs(bands)
    page = await page_of(site, bands)
    for job, name, path in (
        (densities, "DOSS.DAT", CORPUS / "mgo-dos" / "main.DOSS"),
        (bands, "BAND.DAT", CORPUS / "mgo-bands" / "main.BAND"),
    ):
        await site.ends(job)
        await site.leaves_on_the_same_wave_function(job, name, path.read_bytes())
    names = names_of_all([told(Topic.PROGRESS, bands, cycle=9), told(Topic.JOB, bands, state="completed")], bands.id)
    texts, sent = await heard(site, page, *names)
    [figures] = [text for text in texts if "figure-electronic" in text]
    assert "DOS / (states/eV/cell)" in figures and f'href="/jobs/{densities.id}"' in figures
    assert len(sent) <= MOST, "\n".join(sent)
    assert loads(sent, "script", "parameters") == []


async def test_a_failure_costs_no_more_though_remedies_need_the_parameters(site: Site) -> None:
    job = await site.job()
    await site.runs(job)
    page = await page_of(site, job)
    await site.ends(job, "failed", diagnosis="SCF did not converge", diagnosis_code="SCF_MAX_CYCLES")
    texts, sent = await heard(site, page, *names_of_all([told(Topic.JOB, job, state="failed")], job.id))
    assert len(sent) <= MOST, "\n".join(sent)
    assert len(loads(sent, "parameters")) == 1 and loads(sent, "decks", "script") == []
    assert "What went wrong" in "".join(texts) or "SCF did not converge" in "".join(texts)


async def test_progress_asks_for_the_job_alone(site: Site) -> None:
    job = await site.job()
    await site.runs(job)
    page = await page_of(site, job)
    texts, sent = await heard(site, page, *names_of_all([told(Topic.PROGRESS, job, cycle=3)], job.id))
    assert len(texts) == 2 and len(sent) <= 4, "\n".join(sent)
    assert loads(sent, *HEAVY) == []
    assert "hx-partial" in texts[0] and 'hx-target="#progress"' in texts[0] and 'hx-target="#record"' not in texts[0]


async def test_the_first_view_reads_the_decks_once(site: Site) -> None:
    job = await site.job()
    await site.runs(job)
    with statements(site.context.database) as sent:
        await OpenPage(site.client, f"/jobs/{job.id}").open()
    assert len(loads(asked(sent), "decks")) == 1
    # It was 34 for the page alone.
    assert len(asked(sent)) <= 17, "\n".join(sent)


async def test_a_change_costs_the_list_few_statements_and_no_deck_whatever_its_length(site: Site) -> None:
    page = OpenPage(site.client, "/jobs")
    job = await site.job("first")
    await page.open()
    _, few = await heard(site, page, *names_of_all([told(Topic.JOB, job, state="running")]))
    for number in range(5):
        await site.job(f"job-{number}")
    texts, many = await heard(site, page, *names_of_all([told(Topic.JOB, job, state="running")]))
    assert "job-4" in texts[0] and len(texts) == 1
    assert len(many) == len(few) <= MOST, "\n".join(many)
    assert loads(many, *HEAVY) == []
    answer = await site.client.get("/api/v1/jobs")
    assert len(answer.json()["jobs"]) == 6


async def test_the_list_over_rest_loads_no_deck(site: Site) -> None:
    await site.job()
    with statements(site.context.database) as sent:
        assert (await site.client.get("/api/v1/jobs")).status_code == 200
    assert loads(sent, *HEAVY) == [] and len(asked(sent)) <= 4


async def test_a_change_costs_the_page_of_a_run_few_statements(site: Site) -> None:
    steps = [{"name": f"s{number}", "template": "scf", "parameters": mgo()} for number in range(4)]
    definition = read_workflow({"name": "four", "steps": steps})
    request = starts.RunRequest(definition, name="four", cluster="here", reuse=False)
    run = await starts.start(site.context, site.ada, request)
    await orchestrator.work(site.context, run.id)
    for path in (f"/runs/{run.id}", f"/runs/{run.id}/steps/s1"):
        page = OpenPage(site.client, path)
        await page.open()
        # A job of it ends, and the orchestrator says so a moment later: one burst.
        events = [Event(7, Topic.JOB, "abc", {"state": "completed"}), Event(8, Topic.WORKFLOW, run.id)]
        names = names_of_all(events, run=run.id)
        texts, sent = await heard(site, page, *names)
        assert len(names) == len(texts) == 1
        assert len(sent) <= MOST, "\n".join(sent)
        assert loads(sent, *HEAVY) == []


def test_a_burst_is_told_once_and_what_the_larger_answer_holds_is_not_asked_for_again() -> None:
    change, progress = Event(1, Topic.JOB, "a", {"state": "running"}), Event(2, Topic.PROGRESS, "a")
    assert names_of_all([change, progress, change], "a") == ["cd-job"]
    assert names_of_all([progress, progress], "a") == ["cd-progress"]
    assert names_of_all([Event(3, Topic.JOB, "a", {"state": "completed"}), progress], "a") == ["cd-end", "cd-job"]
    assert names_of_all([change], "b") == []
    assert names_of_all([change, progress]) == ["cd-jobs"]
    assert names_of_all([Event(4, Topic.CLUSTER, "lab")], "a") == ["cd-clusters", "cd-job"]
    assert {"cd-job", "cd-end"} <= set(names_of_all([Event(5, Topic.RESYNC)], "a"))
    assert names_of_all([change, Event(6, Topic.WORKFLOW, "r"), progress], run="r") == ["cd-run"]
    assert names_of_all([progress], run="r") == []
