"""Runs of workflows in this process, with a program that replays stored outputs: policies, decisions, repeats, restarts."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.db.tables import Job, RemoteJob
from app.domain.people.permissions import Role
from app.services.workflows import orchestrator
from tests.support.app import make_client, place_replay, running, settings_for
from tests.support.deck import Deck
from tests.support.service import mgo
from tests.support.waiting import until

GOOD = "replay mgo-scf/main.out seconds=0.1"
WRONG = "replay mgo-tolinteg/main.out seconds=0.1"
CYCLES = "replay nio-maxcycle/main.out seconds=0.1"


def step(name: str, *after: str, title: str = "", **more: Any) -> dict[str, Any]:
    parameters = {**({"title": title} if title else {}), **more.pop("parameters", {})}
    return {"name": name, "template": "scf", "after": list(after), "parameters": parameters, **more}


class Runs(Deck):
    async def start(self, *steps: dict[str, Any], **more: Any) -> str:
        definition = {"name": "test", "steps": list(steps), "outputs": more.pop("outputs", [])}
        body = {"definition": definition, "cluster": "here", "parameters": mgo(GOOD), "reuse": False} | more
        return str((await self.post("/runs", **body))["id"])

    async def until(self, run_id: str, *states: str, step: str = "", within: float = 60) -> dict[str, Any]:
        """The run when it, or one of its steps, is in one of these states."""
        wanted = states or ("completed", "failed", "cancelled")

        async def there() -> dict[str, Any] | None:
            run: dict[str, Any] = await self.get(f"/runs/{run_id}")
            state = next(one["state"] for one in run["steps"] if one["name"] == step) if step else run["state"]
            return run if state in wanted else None

        run = await until(there, f"{step or 'the run'} in {wanted}", within)
        assert run is not None
        return run


def states(run: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["state"] for one in run["steps"]}


def tasks(run: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return next(one["tasks"] for one in run["steps"] if one["name"] == name)


@pytest.fixture
async def deck(start: Callable[..., Any]) -> AsyncIterator[Runs]:
    async with start() as app, await make_client(app) as client:
        yield Runs(app, client)


# -- what a notebook sends -------------------------------------------------------------------------------------------------


async def test_a_chain_passes_files_and_values(deck: Runs) -> None:
    run_id = await deck.start(
        step("first"),
        step("second", "first"),
        {"name": "sums", "values": {"twice": "2 * steps.second.results.energy_total"}},
        step("third", parameters={"a": "{{ 4 + steps.sums.values.twice / -1000 }}"}),
        outputs=[{"name": "twice", "value": "{{ steps.sums.values.twice }}"},
                 {"name": "none", "value": "{{ steps.first.results.gap_spin_ev.x }}"}],
    )  # fmt: skip
    run = await deck.until(run_id)
    assert run["state"] == "completed", run["remark"]
    assert run["outputs"]["twice"]["value"] == pytest.approx(2 * tasks(run, "second")[0]["energy_total"])
    assert run["outputs"]["none"]["value"] is None
    first, second, third = (tasks(run, name)[0]["job"] for name in ("first", "second", "third"))
    found = await deck.get(f"/jobs/{third}/provenance")
    assert {(one["source"], one["target"], one["kind"], one["name"]) for one in found["passed"]} == {
        (first, second, "file", "fort.20"), (second, third, "value", "a"),
    }  # fmt: skip
    upstream = await deck.get(f"/jobs/{first}/provenance")
    assert {one["id"] for one in upstream["jobs"]} == {first, second, third}
    origin = next(one for one in found["jobs"] if one["id"] == second)
    assert (origin["run"], origin["step"], origin["person"], origin["cluster"]) == (run_id, "second", "ada", "here")
    assert origin["program"].startswith("CRYSTAL")


async def test_everything_wrong_is_said_before_anything_is_submitted(deck: Runs) -> None:
    async def refused(*steps: dict[str, Any], **more: Any) -> list[str]:
        body = {"definition": {"name": "x", "steps": list(steps)}, "cluster": "here", "parameters": mgo(GOOD)} | more
        answer = await deck.client.post("/api/v1/runs", json=body)
        assert answer.status_code == 422, answer.text
        return [error["field"] for error in answer.json()["errors"]]

    assert await refused(step("a", "z")) == ["steps.a.after"]
    assert await refused(step("a", parameters={"shrink": 0})) == ["steps.a.parameters.shrink"]
    assert await refused(step("a"), parameters=mgo(GOOD, colour="red")) == ["parameters.colour"]
    assert await refused(step("a"), parameters=mgo(GOOD, space_group=999)) == ["steps.a.space_group"]
    assert await refused(step("a"), step("b"), parameters=mgo(GOOD, space_group=999)) == ["space_group"]
    assert await refused(step("a"), cluster="nowhere") == ["cluster"]
    assert await refused(step("a", resources={"ntasks": 64})) == ["resources.ntasks"]
    assert await refused(step("a", parameters={"atoms": [["U", 0, 0, 0]]})) != []
    assert (await deck.client.post("/api/v1/runs", json={"cluster": "here"})).status_code == 422
    assert await deck.get("/runs") == []


async def test_a_key_makes_one_run(deck: Runs) -> None:
    body = {"definition": {"name": "once", "steps": [step("a")]}, "cluster": "here", "parameters": mgo(GOOD)}
    headers = {"Idempotency-Key": "abc"}
    answers = [await deck.client.post("/api/v1/runs", json=body, headers=headers) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = await deck.client.post("/api/v1/runs", json=body | {"name": "other"}, headers=headers)
    assert other.status_code == 409


@pytest.mark.parametrize("path", ["runs", "jobs"])
async def test_a_key_that_is_too_long_is_refused(deck: Runs, path: str) -> None:
    """Cut, two long keys would be the same one, and the second request would be answered with what the first made."""
    if path == "runs":
        definition = {"name": "long", "steps": [step("a")]}
        body: dict[str, Any] = {"definition": definition, "cluster": "here", "parameters": mgo(GOOD)}
    else:
        body = {"template": "scf", "cluster": "here", "parameters": mgo(GOOD)}
    answer = await deck.client.post(f"/api/v1/{path}", json=body, headers={"Idempotency-Key": "k" * 201})
    assert answer.status_code == 422
    assert "200 characters" in answer.json()["detail"]
    assert await deck.get(f"/{path}") in ([], {"jobs": [], "cursor": ""})


# -- what follows a failure ------------------------------------------------------------------------------------------------


async def test_dependants_are_skipped_and_others_go_on(deck: Runs) -> None:
    run = await deck.until(
        await deck.start(step("a", title=WRONG), step("b", "a"), step("c", "b"), step("d"), step("e", "d"))
    )
    assert run["state"] == "failed"
    assert states(run) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "completed", "e": "completed"}


async def test_a_step_that_may_fail_does_not_stop_a_gathering(deck: Runs) -> None:
    points = step("points", over=[{"title": GOOD}, {"title": WRONG}, {"title": GOOD, "a": 4.3}], on_failure="continue")
    gather = {"name": "best", "values": {"energy": "min(steps.points.results.energy_total)", "n": "len(steps.points)"}}
    run = await deck.until(await deck.start(points, gather))
    assert run["state"] == "completed", run
    assert tasks(run, "best")[0]["values"]["n"] == 3
    assert "1 of 3" in next(one["message"] for one in run["steps"] if one["name"] == "points")


async def test_a_condition_skips_a_step(deck: Runs) -> None:
    run = await deck.until(
        await deck.start(
            step("a"), step("metal", when="steps.a.results.gap_ev < 0.1"),
            step("insulator", when="steps.a.results.gap_ev > 0.1"),
        )
    )  # fmt: skip
    assert run["state"] == "completed"
    assert sorted(states(run).values()) == ["completed", "completed", "skipped"]


async def test_a_remedy_is_applied_and_told(deck: Runs) -> None:
    """TOO MANY CYCLES: more cycles from the wave function so far, then more mixing; then nothing is left."""
    run = await deck.until(await deck.start(step("a", title=CYCLES, remedies=["longer", "more_cycles", "more_mixing"])))
    assert run["state"] == "failed"
    [task] = tasks(run, "a")
    assert [entry["remedy"] for entry in task["earlier"]] == ["more_cycles", "more_mixing"]
    first = task["earlier"][0]["job"]
    second = await deck.get(f"/jobs/{task['earlier'][1]['job']}")
    last = await deck.get(f"/jobs/{task['job']}")
    assert second["parameters"]["maxcycle"] == 200
    assert second["parameters"]["guess_file"] == f"job:{first}/fort.9"
    assert (last["parameters"]["maxcycle"], last["parameters"]["fmixing"]) == (200, 80)
    assert "GUESSP" in second["decks"]["scf.d12"]


async def test_a_failure_of_the_machine_is_tried_again_a_few_times(deck: Runs) -> None:
    """The work directory cannot be written: nothing was wrong with the job."""
    work = Path(deck.context.settings.clusters["here"].workdir)
    work.parent.mkdir(parents=True, exist_ok=True)
    work.write_text("a file in the place of a folder")
    run_id = await deck.start(step("a", retries=3, backoff=0.3))
    run = await deck.until(run_id, "running", step="a")

    async def tried() -> Any:
        return tasks(await deck.get(f"/runs/{run_id}"), "a")[0]["earlier"]

    await until(tried)
    work.unlink()
    run = await deck.until(run_id)
    assert run["state"] == "completed", run["remark"]
    assert "machine failure" in tasks(run, "a")[0]["earlier"][0]["why"]


async def test_a_person_decides(deck: Runs) -> None:
    run_id = await deck.start(step("a", title=WRONG, on_failure="ask"), step("b", "a"), step("c"))
    run = await deck.until(run_id, "asking", step="a")
    assert run["state"] == "running"
    await deck.until(run_id, "completed", step="c")
    assert "decision on a" in (await deck.get(f"/runs/{run_id}"))["remark"]
    answer = await deck.client.post(
        f"/api/v1/runs/{run_id}/steps/a/decision", json={"choice": "retry", "parameters": {"nothing": 1}}
    )
    assert answer.status_code == 422
    await deck.post(f"/runs/{run_id}/steps/a/decision", 200, choice="retry", parameters={"title": GOOD})
    run = await deck.until(run_id)
    assert run["state"] == "completed", run["remark"]
    assert "Retried by ada" in tasks(run, "a")[0]["earlier"][0]["why"]
    again = await deck.client.post(f"/api/v1/runs/{run_id}/steps/a/decision", json={"choice": "retry"})
    assert again.status_code == 409


async def test_somebody_gives_up(deck: Runs) -> None:
    run_id = await deck.start(step("a", title=WRONG, on_failure="ask"), step("b", "a"))
    await deck.until(run_id, "asking", step="a")
    await deck.post(f"/runs/{run_id}/steps/a/decision", 200, choice="give_up")
    assert states(await deck.until(run_id, "failed")) == {"a": "failed", "b": "skipped"}


# -- pausing, cancelling, repeating ----------------------------------------------------------------------------------------


async def test_a_pause_lets_nothing_begin(deck: Runs) -> None:
    run_id = await deck.start(step("a", title=GOOD.replace("0.1", "1.5")), step("b", "a"))
    await deck.until(run_id, "running", step="a")
    await deck.post(f"/runs/{run_id}/pause", 200)
    await deck.until(run_id, "completed", step="a")
    await asyncio.sleep(1.0)
    assert states(await deck.get(f"/runs/{run_id}"))["b"] == "waiting"
    assert (await deck.client.post(f"/api/v1/runs/{run_id}/pause")).status_code == 409
    await deck.post(f"/runs/{run_id}/resume", 200)
    assert (await deck.until(run_id))["state"] == "completed"


async def test_a_cancelled_run_ends_its_jobs(deck: Runs) -> None:
    run_id = await deck.start(step("a", title=GOOD.replace("0.1", "60")), step("b", "a"))

    async def running() -> Any:
        # A task that is active shows the state of its job.
        listed = tasks(await deck.get(f"/runs/{run_id}"), "a")
        return listed and listed[0]["state"] == "running" and listed[0]["job"]

    job = await until(running)
    await deck.post(f"/runs/{run_id}/cancel", 200)
    run = await deck.until(run_id, "cancelled", step="a")
    assert (run["state"], states(run)) == ("cancelled", {"a": "cancelled", "b": "cancelled"})
    assert (await deck.get(f"/jobs/{job}"))["state"] == "cancelled"


async def test_only_what_depends_on_a_change_is_computed_again(deck: Runs) -> None:
    run_id = await deck.start(step("a"), step("b", "a"), step("c", "b"), step("d", parameters={"a": 4.3}))
    first = await deck.until(run_id)
    changed = await deck.post(f"/runs/{run_id}/rerun", steps={"b": {"toldee": 9}})
    second = await deck.until(changed["id"])
    assert second["state"] == "completed"
    # What b leaves is the same as before, byte for byte: so c has nothing new to compute.
    assert {name: tasks(second, name)[0]["reused"] for name in "abcd"} == {"a": True, "b": False, "c": True, "d": True}
    assert tasks(second, "a")[0]["job"] == tasks(first, "a")[0]["job"]
    assert second["origin"] == run_id
    assert (await deck.get(f"/runs/{run_id}"))["repeats"] == [changed["id"]]
    from_c = await deck.until((await deck.post(f"/runs/{run_id}/rerun", step="c"))["id"])
    assert {name: tasks(from_c, name)[0]["reused"] for name in "abcd"} == {"a": True, "b": True, "c": False, "d": True}
    anew = await deck.until((await deck.post(f"/runs/{run_id}/rerun"))["id"])
    assert not any(tasks(anew, name)[0]["reused"] for name in "abcd")
    wrong = await deck.client.post(f"/api/v1/runs/{run_id}/rerun", json={"parameters": {"shrink": 0}})
    assert wrong.status_code == 422


async def test_others_may_look_and_repeat_but_not_change(deck: Runs) -> None:
    run_id = await deck.start(step("a"))
    await deck.until(run_id)
    async with await make_client(deck.app, "eve", Role.MEMBER) as eve:
        assert (await eve.get(f"/api/v1/runs/{run_id}")).status_code == 200
        assert (await eve.post(f"/api/v1/runs/{run_id}/cancel")).status_code == 403
        assert (await eve.post(f"/api/v1/runs/{run_id}/rerun", json={})).status_code == 201
    async with await make_client(deck.app, "viv", Role.VIEWER) as viv:
        assert (await viv.post(f"/api/v1/runs/{run_id}/rerun", json={})).status_code == 403
        assert (await viv.get(f"/api/v1/runs/{run_id}/export")).status_code == 200


# -- workflows in workflows ------------------------------------------------------------------------------------------------


async def test_a_workflow_for_each_of_several_rows(deck: Runs) -> None:
    inner = {"name": "inner", "steps": [step("one"), step("two", "one")],
             "outputs": [{"name": "energy", "value": "{{ steps.two.results.energy_total }}"}]}  # fmt: skip
    await deck.post("/workflows", definition=inner, comment="first")
    # What is wrong inside is said before anything begins.
    wrong = {"name": "x", "steps": [{"name": "each", "workflow": "inner", "over": [{"a": 4.1}, {"a": 0.1}]}]}
    answer = await deck.client.post(
        "/api/v1/runs", json={"definition": wrong, "cluster": "here", "parameters": mgo(GOOD)}
    )
    assert answer.status_code == 422
    assert "at least 0.5" in answer.json()["detail"]
    outer = [
        {"name": "each", "workflow": "inner", "over": [{"a": 4.1}, {"a": 4.2}, {"a": 4.3}]},
        {"name": "gather", "values": {"all": "steps.each.outputs.energy"}},
        {"name": "again", "workflow": "inner", "after": ["gather"]},
    ]
    run = await deck.until(await deck.start(*outer))
    assert run["state"] == "completed", run["remark"]
    assert len(tasks(run, "gather")[0]["values"]["all"]) == 3
    child = await deck.get(f"/runs/{tasks(run, 'each')[1]['run']}")
    job = await deck.get(f"/jobs/{tasks(child, 'one')[0]['job']}")
    assert job["parameters"]["a"] == 4.2
    # What the gathered values came from is known through the inner runs.
    assert len(tasks(run, "gather")[0]["uses"][0]["jobs"]) == 6
    assert [one["name"] for one in await deck.get("/runs")] == ["test"]
    exported = await deck.client.get(f"/api/v1/runs/{run['id']}/export")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        record = json.loads(archive.read("provenance.json"))
    assert sorted(job["step"] for job in record["jobs"]) == ["again"] * 2 + ["each"] * 6


async def test_an_inner_run_that_is_cancelled_ends_the_outer_one(deck: Runs) -> None:
    inner = {"name": "inner", "steps": [step("one")]}
    await deck.post("/workflows", definition=inner)
    outer = [{"name": "each", "workflow": "inner"}, step("behind", "each")]
    run_id = await deck.start(*outer, parameters=mgo(GOOD.replace("0.1", "60")))

    async def begun() -> Any:
        listed = tasks(await deck.get(f"/runs/{run_id}"), "each")
        return listed and listed[0]["run"]

    await deck.post(f"/runs/{await until(begun)}/cancel", 200)
    run = await deck.until(run_id)
    assert (run["state"], states(run)) == ("cancelled", {"each": "cancelled", "behind": "skipped"})


async def test_the_library_keeps_versions(deck: Runs) -> None:
    definition = {"name": "mine", "steps": [step("a")]}
    saved = await deck.post("/workflows", definition=definition)
    assert (saved["version"], saved["author"]) == ("1", "ada")
    changed = definition | {"title": "Mine"}
    assert (await deck.post("/workflows", definition=changed, expected=1))["version"] == "2"
    stale = await deck.client.post("/api/v1/workflows", json={"definition": changed, "expected": 1})
    assert stale.status_code == 409
    ready = await deck.client.post("/api/v1/workflows", json={"definition": definition | {"name": "convergence"}})
    assert ready.status_code == 409
    async with await make_client(deck.app, "eve", Role.MEMBER) as eve:
        assert (await eve.delete("/api/v1/workflows/mine")).status_code == 403
    assert (await deck.client.delete("/api/v1/workflows/mine")).status_code == 204
    assert (await deck.client.get("/api/v1/workflows/mine")).status_code == 404
    checked = await deck.post("/workflows/check", 200, **(definition | {"steps": [step("a", "z")]}))
    assert checked["problems"][0]["field"] == "after"


# -- restarts --------------------------------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_the_rows_say(tmp_path: Path) -> None:
    """The service is stopped between every two looks; no step gets two jobs."""
    place_replay(tmp_path)
    settings = settings_for(tmp_path, data=tmp_path / "deck")
    run_id, token = "", ""
    for _ in range(200):
        async with running(settings) as app:
            if not run_id:
                client = await make_client(app)
                token = str(client.headers["Authorization"])
            else:
                client = httpx.AsyncClient(
                    transport=httpx.ASGITransport(app), base_url="http://testserver", headers={"Authorization": token}
                )
            async with client:
                deck = Runs(app, client)
                if not run_id:
                    run_id = await deck.start(*(step(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(5)))
                await asyncio.sleep(0.6)
                run = await deck.get(f"/runs/{run_id}")
                if run["state"] != "running":
                    break
    assert run["state"] == "completed", [(one["state"], one["tasks"]) for one in run["steps"]]
    async with running(settings) as app, app.state.context.database.read() as session:
        made = (await session.exec(select(Job.id))).all()
        handed = (await session.exec(select(RemoteJob.scheduler_id))).all()
    assert len(made) == len(set(handed)) == 5


async def test_who_is_killed_while_a_beginning_is_worked_out_goes_on_with_it(
    deck: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def killed(*_: object) -> None:
        reached.set()
        raise asyncio.CancelledError

    monkeypatch.setattr(orchestrator, "_begun", killed)
    run_id = await deck.start(step("first"), step("second", "first"))
    await asyncio.wait_for(reached.wait(), 30)
    assert run_id in await orchestrator.busy(deck.app.state.context)
    monkeypatch.undo()
    assert (await deck.until(run_id))["state"] == "completed"


async def test_two_looks_at_once_make_one_job(deck: Runs) -> None:
    run_id = await deck.start(step("a"), step("b"))
    await asyncio.gather(*(orchestrator.work(deck.context, run_id) for _ in range(8)))
    run = await deck.until(run_id)
    assert run["state"] == "completed"
    async with deck.context.database.read() as session:
        assert len((await session.exec(select(Job.id))).all()) == 2
