"""Workflows on the real SLURM: files from step to step, a diamond with a fan-out, a failure in the middle, thirty kills."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from crystaldeck import Failed, Server, Workflow, WorkflowStep

from tests.support.machines.lab import Lab
from tests.support.service import Service, mgo, quick
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
SCF = "replay mgo-scf/main.out"
WRONG = "replay mgo-tolinteg/main.out seconds=1"
KILLS = 30


def job_of(run: dict[str, Any], step: str, number: int = 0) -> str:
    """The job of a step."""
    own = next(one for one in run["steps"] if one["name"] == step)
    return str(own["tasks"][number]["job"])


@pytest.mark.preview
def test_optimisation_scf_and_bands(lab_service: Service) -> None:
    """Geometry and wave function pass on the cluster; the bands of the last step are drawn."""
    asked = quick() | {"a": 3.183, "toldee": 7, "points": 40, "last_band": 4}
    del asked["gilat"]
    started = lab_service.start_run(workflow="optimization_bands", cluster="real", parameters=asked, reuse=False)
    run = lab_service.wait_run(started["id"], 400)
    assert run["state"] == "completed", run["remark"]
    assert {step["name"]: step["state"] for step in run["steps"]} == dict.fromkeys(
        ("geom_opt", "single_point", "bands"), "completed"
    )
    opt, single, bands = (lab_service.job(job_of(run, step)) for step in ("geom_opt", "single_point", "bands"))
    sums = {(job["id"], file["name"]): file["sha256"] for job in (opt, single) for file in job["files"]}
    passed = {
        (one["source"], one["target"], one["name"]): one["detail"]
        for one in lab_service.client.get(f"/jobs/{bands['id']}/provenance").json()["passed"]
    }
    assert passed == {
        (opt["id"], single["id"], "fort.34"): sums[opt["id"], "fort.34"],
        (opt["id"], single["id"], "fort.20"): sums[opt["id"], "fort.9"],
        (opt["id"], bands["id"], "fort.34"): sums[opt["id"], "fort.34"],
        (single["id"], bands["id"], "fort.9"): sums[single["id"], "fort.9"],
    }
    assert opt["results"]["optimization"]["converged"]
    assert opt["results"]["geometry"]["conventional_cell"][0] == pytest.approx(3.184, abs=0.005)
    assert single["results"]["energy_total"] == pytest.approx(opt["results"]["energy_total"], abs=1e-6)
    # The density of the optimisation is nearly the answer already.
    assert single["results"]["scf_cycles"] <= 4
    assert "EXTERNAL" in single["decks"]["scf.d12"]
    assert "GUESSP" in single["decks"]["scf.d12"]
    assert list(bands["decks"]) == ["bands.d3"]
    assert bands["results"]["bands"]["count"] == 4
    assert run["outputs"]["energy"]["value"] == single["results"]["energy_total"]
    assert len(run["outputs"]["cell"]["value"]) == 6


def diamond(wrong: bool = False) -> dict[str, Any]:
    """First → ten points and a middle step → values gathered → last; `wrong`: the middle step fails."""
    middle = {"name": "middle", "template": "scf", "after": ["first"]}
    if wrong:
        middle["parameters"] = {"title": WRONG}
    return {
        "name": "diamond",
        "steps": [
            {"name": "first", "template": "scf"},
            {"name": "points", "template": "scf", "after": ["first"], "over": {"a": "4.10..4.28 count 10"}},
            middle,
            {"name": "gather", "values": {"lowest": "min(steps.points.results.energy_total)",
                                          "many": "len(steps.points.results.energy_total)"}, "after": ["middle"]},
            {"name": "last", "template": "scf", "after": ["gather"],
             "parameters": {"a": "{{ 4 + steps.gather.values.many / 100 }}"}},
            {"name": "beside", "template": "scf", "after": ["points"], "parameters": {"a": 4.3}},
        ],
        "outputs": [{"name": "lowest", "value": "{{ steps.gather.values.lowest }}", "unit": "Ha"}],
    }  # fmt: skip


def test_a_diamond_with_a_fan_out_of_ten(lab: Lab, lab_service: Service) -> None:
    asked = mgo(f"{SCF} seconds=1")
    started = lab_service.start_run(definition=diamond(), name="diamond", cluster="lab", parameters=asked, reuse=False)
    run = lab_service.wait_run(started["id"], 200)
    assert run["state"] == "completed", run["remark"]
    tasks = {step["name"]: step["tasks"] for step in run["steps"]}
    assert [task["item"]["a"] for task in tasks["points"]] == pytest.approx([4.10 + 0.02 * n for n in range(10)])
    assert run["outputs"]["lowest"]["value"] == pytest.approx(-271.3, abs=0.5)
    # A value that passed is a parameter of the job, and its provenance names the ten jobs.
    last = lab_service.job(tasks["last"][0]["job"])
    assert last["parameters"]["a"] == pytest.approx(4.10)
    assert len(tasks["gather"][0]["uses"][0]["jobs"]) == 10
    assert len(lab.ended_rows("diamond-", 14)) == 14


def test_a_failing_step_skips_what_depends_on_it(lab_service: Service) -> None:
    """Sent by the package for notebooks."""
    token = str(lab_service.client.headers["Authorization"]).removeprefix("Bearer ")
    deck = Server(lab_service.url, token)
    steps = [
        WorkflowStep(one["name"], one.get("template", ""), one.get("parameters", {}), one.get("after", []),
                     {key: one[key] for key in ("over", "values") if key in one})
        for one in diamond(wrong=True)["steps"]
    ]  # fmt: skip
    asked = mgo(f"{SCF} seconds=1")
    with pytest.raises(Failed, match="no parameter 'colour'") as caught:
        deck.submit(Workflow("broken", steps), "lab", asked | {"colour": "red"})
    assert caught.value.fields[0]["field"] == "parameters.colour"
    run = deck.wait(deck.submit(Workflow("broken", steps), "lab", asked, reuse=False)["id"], 200, every=0.5)
    deck.close()
    assert run["state"] == "failed"
    assert {step["name"]: step["state"] for step in run["steps"]} == {
        "first": "completed", "points": "completed", "middle": "failed", "gather": "skipped", "last": "skipped",
        "beside": "completed",
    }  # fmt: skip
    messages = {step["name"]: step["message"] for step in run["steps"]}
    assert "TOLINTEG" in messages["middle"]
    assert messages["gather"] == "The step middle failed."
    assert messages["last"] == "The step gather was skipped."


def ladder() -> dict[str, Any]:
    """Twenty steps: five chains of four that meet in the middle of each rung."""
    steps: list[dict[str, Any]] = []
    for rung in range(4):
        for place in range(5):
            after = [f"s{rung - 1}_{place}", f"s{rung - 1}_{(place + 1) % 5}"] if rung else []
            files = {"guess_file": f"s{rung - 1}_{place}:wavefunction"} if rung else {}
            steps.append(
                {"name": f"s{rung}_{place}", "template": "scf", "after": after, "files": files,
                 "parameters": {"a": 4 + rung / 10 + place / 100}}
            )  # fmt: skip
    return {"name": "ladder", "steps": steps}


def test_thirty_kills_at_random_moments(lab: Lab, tmp_path: Path) -> None:
    """Each step runs once, whatever the service was doing."""
    config = "poll_interval = 1\npoll_interval_busy = 0.5\n" + lab.cluster_table("lab", workdir="ladder")
    service = Service(tmp_path, config)
    service.add_user()
    chance = random.Random(20)
    runs: list[str] = []
    try:
        for _ in range(KILLS):
            service.start()
            if not runs or service.run(runs[-1])["state"] != "running":
                made = service.start_run(
                    definition=ladder(), name="ladder", cluster="lab", parameters=mgo(f"{SCF} seconds=2"), reuse=False
                )
                runs.append(made["id"])
            time.sleep(chance.uniform(0.05, 2.5))
            service.kill()
        service.start()
        ended = [service.wait_run(run_id, 300) for run_id in runs]
    finally:
        service.stop()
    assert [run["state"] for run in ended] == ["completed"] * len(runs), [run["remark"] for run in ended]
    jobs = [task["job"] for run in ended for step in run["steps"] for task in step["tasks"]]
    assert len(set(jobs)) == len(jobs) == 20 * len(runs)
    assert all(not task["earlier"] for run in ended for step in run["steps"] for task in step["tasks"])
    wait_until(lambda: len(lab.ended_rows("ladder-", len(jobs))) >= len(jobs), "the accounting", 60)
    rows = [row[0] for row in lab.ended_rows("ladder-", len(jobs))]
    assert len(rows) == len(set(rows)) == len(jobs)
