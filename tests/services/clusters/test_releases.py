"""Which CRYSTAL a cluster runs: read from the program's banner by the test of the cluster, and asked before a job is queued."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidInput
from app.services.clusters import changes, checks, registry
from app.services.jobs.creation import JobRequest, create_jobs
from tests.support.app import make_actor, make_client
from tests.support.deck import Deck
from tests.support.service import mgo
from tests.support.waiting import until_answer

BANNER = """#!/bin/sh
touch fort.20
echo ' ******************************************************************************'
echo ' *                                 CRYSTAL17                                  *'
echo ' *                     public : 1.0.2 - March 1st, 2018                       *'
echo ' ******************************************************************************'
{more}
"""
RELEASE = "CRYSTAL17 1.0.2 - March 1st, 2018"
NEEDS_23 = {"method": "DFT", "functional": "r2SCAN"}


def program(folder: Path, name: str = "Pcrystal", more: str = "read -r title || exit 1") -> str:
    path = folder / name
    path.write_text(BANNER.format(more=more))
    path.chmod(0o755)
    return str(path)


async def tell(context: Any, actor: Any, crystal: str) -> str:
    """What the test of the cluster says of this program, which its configuration names from now on."""
    context.settings.clusters["here"] = context.settings.clusters["here"].model_copy(update={"crystal": crystal})
    await changes.sync_configuration(context)
    report = await checks.test_cluster(context, actor, "here")
    return next(check.detail for check in report if check.name == "release")


async def test_the_banner_is_read_and_kept(start: Callable[..., Any], tmp_path: Path) -> None:
    async with start() as app:
        context = app.state.context
        ada = await make_actor(context)
        assert await tell(context, ada, program(tmp_path)) == RELEASE
        assert (await registry.get(context, ada, "here")).cluster.program == RELEASE
        with pytest.raises(InvalidInput) as refused:
            await create_jobs(context, ada, [JobRequest("scf", mgo() | NEEDS_23, "here", {}, "x")])
        [error] = refused.value.fields
        assert (error.field, error.value) == ("functional", "r2SCAN")
        assert "needs CRYSTAL23 or later, but here runs CRYSTAL17 1.0.2" in error.reason
        assert "choose another cluster" in error.reason
        assert await create_jobs(context, ada, [JobRequest("scf", mgo(), "here", {}, "y")])


async def test_a_wrapper_is_not_run(start: Callable[..., Any], tmp_path: Path) -> None:
    async with start() as app:
        context = app.state.context
        ada = await make_actor(context)
        trace = tmp_path / "ran"
        wrapper = program(tmp_path, "runcry", f"touch {trace}")
        assert "not read from a wrapper" in await tell(context, ada, wrapper)
        assert not trace.exists()
        assert (await registry.get(context, ada, "here")).cluster.program == ""
        assert await create_jobs(context, ada, [JobRequest("scf", mgo() | NEEDS_23, "here", {}, "x")])


async def test_another_program_is_asked_again(start: Callable[..., Any], tmp_path: Path) -> None:
    async with start() as app:
        context = app.state.context
        ada = await make_actor(context)
        await tell(context, ada, program(tmp_path))
        silent = tmp_path / "crystal"
        silent.write_text("#!/bin/sh\n")
        silent.chmod(0o755)
        assert "did not tell" in await tell(context, ada, str(silent))
        assert (await registry.get(context, ada, "here")).cluster.program == ""


async def test_the_look_leaves_nothing_behind(start: Callable[..., Any], tmp_path: Path) -> None:
    async with start() as app:
        context = app.state.context
        ada = await make_actor(context)
        await tell(context, ada, program(tmp_path, more=f"pwd > {tmp_path}/where"))
        where = (tmp_path / "where").read_text().strip()
        assert where and not Path(where).exists()


async def test_the_output_of_a_job_tells_it_too(start: Callable[..., Any]) -> None:
    async with start() as app, await make_client(app) as client:
        deck = Deck(app, client)
        ended = ("completed", "failed", "cancelled")
        body = {"template": "scf", "cluster": "here", "parameters": mgo("replay nio-maxcycle/main.out")}
        job_id = str((await deck.post("/jobs", **body))["id"])
        await until_answer(client, f"/api/v1/jobs/{job_id}", lambda job: job["state"] in ended)
        told = await deck.get("/clusters/here")
        assert told["program"].startswith("CRYSTAL17 ")
        refused = await deck.post("/jobs", 422, **body | {"parameters": mgo("later", **NEEDS_23)})
        assert [error["field"] for error in refused["errors"]] == ["functional"]
