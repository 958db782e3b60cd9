"""Batches over REST, on SQLite and on PostgreSQL."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import httpx
from fastapi import FastAPI

from app.domain.people.permissions import Role, Scope
from tests.support.app import make_client
from tests.support.service import mgo
from tests.support.structures import rock_salt
from tests.support.waiting import until_answer

TITLE = "replay mgo-scf/main.out seconds=0.1"


async def until(client: httpx.AsyncClient, batch_id: str, state: str) -> dict[str, Any]:
    """The batch once it is in a state, nothing is left to do, and its jobs have ended."""

    def ready(batch: dict[str, Any]) -> bool:
        jobs = {row["job_state"] for row in batch["rows"]} - {None}
        return batch["state"] == state and not batch["busy"] and jobs <= {"completed", "failed", "cancelled"}

    return await until_answer(client, f"/api/v1/batches/{batch_id}", ready)


async def test_a_batch_from_a_notebook(app: FastAPI) -> None:
    client = await make_client(app)
    asked = {"template": "scf", "cluster": "here", "name": "from a notebook", "parameters": mgo(TITLE), "submit": False}
    unknown = await client.post("/api/v1/batches", json=asked | {"parameters": {"colour": "red"}})
    assert unknown.status_code == 422 and "no parameter 'colour'" in unknown.json()["detail"]
    rows = [
        {"name": "a", "parameters": {"a": 4.1}},
        {"name": "b", "parameters": {"a": -1}},
        {"resources": {"walltime": "x"}},
    ]
    made = await client.post("/api/v1/batches", json=asked | {"rows": rows, "naming": "{name}"})
    assert made.status_code == 201, made.text
    batch_id = made.json()["id"]
    files = [("files", ("MgO.cif", rock_salt("Mg", "O", 4.3)))]
    assert (await client.post(f"/api/v1/batches/{batch_id}/structures", files=files)).status_code == 201
    found = await until(client, batch_id, "draft")
    assert [row["state"] for row in found["rows"]] == ["ready", "wrong", "wrong", "ready"]
    assert "a must be at least" in found["rows"][1]["message"] and "walltime" in found["rows"][2]["message"]
    # A page of a row shows the deck that it becomes, line by line.
    shown = (await client.get(f"/batches/{batch_id}/rows/4")).text
    assert '<pre id="deck-1"' in shown and "4.3" in shown.partition('<pre id="deck-1"')[2].partition("</pre>")[0]
    stranger = await make_client(app, "bob", Role.MEMBER)
    assert (await stranger.post(f"/api/v1/batches/{batch_id}/submit")).status_code == 403
    reader = await make_client(app, "eve", Role.MEMBER, Scope.JOBS_READ)
    assert (await reader.post("/api/v1/batches", json=asked)).status_code == 403
    assert (await client.post(f"/api/v1/batches/{batch_id}/submit")).status_code == 202
    found = await until(client, batch_id, "made")
    ids = [row["job"] for row in found["rows"] if row["job"]]
    assert [row["job_state"] for row in found["rows"]] == ["completed", None, None, "failed"]
    # The file brings its own title, by which the replaying program finds no recording.
    assert (await client.delete(f"/api/v1/batches/{batch_id}")).status_code == 409
    listed = (await reader.get("/api/v1/batches")).json()
    assert [(one["name"], one["owner"], one["jobs"]) for one in listed] == [
        ("from-a-notebook", "ada", {"completed": 1, "failed": 1})
    ]
    compared = (await reader.get("/api/v1/comparison", params={"id": ids})).json()
    assert compared["differing"]["a"] == ["4.1", "4.3"] and compared["relative"] == [0.0, None]
    advice = (await reader.get("/api/v1/estimates", params={"template": "scf", "cluster": "here", "atoms": 2})).json()
    assert advice["jobs"] == 1 and advice["suggested_walltime"] == "00:10:00"
    assert (await reader.get("/api/v1/estimates", params={"template": "bands", "cluster": "here"})).json() is None
    packed = await reader.get("/api/v1/download", params={"batch": batch_id, "all": True})
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert {name.partition("/")[2] for name in archive.namelist()} >= {"scf.d12", "scf.out", "job.sh"}
    again = await client.post("/api/v1/batches", json=asked | {"rows": rows[:1]})
    found = await until(client, again.json()["id"], "draft")
    assert found["rows"][0]["state"] == "known" and ids[0] in found["rows"][0]["message"]
    assert (await client.delete(f"/api/v1/batches/{again.json()['id']}")).status_code == 204
    for one in (client, stranger, reader):
        await one.aclose()


async def test_actions_over_rest(app: FastAPI) -> None:
    client = await make_client(app)
    job = {"template": "scf", "parameters": mgo(TITLE), "cluster": "here", "draft": True}
    made = (await client.post("/api/v1/jobs", json=job)).json()
    assert made["state"] == "draft"
    wrong = await client.post("/api/v1/queue/actions", json={"action": "paint", "ids": [made["id"]]})
    assert wrong.status_code == 422 and "no action 'paint'" in wrong.json()["detail"]
    tagged = await client.post(
        "/api/v1/queue/actions", json={"action": "tag", "ids": [made["id"], "x"], "value": "mine"}
    )
    assert [(one["done"], one["reason"]) for one in tagged.json()] == [(True, ""), (False, "There is no such job.")]
    found = (await client.get("/api/v1/jobs", params={"tag": "mine"})).json()["jobs"]
    assert [(one["id"], one["tags"], one["batch"]) for one in found] == [(made["id"], ["mine"], None)]
    await client.aclose()
