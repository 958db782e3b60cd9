"""REST: from the schema to a finished job, and every way of being wrong."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from app.domain.people.permissions import Role, Scope
from app.errors import WorkStopped
from tests.support.app import make_client
from tests.support.service import TERMINAL, mgo
from tests.support.waiting import until_answer

SCF_OUTPUT = "mgo-scf/main.out"


def job(title: str = f"replay {SCF_OUTPUT}", **changes: Any) -> dict[str, Any]:
    return {"template": "scf", "parameters": mgo(title), "cluster": "here", "name": "mgo", **changes}


async def ended(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    return await until_answer(client, f"/api/v1/jobs/{job_id}", lambda job: job["state"] in TERMINAL)


async def test_health(app: FastAPI) -> None:
    client = await make_client(app)
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_a_notebook_goes_from_the_schema_to_the_energy(app: FastAPI) -> None:
    client = await make_client(app)
    templates = (await client.get("/api/v1/templates")).json()
    assert {item["id"] for item in templates} >= {"scf", "optimization", "bands", "dos", "phonon", "raw"}
    schema = (await client.get("/api/v1/templates/scf/schema")).json()
    jsonschema.Draft202012Validator.check_schema(schema)
    example = schema["examples"][0]
    jsonschema.validate(example, schema)
    rendered = (await client.post("/api/v1/templates/scf/render", json={"parameters": example})).json()
    assert rendered["decks"]["scf.d12"].startswith("MgO\nCRYSTAL\n")
    made = await client.post("/api/v1/jobs", json=job())
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/api/v1/jobs/{made.json()['id']}"
    found = await ended(client, made.json()["id"])
    assert found["state"] == "completed", found["reason"]
    assert found["results"]["energy_total"] == -271.1234567891
    assert found["results"]["program"] == "CRYSTAL17"
    listed = (await client.get("/api/v1/jobs", params={"state": "completed", "text": "mgo"})).json()["jobs"]
    assert [item["id"] for item in listed] == [found["id"]]
    files = (await client.get(f"/api/v1/jobs/{found['id']}/files")).json()
    assert "scf.out" in {item["name"] for item in files}
    output = await client.get(f"/api/v1/jobs/{found['id']}/files/scf.out")
    assert output.headers["content-disposition"].startswith("attachment")
    assert b"CRYSTAL17" in output.content


async def test_a_list_is_made_whole_or_not_at_all(app: FastAPI) -> None:
    client = await make_client(app)
    wrong = job()
    wrong["parameters"] = {**wrong["parameters"], "a": "NaN"}
    answer = await client.post("/api/v1/jobs", json=[job(), wrong])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "a"
    assert "Job 2 of 2" in answer.json()["detail"]
    assert (await client.get("/api/v1/jobs")).json()["jobs"] == []


async def test_the_same_idempotency_key_makes_the_same_jobs(app: FastAPI) -> None:
    client = await make_client(app)
    headers = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(client.post("/api/v1/jobs", json=job(), headers=headers) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await client.post("/api/v1/jobs", json=job(name="other"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"template": "nonsense"}, 404, None),
        ({"cluster": "nowhere"}, 422, "cluster"),
        ({"name": "rm -rf $(HOME)"}, 422, "name"),
        ({"name": "-leading"}, 422, "name"),
        ({"name": "a\nb"}, 422, "name"),
        ({"priority": "now"}, 422, "priority"),
        ({"resources": {"walltime": "soon"}}, 422, "resources.walltime"),
        ({"resources": {"ntasks": 0}}, 422, "resources.ntasks"),
        ({"resources": {"ntasks": 64}}, 422, "resources.ntasks"),
        ({"resources": {"partition": "main; reboot"}}, 422, "resources.partition"),
        ({"resources": {"gpus": 1}}, 422, "resources.gpus"),
        ({"parent": "nothing"}, 404, None),
        ({"extra": 1}, 422, None),
    ],
)
async def test_wrong_requests_are_named(app: FastAPI, changes: dict[str, Any], status: int, field: str | None) -> None:
    client = await make_client(app)
    answer = await client.post("/api/v1/jobs", json=job(**changes))
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["detail"] and problem["hint"] and problem["code"]
    if field:
        assert field in {error["field"] for error in problem["errors"]}
    assert (await client.get("/api/v1/jobs")).json()["jobs"] == []


async def test_pages_of_the_list(app: FastAPI) -> None:
    client = await make_client(app)
    ids = [(await client.post("/api/v1/jobs", json=job(name=f"job{n}"))).json()["id"] for n in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await client.get("/api/v1/jobs", params={"limit": 2, "cursor": cursor})).json()
        seen += [item["id"] for item in page["jobs"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert seen == ids[::-1]
    assert (await client.get("/api/v1/jobs", params={"cursor": "!!"})).status_code == 422
    assert (await client.get("/api/v1/jobs", params={"state": "lost"})).status_code == 422


async def test_without_a_token_nothing_is_told(app: FastAPI) -> None:
    client = await make_client(app)
    bare = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")
    for path in app.openapi()["paths"]:
        if path.startswith("/api/"):
            for method in app.openapi()["paths"][path]:
                answer = await bare.request(
                    method,
                    path.format(template_id="scf", job_id="x", name="y", batch_id="z", run_id="r", step="s", mode=1),
                    json={},
                )
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/jobs", "/new", "/new/scf", "/clusters", "/live"):
        assert (await bare.get(path)).status_code in (303, 401), path
    wrong = await client.get("/api/v1/jobs", headers={"Authorization": "Bearer cdk_wrong"})
    assert wrong.status_code == 401


async def test_roles_and_scopes(app: FastAPI) -> None:
    admin = await make_client(app)
    made = (await admin.post("/api/v1/jobs", json=job())).json()["id"]
    viewer = await make_client(app, "vera", Role.VIEWER)
    member = await make_client(app, "max", Role.MEMBER)
    reader = await make_client(app, "rita", Role.ADMIN, Scope.JOBS_READ)
    assert (await viewer.get(f"/api/v1/jobs/{made}")).status_code == 200
    assert (await viewer.post("/api/v1/jobs", json=job())).status_code == 403
    assert (await member.post(f"/api/v1/jobs/{made}/cancel")).status_code == 403
    refused = await reader.post("/api/v1/jobs", json=job())
    assert (refused.status_code, "jobs:write" in refused.json()["detail"]) == (403, True)


async def test_files_cannot_be_fetched_from_elsewhere(app: FastAPI) -> None:
    client = await make_client(app)
    made = (await client.post("/api/v1/jobs", json=job())).json()["id"]
    for name in ("../../secrets/master.key", "%2e%2e/%2e%2e/x", "/etc/passwd", "..%2f..%2fx"):
        answer = await client.get(f"/api/v1/jobs/{made}/files/{name}")
        assert answer.status_code == 404


async def test_unknown_addresses_and_methods(app: FastAPI) -> None:
    client = await make_client(app)
    assert (await client.get("/api/v1/nothing")).json()["code"] == "not-found"
    assert (await client.delete("/api/v1/jobs")).status_code == 405
    assert (
        await client.post("/api/v1/jobs", content="{", headers={"content-type": "application/json"})
    ).status_code == 422
    assert (await client.get("/api/v1/jobs/unknown")).status_code == 404
    clusters = (await client.get("/api/v1/clusters")).json()
    assert [(item["name"], item["runner_type"]) for item in clusters] == [("here", "local")]


async def test_structures_and_checks(app: FastAPI) -> None:
    client = await make_client(app)
    known = {item["id"]: item for item in (await client.get("/api/v1/structures")).json()}
    assert known["MgO"]["parameters"]["a"] == 4.2113
    poscar = b"NaCl\n5.6402\n0 .5 .5\n.5 0 .5\n.5 .5 0\nNa Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
    read = await client.post("/api/v1/structures", files={"file": ("POSCAR", poscar)}, data={"tolerance": "0.0001"})
    assert read.status_code == 200, read.text
    found = read.json()
    assert (found["group"], found["format"], found["atoms_in_primitive_cell"]) == (225, "POSCAR", 2)
    parameters = {**found["parameters"], "basis_set": "STO-3G", "method": "HF"}
    deck = (await client.post("/api/v1/templates/scf/render", json={"parameters": parameters})).json()["decks"][
        "scf.d12"
    ]
    assert (await client.post("/api/v1/decks/check", json={"text": deck})).json() == []
    wrong = deck.replace("FMIXING", "FMIXNIG")
    [finding] = (await client.post("/api/v1/decks/check", json={"text": wrong, "role": "d12"})).json()
    assert (finding["severity"], finding["keyword"]) == ("note", "FMIXNIG") and "did you mean FMIXING" in finding[
        "message"
    ]
    assert wrong.split("\n")[finding["line"] - 1] == "FMIXNIG"
    refused = await client.post("/api/v1/structures", files={"file": ("POSCAR", b"\x00" * 1000)})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "structure.file")
    stranger = await make_client(app, "eve", Role.MEMBER, Scope.JOBS_READ)
    assert (await stranger.post("/api/v1/structures", files={"file": ("POSCAR", poscar)})).status_code == 403


async def test_a_file_that_kills_its_reader_harms_nothing(app: FastAPI) -> None:
    client = await make_client(app)
    poscar = b"H\n3\n1 0 0\n0 1 0\n0 0 1\nH\n1\nDirect\n0 0 0\n"
    assert (await client.post("/api/v1/structures", files={"file": ("POSCAR", poscar)})).status_code == 200
    with pytest.raises(WorkStopped, match="its process ended"):
        await app.state.context.workers.run(1, os._exit, 9)
    assert (await client.post("/api/v1/structures", files={"file": ("POSCAR", poscar)})).status_code == 200


async def test_the_queue_over_rest(app: FastAPI) -> None:
    client = await make_client(app)
    assert (await client.post("/api/v1/queue/pause", json={"reason": "tests"})).status_code == 204
    made = (
        await client.post("/api/v1/jobs", json=[{"template": "scf", "parameters": mgo(), "cluster": "here"}] * 2)
    ).json()
    ids = [job["id"] for job in made]
    why = (await client.get(f"/api/v1/jobs/{ids[1]}/waiting")).json()
    assert why == ["All clusters: Paused by ada: tests.", "1 job of this cluster comes first."]
    answer = await client.post("/api/v1/queue/actions", json={"action": "first", "ids": [ids[1], "unknown0"]})
    assert [entry["done"] for entry in answer.json()] == [True, False]
    assert (await client.get(f"/api/v1/jobs/{ids[1]}/waiting")).json() == ["All clusters: Paused by ada: tests."]
    late = await client.post(
        "/api/v1/queue/actions?owner=ada", json={"action": "start", "all": True, "value": "2030-01-01T00:00"}
    )
    assert len(late.json()) == 2
    assert (await client.get(f"/api/v1/jobs/{ids[0]}")).json()["not_before"].startswith("2030-01-01T00:00")
    wrong = await client.post("/api/v1/queue/actions", json={"action": "explode"})
    assert wrong.status_code == 422
    viewer = await make_client(app, "eve", Role.VIEWER)
    assert (await viewer.post("/api/v1/queue/resume", json={})).status_code == 403
    assert (await client.post("/api/v1/queue/resume", json={})).status_code == 204
