"""A slip of the pen must not widen what is done: unknown names are refused, and `all` says how many it means."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from tests.support.route_table import ROUTES
from tests.support.service import mgo
from tests.support.world import PEOPLE, World, job_states

ACTIONS = "/api/v1/queue/actions"


def act(world: World, query: str = "", **body: Any) -> httpx.Response:
    return world.ask("ada", "admin", "POST", f"{ACTIONS}{query}", {"json": {"action": "tag", "value": "seen", **body}})


@pytest.fixture(autouse=True)
def restored(world: World) -> Iterator[None]:
    yield
    world.restore()


# -- names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ROUTES if name != "GET /api/v1/openapi.json"])
def test_no_route_ignores_a_parameter(world: World, name: str) -> None:
    """Asked with nothing but a name that no route has: refused by that name, and nothing is done."""
    method, _, path = name.partition(" ")
    path = re.sub(r"{[^}]*}", "1", path)
    answer = world.ask("ada", "session", method, f"{path}?ownr_of_all=bob", ROUTES[name].send)
    assert answer.status_code == 422, answer.text[:500]
    assert "ownr_of_all" in answer.text
    assert world.changes() == []


def test_the_misspelt_filter_of_an_action(world: World) -> None:
    answer = act(world, "?ownr=bob&statee=failed", all=True)
    assert answer.status_code == 422
    problem = answer.json()
    assert [error["field"] for error in problem["errors"]] == ["ownr", "statee"]
    assert "did you mean owner?" in problem["detail"] and "did you mean state?" in problem["detail"]
    assert world.changes() == []
    # The pages take the same path.
    form = {"data": {"action": "cancel", "all": "1", "confirmed": "1", "expect": "10"}}
    assert world.ask("ada", "session", "POST", "/jobs/actions?ownr=bob", form).status_code == 422
    assert world.ask("ada", "session", "GET", "/jobs?gap_min=5", {}).status_code == 422
    assert world.ask("ada", "admin", "GET", "/api/v1/jobs?gap_min=5", {}).status_code == 422
    assert world.changes() == []


def test_a_field_of_the_form_that_nobody_knows(world: World) -> None:
    job = world.ids["ada"]["job"]
    for wrong in ({"al": "1"}, {"idd": job}):
        answer = world.ask("ada", "session", "POST", "/jobs/actions", {"data": {"action": "hold", "id": job, **wrong}})
        assert answer.status_code == 422, answer.text[:300]
    for path, sent in (("/clusters/here/pause", {"reasn": "x"}), ("/clusters", {"name": "n", "hostnme": "x"}),
                       ("/templates/basis", {"actoin": "remove", "name": "x"}),
                       (f"/batches/{world.ids['ada']['batch']}/table", {"tabel": "a"})):  # fmt: skip
        assert world.ask("ada", "session", "POST", path, {"data": sent}).status_code == 422, path
    assert world.changes() == []


def test_one_value_is_not_given_twice(world: World) -> None:
    answer = world.ask("ada", "admin", "GET", "/api/v1/jobs?owner=ada&owner=otto", {})
    assert answer.status_code == 422 and "appears twice" in answer.json()["detail"]
    assert world.ask("ada", "admin", "GET", "/api/v1/jobs?state=queued&state=held", {}).status_code == 200


def test_no_text_holds_a_nul(world: World) -> None:
    for path in ("/api/v1/jobs?text=%00", "/jobs?owner=a%00", "/api/v1/jobs/a%00b"):
        assert world.ask("ada", "admin", "GET", path, {}).status_code == 422, path


def test_every_request_body_knows_its_keys(world: World) -> None:
    """Unknown keys of a body are refused: its model says so, and so do all models in it."""
    loose = []
    for context in iter_route_contexts(world.app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            for field in route.dependant.body_params:
                loose += [model.__name__ for model in models_of(field.field_info.annotation) if not forbids(model)]
    assert loose == []


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_of(field.annotation)
    for inner in getattr(annotation, "__args__", ()):
        yield from models_of(inner)


def forbids(model: type[BaseModel]) -> bool:
    return model.model_config.get("extra") == "forbid"


# -- how many ------------------------------------------------------------------------------------------------------------


def test_all_needs_a_filter_or_a_number(world: World) -> None:
    every = 2 * len(PEOPLE)
    assert act(world, all=True).status_code == 422
    assert act(world, "?owner=&state=", all=True).status_code == 422
    wrong = act(world, all=True, expect=every - 1)
    assert wrong.status_code == 409
    assert f"{every} jobs" in wrong.json()["detail"] and f"the expected {every - 1}" in wrong.json()["detail"]
    assert act(world, "?owner=otto", all=True, expect=3).status_code == 409
    assert world.changes() == []
    done = act(world, all=True, expect=every)
    assert done.status_code == 200 and len(done.json()) == every
    assert len(act(world, "?owner=otto", all=True).json()) == 2


def test_neither_both_nor_a_page_of_a_list(world: World) -> None:
    job = world.ids["ada"]["job"]
    assert act(world).status_code == 422
    assert act(world, "?owner=ada", all=True, ids=[job]).status_code == 422
    assert act(world, "?owner=otto", ids=[job]).status_code == 422
    # A limit would be taken for "only so many".
    assert act(world, "?owner=ada&limit=1", all=True).status_code == 422
    assert act(world, "?owner=ada&cursor=x", all=True).status_code == 422
    assert world.changes() == []


def test_a_dry_run_does_nothing(world: World) -> None:
    every = 2 * len(PEOPLE)
    for action, query in (("cancel", "?state=queued"), ("rerun", "?owner=otto"), ("hold", "?cluster=here")):
        answer = act(world, query, action=action, value="", all=True, dry_run=True)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["dry_run"] and found["count"] == (2 if "otto" in query else every)
        assert all(one["done"] == (action != "rerun") for one in found["sample"])
        assert world.changes() == []
    # What would be refused is refused here too.
    assert act(world, all=True, dry_run=True).status_code == 422
    assert act(world, "?owner=otto", action="move", value="nowhere", all=True, dry_run=True).status_code == 422


def test_the_page_confirms_the_number_that_it_showed(world: World) -> None:
    ask = {"data": {"action": "cancel", "all": "1"}}
    shown = world.ask("ada", "session", "POST", "/jobs/actions?owner=otto", ask)
    assert "Cancel 2 jobs?" in shown.text and 'name="expect" value="2"' in shown.text
    hold = world.ask("ada", "session", "POST", "/jobs/actions", {"data": {"action": "hold", "all": "1"}})
    assert f"Hold: {2 * len(PEOPLE)} jobs?" in hold.text and "No filter is set" in hold.text
    # A word that says "confirmed", without the number that was shown, confirms nothing.
    bare = world.ask(
        "ada", "session", "POST", "/jobs/actions", {"data": {"action": "hold", "all": "1", "confirmed": "1"}}
    )
    assert bare.status_code == 200 and "jobs?" in bare.text
    sent = {"action": "cancel", "all": "1", "confirmed": "1", "expect": "3"}
    late = world.ask("ada", "session", "POST", "/jobs/actions?owner=otto", {"data": sent})
    assert late.status_code == 409 and "2 jobs would be affected" in late.text
    assert job_states(world.rows()) == job_states(world.before)
    done = world.ask("ada", "session", "POST", "/jobs/actions?owner=otto", {"data": sent | {"expect": "2"}})
    assert done.status_code == 303


def test_the_buttons_that_only_look(world: World) -> None:
    """Compare and Download stand in the form of the actions, whose other fields must not reach their addresses."""
    ids = [world.ids["ada"]["job"], world.ids["ada"]["second"]]
    form = {"id": ids, "priority": "normal", "tag": "", "move": "", "start": ""}
    for action, kind in (("compare", "text/html"), ("download", "application/zip")):
        sent = world.ask("ada", "session", "POST", "/jobs/actions?state=queued", {"data": form | {"action": action}})
        assert sent.status_code == 303
        shown = world.ask("ada", "session", "GET", sent.headers["location"], {})
        assert shown.status_code == 200 and shown.headers["content-type"].startswith(kind)
    every = {"data": form | {"action": "download", "all": "1"}}
    sent = world.ask("ada", "session", "POST", "/jobs/actions?state=queued", every)
    assert world.ask("ada", "session", "GET", sent.headers["location"], {}).status_code == 200
    assert world.changes() == []


def test_downloads_of_all(world: World) -> None:
    for path in ("/api/v1/download", "/jobs/download.zip"):
        assert world.ask("ada", "admin", "GET", f"{path}?all=true", {}).status_code == 422
        assert world.ask("ada", "admin", "GET", f"{path}?all=true&expect=1", {}).status_code == 409
        assert world.ask("ada", "admin", "GET", f"{path}?all=true&owner=otto", {}).status_code == 200
        assert world.ask("ada", "admin", "GET", path, {}).status_code == 422


def test_a_batch_is_checked_first_and_made_once(world: World) -> None:
    """Wrong in its last part: nothing of it is kept. A dry run makes nothing; the number must be right."""
    body: dict[str, Any] = {"template": "scf", "cluster": "here", "parameters": mgo()}
    rows = [{"parameters": {"a": 4.2}}, {"parameters": {"a": 4.3}}]
    for wrong in (
        {"rows": [*rows, {"parameters": {"b_typo": 1}}]}, {"sweep": {"axes": [{"key": "shrnk", "values": "4, 6"}]}},
        {"rows": rows, "cluster": "nowhere"}, {"rows": []}, {"rows": rows, "expect": 3}, {"rwos": rows},
        {"sweep": {"axes": [{"key": "shrink", "values": "4, 6"}], "stop": True}},
    ):  # fmt: skip
        answer = world.ask("mia", "jobs:write", "POST", "/api/v1/batches", {"json": body | wrong})
        assert answer.status_code in (409, 422), answer.text
        assert world.changes() == [], wrong
    told = world.ask("mia", "jobs:write", "POST", "/api/v1/batches", {"json": body | {"rows": rows, "dry_run": True}})
    assert (told.status_code, told.json()) == (200, {"dry_run": True, "count": 2, "sample": [{"a": 4.2}, {"a": 4.3}]})
    assert world.changes() == []
    made = world.ask("mia", "jobs:write", "POST", "/api/v1/batches", {"json": body | {"rows": rows, "expect": 2}})
    assert made.status_code == 201 and len(made.json()["rows"]) == 2


def test_what_a_token_may_not_do_is_not_done_by_half(world: World) -> None:
    """A token that only writes reads too; one that only reads starts nothing."""
    body = {"template": "scf", "cluster": "here", "parameters": mgo(), "rows": [{"parameters": {"a": 4.2}}]}
    refused = world.ask("mia", "jobs:read", "POST", "/api/v1/batches", {"json": body})
    assert refused.status_code == 403 and world.changes() == []
    assert world.ask("mia", "jobs:write", "POST", "/api/v1/batches", {"json": body}).status_code == 201
    job = world.ids["mia"]["job"]
    assert world.ask("mia", "jobs:read", "POST", f"/api/v1/jobs/{job}/cancel", {}).status_code == 403
    cancelled = world.ask("mia", "jobs:write", "POST", f"/api/v1/jobs/{job}/cancel", {})
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")


def test_batches_and_runs_are_counted_before_they_are_submitted_or_cancelled(world: World) -> None:
    batch, run = world.ids["mia"]["batch"], world.ids["mia"]["run"]
    submit = f"/api/v1/batches/{batch}/submit"
    told = world.ask("mia", "jobs:write", "POST", f"{submit}?dry_run=true", {})
    assert (told.status_code, told.json()["count"]) == (200, 2)
    assert world.ask("mia", "jobs:write", "POST", f"{submit}?expect=3", {}).status_code == 409
    cancel = f"/api/v1/runs/{run}/cancel"
    assert world.ask("mia", "jobs:write", "POST", f"{cancel}?dry_run=true", {}).json()["count"] == 0
    assert world.ask("mia", "jobs:write", "POST", f"{cancel}?expect=4", {}).status_code == 409
    asked = world.ask("mia", "session", "POST", f"/runs/{run}/cancel", {})
    assert "Cancel run running?" in asked.text and 'name="expect" value="0"' in asked.text
    assert world.changes() == []
    assert world.ask("mia", "jobs:write", "POST", f"{submit}?expect=2", {}).status_code == 202
    assert world.ask("mia", "session", "POST", f"/runs/{run}/cancel", {"data": {"expect": "0"}}).status_code == 303


# -- our own pages -------------------------------------------------------------------------------------------------------

LINK = re.compile(r'(?:href|src|hx-get|hx-sse:connect)="([^"]+)"')
FORM = re.compile(r'<form[^>]*method="get"[^>]*action="([^"]+)"(.*?)</form>', re.DOTALL)
NAME = re.compile(r'name="([^"]+)"(?:[^>]*value="([^"]*)")?')


def addresses(page: str, at: str) -> Iterator[str]:
    """Where a page leads: links, what it fetches, and its forms with all their fields."""
    text = re.sub(
        r"<form[^>]*method=\"post\".*?</form>", lambda form: form[0].replace("name=", "data-name="), page, flags=re.S
    )
    for link in LINK.findall(text):
        url = html.unescape(link)
        if url.startswith("?"):
            yield at.partition("?")[0] + url
        elif url.startswith("/") and not url.startswith("/static/"):
            yield url.partition("#")[0]
    for action, inner in FORM.findall(text):
        fields = {name: html.unescape(value) for name, value in NAME.findall(inner)}
        yield f"{action}?{httpx.QueryParams(fields)}"


def shape(url: str) -> tuple[str, ...]:
    """Addresses that differ only by ids and values are the same to this test."""
    parts = urlsplit(url)
    path = re.sub(r"(?<=/)[a-z2-7]{10}(?=/|$)|[a-z]_(vera|mia|max|ada|otto)", "*", parts.path)
    return (path, *sorted({pair.partition("=")[0] for pair in parts.query.split("&")}))


def test_every_link_of_the_pages_is_understood(world: World) -> None:
    waiting, seen, refused = ["/jobs", "/jobs?owner=otto&tag=&cursor="], set(), []
    while waiting:
        url = waiting.pop()
        if shape(url) in seen:
            continue
        seen.add(shape(url))
        answer = world.ask("ada", "session", "GET", url, {})
        if answer.status_code == 422 and "cannot be understood" in answer.text:
            refused.append(url)
        if answer.status_code == 200 and "text/html" in answer.headers["content-type"]:
            waiting += addresses(answer.text, url)
    assert refused == []
    assert len(seen) > 80, sorted(seen)
