"""A job that is watched costs no deck: neither a poll nor its end reads what was sent back from the database."""

from __future__ import annotations

from pathlib import Path

from app.db.repositories import jobs
from app.domain.states import JobState
from app.services.context import Context
from app.services.jobs.creation import JobRequest, create_jobs
from tests.support.app import make_actor, place_replay, running, settings_for
from tests.support.service import mgo
from tests.support.statements import statements
from tests.support.waiting import until


async def test_a_job_is_watched_to_its_end_without_its_decks(tmp_path: Path, database_url: str) -> None:
    place_replay(tmp_path)
    async with running(settings_for(tmp_path, data=tmp_path / "deck", database_url=database_url)) as app:
        context: Context = app.state.context
        ada = await make_actor(context)
        request = JobRequest("scf", mgo("replay mgo-scf/main.out seconds=2"), "here", {})
        [job] = await create_jobs(context, ada, [request])

        async def reaches(state: JobState) -> None:
            async def there() -> bool:
                async with context.database.read() as session:
                    return (await jobs.states_of(session, [job.id]))[job.id] == state

            await until(there, f"state {state}")

        await reaches(JobState.RUNNING)
        with statements(context.database) as sent:
            await reaches(JobState.COMPLETED)
        heavy = [one for one in sent if any(f"jobs.{column}" in one for column in ("decks", "script", "parameters"))]
        assert heavy == []
        # It was watched: its words, its output and its results were written.
        assert any(one.startswith("INSERT INTO job_results") for one in sent)
