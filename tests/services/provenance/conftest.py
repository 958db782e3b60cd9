"""One finished run whose exports are judged: a failure with a remedy, a fan-out, files and values that passed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import make_client, place_replay, running, settings_for
from tests.support.service import mgo
from tests.support.waiting import until_answer

GOOD = "replay mgo-scf/main.out seconds=0.05"
DEFINITION = {
    "name": "judged",
    "title": "A run that is judged",
    "description": "SCF, points around it, and what was gathered of them.",
    "steps": [
        {"name": "scf", "template": "scf"},
        {"name": "hard", "template": "scf", "after": ["scf"], "remedies": ["more_mixing"], "on_failure": "continue",
         "parameters": {"title": "replay nio-maxcycle/main.out seconds=0.05"}},
        {"name": "points", "template": "scf", "after": ["scf"], "over": {"a": "4.1, 4.2, 4.3"}},
        {"name": "lowest", "values": {"energy": "min(steps.points.results.energy_total)"}},
        {"name": "last", "template": "scf", "after": ["scf"], "parameters": {"a": "{{ 4 + steps.lowest.values.energy / -1000 }}"}},
    ],
    "outputs": [{"name": "energy", "value": "{{ steps.lowest.values.energy }}", "unit": "Ha"}],
}  # fmt: skip


async def _run(folder: Path) -> dict[str, Any]:
    """The run, and its exports by kind."""
    async with running(settings_for(folder, data=folder / "deck")) as app, await make_client(app) as client:
        body = {"definition": DEFINITION, "cluster": "here", "parameters": mgo(GOOD), "reuse": False}
        answer = await client.post("/api/v1/runs", json=body)
        assert answer.status_code == 201, answer.text
        path = f"/api/v1/runs/{answer.json()['id']}"
        early = await client.get(f"{path}/export")
        assert early.status_code == 422
        run = await until_answer(client, path, lambda run: run["state"] != "running")
        exports = {
            kind: (await client.get(f"{path}/export", params={"kind": kind})).content
            for kind in ("zip", "rocrate", "aiida")
        }
        assert (await client.get(f"{path}/export", params={"kind": "paper"})).status_code == 422
        found: dict[str, Any] = {"run": run, **exports}
        return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("judged")
    place_replay(folder)
    return asyncio.run(_run(folder))
