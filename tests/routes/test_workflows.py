"""Pages of workflows on both databases: library, editor, start, run; and the client of notebooks."""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from crystaldeck import Workflow, WorkflowStep
from fastapi import FastAPI

from app.domain.people.permissions import Role
from app.domain.workflows.definition import read_workflow
from app.services.workflows import editor as workflow_editor
from app.services.workflows import library as workflow_library
from app.services.workflows.editor import EditorForm
from tests.support.app import make_client
from tests.support.service import mgo
from tests.support.structures import rock_salt
from tests.support.waiting import until_answer

TITLE = "replay mgo-scf/main.out seconds=0.05"


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with await make_client(app) as client:
        yield client


def form(**changes: str) -> dict[str, str]:
    """What the form of a workflow sends."""
    values = {f"p_{key}": str(value) for key, value in mgo(TITLE).items() if key != "atoms"}
    values["p_atoms"] = "Mg 0 0 0\nO 0.5 0.5 0.5"
    return values | {"cluster": "here", "r_ntasks": "1", "r_walltime": "00:10:00"} | changes


async def until_ended(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    return await until_answer(client, f"/api/v1/runs/{run_id}", lambda run: run["state"] != "running")


async def test_from_the_library_to_the_results(client: httpx.AsyncClient) -> None:
    library = (await client.get("/workflows")).text
    assert "Optimisation, SCF and bands" in library
    assert "No runs yet" in library
    shown = await client.get("/workflows/convergence")
    assert shown.status_code == 200
    assert 'href="#step-final"' in shown.text
    start = (await client.get("/workflows/convergence/start")).text
    # What the workflow sets itself is not asked; its own inputs are.
    assert 'name="p_input_shrinks"' in start
    assert 'name="p_shrink"' not in start
    assert 'name="p_guess_file"' not in start
    assert "/attach/" not in start
    wrong = await client.post("/workflows/convergence/start", data=form(p_input_shrinks="2, 4", p_a="-1"))
    assert wrong.status_code == 422
    assert "must be at least 0.5" in wrong.text
    assert 'value="2, 4"' in wrong.text
    answer = await client.post(
        "/workflows/convergence/start", data=form(p_input_shrinks="2, 4, 6", p_input_tolerance="1", key="k1")
    )
    assert answer.status_code == 303, answer.text
    again = await client.post(
        "/workflows/convergence/start", data=form(p_input_shrinks="2, 4, 6", p_input_tolerance="1", key="k1")
    )
    assert again.headers["location"] == answer.headers["location"]
    run_id = answer.headers["location"].rpartition("/")[2]
    run = await until_ended(client, run_id)
    assert run["state"] == "completed", run["remark"]
    assert run["outputs"]["shrink"]["value"] == 2.0
    page = (await client.get(f"/runs/{run_id}")).text
    assert "Converged from" in page
    assert page.count('class="node state-completed"') == 3
    assert len(page.encode()) < 100_000
    step = (await client.get(f"/runs/{run_id}/steps/points")).text
    assert step.count('id="task-') == 3
    provenance = (await client.get(f"/runs/{run_id}/provenance")).text
    assert "number(steps.points" not in provenance
    assert provenance.count('<details class="deck" id="job-') == 4
    job = next(task["job"] for one in run["steps"] if one["name"] == "final" for task in one["tasks"])
    assert f'href="/runs/{run_id}"' in (await client.get(f"/jobs/{job}")).text
    assert (await client.get(f"/jobs/{job}/provenance")).status_code == 200
    for kind in ("zip", "rocrate", "aiida"):
        assert (await client.get(f"/runs/{run_id}/export/{kind}")).status_code == 200
    listed = (await client.get("/workflows", headers={"hx-request": "true"})).text
    assert f"/runs/{run_id}" in listed
    repeated = await client.post(f"/runs/{run_id}/rerun", data={"step": "final"})
    assert repeated.status_code == 303
    assert (await client.post(f"/runs/{run_id}/cancel")).status_code == 409


async def test_a_run_for_each_of_several_files(client: httpx.AsyncClient) -> None:
    files = [("structures", (f"MgO-{n}.cif", rock_salt("Mg", "O", 4.1 + n / 10), "chemical/x-cif")) for n in range(3)]
    wrong = await client.post(
        "/workflows/convergence/each", data=form(p_input_shrinks="2, 4"),
        files=[*files, ("structures", ("no.cif", b"nothing", "text/plain"))],
    )  # fmt: skip
    assert wrong.status_code == 422
    assert "no.cif" in wrong.text
    assert (await client.get("/api/v1/runs")).json() == []
    answer = await client.post(
        "/workflows/convergence/each",
        data=form(p_input_shrinks="2, 4", p_input_tolerance="0.9", name="set"),
        files=files,
    )
    assert answer.status_code == 303, answer.text
    listed = (await client.get("/api/v1/runs")).json()
    assert sorted(run["name"] for run in listed) == ["set-MgO-0", "set-MgO-1", "set-MgO-2"]
    cells = [(await client.get(f"/api/v1/runs/{run['id']}")).json()["parameters"]["a"] for run in listed]
    assert sorted(float(cell) for cell in cells) == [4.1, 4.2, 4.3]


async def test_the_editor_without_a_script(client: httpx.AsyncClient) -> None:
    """Every button is a form's: what is in the fields is the workflow."""

    def fields(text: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        text = re.sub(r"<[^>]*>", lambda tag: " ".join(tag.group().split()), text)
        for name, value in re.findall(r'<input[^>]*?name="([^"]+)"[^>]*?value="([^"]*)"(?=[^>]*>)', text):
            if (
                f'name="{name}" value="{value}"' in text
                and "checkbox" in text[text.index(f'name="{name}" value="{value}"') - 30 :][:30]
            ):
                continue
            found[name] = [html.unescape(value)]
        for name, value in re.findall(r'type="checkbox" name="([^"]+)" value="([^"]+)" checked', text):
            found.setdefault(name, []).append(value)
        for name, value in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', text):
            found[name] = [html.unescape(value)]
        for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', text, re.DOTALL):
            chosen = re.search(r'value="([^"]+)" selected', options)
            if chosen:
                found[name] = [chosen.group(1)]
        return found

    text = (await client.get("/workflows/edit")).text
    for kind in ("template:optimization", "template:scf", "template:bands"):
        sent = fields(text) | {"action": ["add"], "add_kind": [kind]}
        answer = await client.post("/workflows/edit", data=sent)
        assert answer.status_code == 200
        text = answer.text
    assert "The steps fit together." in text
    sent = fields(text) | {"name": ["by_hand"], "s1_parameters": ["toldee = 9\ncolour = red"]}
    refused = await client.post("/workflows", data=sent)
    assert refused.status_code == 422
    assert "is not a parameter of scf" in refused.text
    assert "colour = red" in refused.text
    saved = await client.post("/workflows", data=sent | {"s1_parameters": ["toldee = 9"]})
    assert saved.headers["location"] == "/workflows/by_hand"
    definition = (await client.get("/api/v1/workflows/by_hand")).json()["definition"]
    assert [one["name"] for one in definition["steps"]] == ["optimization", "scf", "bands"]
    assert definition["steps"][1] == {
        "name": "scf",
        "template": "scf",
        "parameters": {"toldee": 9},
        "after": ["optimization"],
    }
    removed = await client.post("/workflows/by_hand/remove")
    assert removed.status_code == 303
    assert (await client.get("/workflows/by_hand")).status_code == 404


async def test_viewers_look_only(app: FastAPI, client: httpx.AsyncClient) -> None:
    async with await make_client(app, "viv", Role.VIEWER) as viv:
        assert (await viv.get("/workflows")).status_code == 200
        assert "New workflow" not in (await viv.get("/workflows")).text
        for path in ("/workflows/edit", "/workflows/convergence/start"):
            assert (await viv.get(path)).status_code == 403
        assert (await viv.post("/workflows", data={"name": "x"})).status_code == 403


async def test_what_is_not_there(client: httpx.AsyncClient) -> None:
    paths = (
        "/workflows/none",
        "/workflows/none/start",
        "/runs/none",
        "/runs/none/provenance",
        "/jobs/none/provenance",
        "/runs/none/export/zip",
    )
    for path in paths:
        answer = await client.get(path)
        assert answer.status_code == 404, path
        assert "There is no" in answer.text
    assert (await client.post("/runs/none/fly")).status_code == 404


@pytest.mark.parametrize("name", workflow_library.built_in())
def test_the_editor_loses_nothing(name: str) -> None:
    """A workflow through the form and back, and through its TOML and back."""
    spec = workflow_library.built_in()[name]
    shown = workflow_editor.form_of(spec)
    assert workflow_library.read_workflow(workflow_editor.definition_of(shown)) == spec
    assert read_workflow(tomllib.loads(workflow_library.write_text(spec))) == spec


def test_a_renamed_step_keeps_its_place() -> None:
    sent = {
        "name": ["x"], "s0_name": ["opt"], "s0_was": ["optimization"], "s0_kind": ["template:optimization"], "s1_name": ["scf"],
        "s1_was": ["scf"], "s1_kind": ["template:scf"], "s1_after": ["optimization"],
        "s1_files": ["guess_file = optimization:wavefunction"],
    }  # fmt: skip
    [_, second] = workflow_editor.definition_of(workflow_editor.form_from(sent))["steps"]
    assert second["after"] == ["opt"]
    assert second["files"] == {"guess_file": "opt:wavefunction"}


def test_buttons_of_the_editor() -> None:
    made = EditorForm(name="x")
    for action in ("add:template:scf", "add:template:scf", "add:values", "up:1", "remove:9", "fly:1", "down:0"):
        made = workflow_editor.act(made, action)
    assert [one.text("name") for one in made.steps] == ["scf", "scf_2", "values"]
    made = workflow_editor.act(made, "remove:0")
    assert [(one.text("name"), one.listed("after")) for one in made.steps] == [("scf_2", []), ("values", ["scf_2"])]


async def test_a_notebook_writes_a_workflow(app: FastAPI, client: httpx.AsyncClient) -> None:
    """The classes as people write them, sent to the service."""
    workflow = Workflow(
        name="optimization_bands",
        steps=[
            WorkflowStep("geom_opt", "optimization.d12.j2", {}, []),
            WorkflowStep("single_point", "scf.d12.j2", {}, ["geom_opt"]),
            WorkflowStep("bands", "bands.d12.j2", {}, ["single_point"]),
        ],
    )
    checked = (await client.post("/api/v1/workflows/check", json=workflow.definition())).json()
    assert checked["problems"] == []
    assert checked["steps"][2]["files"] == {
        "geometry_file": "geom_opt:geometry",
        "wavefunction_file": "single_point:wavefunction",
    }
    body = {"definition": workflow.definition(), "cluster": "here", "parameters": mgo(TITLE, toldee=7)}
    answer = await client.post("/api/v1/runs", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "optimization_bands"
