"""A misspelt name in a page is an error, whatever an output left for the page to show."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi import FastAPI
from jinja2 import UndefinedError

from app.db.tables import JobResult
from app.domain.people.permissions import Role
from app.routes.rendering import pages
from app.services.context import Context
from app.services.running.reading import read_file
from tests.support.app import make_actor, make_client
from tests.support.corpus import CORPUS
from tests.support.jobs import ended_job

CASES = {
    "mgo-bands": ("figure-electronic",),
    "mgo-dos": ("figure-electronic",),
    "mgo-spin-dos": ("figure-electronic",),
    "graphene-phonons": ("figure-vibrations",),
    "quartz-freq": ("figure-vibrations", "figure-structure"),
    "mgo-volumes": ("figure-eos",),
    "mgo-quasi-harmonic": ("figure-thermal", "figure-vibrations"),
    "mgo-pressure": ("figure-structure",),
    "mgo-opt": ("figure-structure",),
    "mgo-elastic": (),
    "elastic-failed": (),
    "nio-maxcycle": (),
    "tube": ("figure-structure",),
    "preview-lih": (),
}
"""Outputs, and the figures that they are enough for."""


def test_a_misspelt_name_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="jbo"):
        pages.env.from_string("{{ jbo.name }}").render(job=None)
    with pytest.raises(UndefinedError, match="icno"):
        pages.env.from_string("{{ ui.icno('x') }}").render()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_pages_of_every_kind_of_result(app: FastAPI) -> None:
    context: Context = app.state.context
    client = await make_client(app)
    owner = await make_actor(context, "max", Role.MEMBER)
    ids = []
    for case, figures in CASES.items():
        left = {path.name: path.read_bytes() for path in sorted((CORPUS / case).iterdir()) if path.is_file()}
        job = await ended_job(context, owner, left)
        ids.append(job)
        await keep_results(context, job, [name for name in left if name.endswith((".out", ".outp"))])
        answer = await client.get(f"/jobs/{job}")
        assert answer.status_code == 200, case
        shown = (await client.get(f"/jobs/{job}/figures")).text
        assert [name for name in figures if f'id="{name}"' not in shown] == [], case
    chosen = "&".join(f"id={job}" for job in ids)
    assert (await client.get(f"/jobs/compare?{chosen}")).status_code == 200
    assert (await client.get("/jobs")).status_code == 200


async def keep_results(context: Context, job: str, outputs: list[str]) -> None:
    folder: Path = context.job_folder(job) / "files"
    for output in outputs:
        results = await asyncio.to_thread(read_file, folder / output)
        row = JobResult(job_id=job, output=output, verdict=results.verdict, results=results.as_dict())
        row.energy_total, row.gap_ev, row.preview = results.energy_total, results.gap_ev, results.preview
        async with context.database.write() as session:
            session.add(row)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_tables_over_temperature_and_fits_over_rest(app: FastAPI) -> None:
    context: Context = app.state.context
    client = await make_client(app)
    owner = await make_actor(context, "max", Role.MEMBER)
    jobs = {}
    for case in ("mgo-quasi-harmonic", "mgo-volumes"):
        jobs[case] = await ended_job(context, owner, {"main.out": (CORPUS / case / "main.out").read_bytes()})
        await keep_results(context, jobs[case], ["main.out"])
    found = (await client.get(f"/api/v1/jobs/{jobs['mgo-quasi-harmonic']}/thermal")).json()
    assert [table["pressure_gpa"] for table in found["tables"]] == [None, 5.0]
    text = (await client.get(f"/api/v1/jobs/{jobs['mgo-quasi-harmonic']}/thermal?format=csv")).text
    assert text.splitlines()[0] == "table,order,pressure_gpa,T(K),V(A^3),BM(GPa),ALPHA(10^-6/K)"
    assert text.splitlines()[2].endswith(",3,,300.0,19.375,,30.5")
    equation = (await client.get(f"/api/v1/jobs/{jobs['mgo-volumes']}/equation-of-state")).json()
    assert [fit["form"] for fit in equation["fits"]][:2] == ["MURNAGHAN 1944", "BIRCH-MURNAGHAN 1947"]
    assert equation["fit"]["volume"] == pytest.approx(19.056, abs=0.01)
