"""The library without a browser: templates of one's own, basis sets, files, drafts, decks taken over by hand."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.domain.people.permissions import Role
from app.library import renderer
from app.services.catalogue.shelves import STARTER
from app.services.context import Context
from tests.support.app import PASSWORD, make_client
from tests.support.service import mgo

BASIS = "12 3\n1 0 3  0.  1.\n1 1 3  0.  1.\n1 1 3  0.  1.\n8 2\n1 0 3  0.  1.\n1 1 3  0.  1.\n99 0\n"
FORT34 = "3 1 1\n4.2 0 0\n0 4.2 0\n0 0 4.2\n1\n1 0 0\n0 1 0\n0 0 1\n0 0 0\n2\n12 0 0 0\n8 2.1 2.1 2.1\n"


async def log_in(app: FastAPI, name: str = "ada", role: Role = Role.ADMIN) -> httpx.AsyncClient:
    """A browser in which a new user is logged in."""
    await make_client(app, name, role)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")
    assert (await client.post("/login", data={"name": name, "password": PASSWORD})).status_code == 303
    return client


def texts(**changes: str) -> dict[str, str]:
    files = STARTER | {name.replace("__", "."): text for name, text in changes.items()}
    return {f"text_{name}": text for name, text in files.items()}


async def test_a_template_is_made_used_changed_and_removed(app: FastAPI) -> None:
    ada, bob = await log_in(app), await log_in(app, "bob", Role.MEMBER)
    assert "my_scf.d12" in (await ada.get("/templates/new")).text
    tried = await ada.post("/templates/try", data=texts(), headers={"hx-request": "true"})
    assert "No problems found" in tried.text
    saved = await ada.post("/templates", data=texts() | {"version": "0", "comment": "first"})
    assert (saved.status_code, saved.headers["location"]) == (303, "/templates/my_scf")
    page = await ada.get("/templates/my_scf")
    assert "first" in page.text and "ada" in page.text
    form = await bob.get("/new/my_scf?example=1")
    assert "SHRINK" in form.text
    values = {"p_title": "t", "p_system": "crystal", "p_space_group": "225", "p_a": "4.21", "p_atoms": "Mg 0 0 0\nO .5 .5 .5",
              "p_method": "HF", "p_basis_kind": "internal", "p_basis_set": "STO-3G", "p_shrink": "4"}  # fmt: skip
    sent = await bob.post("/new/my_scf", data=values | {"cluster": "here", "key": "1"})
    assert sent.status_code == 303, sent.text
    # The second version shows its difference; nobody else's copy may overwrite it.
    second = STARTER["my_scf.d12.j2"].replace("TOLDEE\n8", "TOLDEE\n9")
    changed = await ada.post("/templates", data=texts(my_scf__d12__j2=second) | {"version": "1"})
    assert changed.status_code == 303
    page = await ada.get("/templates/my_scf")
    assert '<span class="added">+9' in page.text and '<span class="removed">-8' in page.text
    late = await ada.post("/templates", data=texts() | {"version": "1"})
    assert (late.status_code, "was changed while you were editing" in late.text) == (409, True)
    foreign = await bob.post("/templates", data=texts() | {"version": "2"})
    assert (foreign.status_code, "of other users" in foreign.text) == (403, True)
    assert (await ada.post("/templates/my_scf/remove")).status_code == 303
    assert (await ada.get("/new/my_scf")).status_code == 404


async def test_a_wrong_template_is_not_saved_and_says_why(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await log_in(app)
    for wrong, words in (
        ({"template__toml": "id = ["}, "cannot be read"),
        ({"template__toml": STARTER["template.toml"].replace('"my_scf"', '"scf"')}, "built-in template"),
        ({"my_scf__d12__j2": "{{ nothing }}\nEND\n"}, "nothing"),
        ({"template__toml": STARTER["template.toml"].replace("a = 4.21", "a = -1")}, "at least 0.5"),
        (
            {"my_scf__d12__j2": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"},
            "was stopped",
        ),
    ):
        with monkeypatch.context() as patch:
            if words == "was stopped":
                # Two seconds of a loop without end prove what ten would.
                patch.setattr(renderer, "SECONDS", 2.0)
            answer = await ada.post("/templates", data=texts(**wrong) | {"version": "0"})
        assert answer.status_code in (409, 422), answer.status_code
        assert words in answer.text
        # What was typed is still there.
        assert "CrystalDeck" in answer.text and 'name="text_template.toml"' in answer.text
    assert (await ada.get("/api/v1/templates")).status_code == 200
    viewer = await log_in(app, "eve", Role.VIEWER)
    assert (await viewer.post("/templates", data=texts())).status_code == 403
    assert (await viewer.get("/templates")).status_code == 200


async def test_a_template_that_breaks_later_is_listed(app: FastAPI) -> None:
    ada = await log_in(app)
    assert (await ada.post("/templates", data=texts() | {"version": "0"})).status_code == 303
    context: Context = app.state.context
    async with context.database.write() as session:
        from app.db.repositories import library

        row = (await library.template_history(session, "my_scf"))[0]
        session.add(
            type(row)(template_id="my_scf", version=2, texts={"template.toml": "broken"}, author_id=row.author_id)
        )
    listed = await ada.get("/templates")
    assert "Broken" in listed.text and "cannot be read" in listed.text
    assert "Geometry optimisation" in listed.text
    assert "broken" in (await ada.get("/templates/my_scf/edit")).text
    assert (await ada.get("/new/my_scf")).status_code == 404


async def test_search_finds_words_in_titles_tags_and_keywords(app: FastAPI) -> None:
    ada = await log_in(app)
    found = (await ada.get("/templates?q=slabcut")).text
    assert "Surface" in found and "Density of states" not in found
    assert "Phonon dispersion" in (await ada.get("/templates?tag=dispersion")).text
    assert "No template matches" in (await ada.get("/templates?q=zzz")).text
    for template_id in ("scf", "bands", "raw", "surface"):
        assert (await ada.get(f"/templates/{template_id}")).status_code == 200


async def test_basis_sets_are_kept_with_their_source(app: FastAPI) -> None:
    client = await make_client(app)
    wrong = await client.post("/api/v1/basis-sets", json={"name": "", "text": "12 x", "source": ""})
    assert {entry["field"] for entry in wrong.json()["errors"]} == {"name", "source", "text"}
    kept = await client.post("/api/v1/basis-sets", json={"name": "ours", "text": BASIS, "source": "made for a test"})
    assert kept.status_code == 201, kept.text
    [entry] = (await client.get("/api/v1/basis-sets")).json()
    assert (entry["name"], entry["elements"], entry["author"]) == ("ours", ["O", "Mg"], "ada")
    chosen = mgo() | {"basis_kind": "library", "basis_library": "ours"}
    chosen.pop("basis_set", None)
    made = await client.post("/api/v1/templates/scf/render", json={"parameters": chosen})
    assert made.status_code == 200, made.text
    # The occupations of neutral atoms were filled in.
    assert "\n1 1 3 8 1.\n" in made.json()["decks"]["scf.d12"]
    schema = (await client.get("/api/v1/templates/scf/schema")).json()
    assert schema["properties"]["basis_library"]["enum"] == ["ours"]
    missing = chosen | {"atoms": [["Na", 0, 0, 0], ["Cl", 0.5, 0.5, 0.5]]}
    refused = await client.post("/api/v1/templates/scf/render", json={"parameters": missing})
    assert "has no basis for Na" in refused.text
    browser = await log_in(app, "bob", Role.MEMBER)
    page = await browser.get("/templates/basis")
    assert "made for a test" in page.text and "H–I" in page.text
    foreign = await browser.post("/templates/basis", data={"action": "remove", "name": "ours"})
    assert foreign.status_code == 403


async def test_a_basis_set_is_taken_from_the_exchange(app: FastAPI) -> None:
    pytest.importorskip("basis_set_exchange")
    ada = await log_in(app)
    taken = await ada.post("/templates/basis", data={"action": "fetch", "name": "pob-TZVP-rev2", "elements": "Mg O"})
    assert taken.status_code == 303, taken.text
    page = (await ada.get("/templates/basis")).text
    assert "Basis Set Exchange 0" in page and "O Mg" in page and "filled in for O, Mg" in page
    for name, elements, words in (("no such set", "", "has no"), ("STO-3G", "Xx", "not an element")):
        answer = await ada.post("/templates/basis", data={"action": "fetch", "name": name, "elements": elements})
        assert (answer.status_code, words in answer.text) == (422, True)


async def test_files_are_attached(app: FastAPI) -> None:
    client = await make_client(app)
    sent = await client.post("/api/v1/files", files={"file": ("my geometry.gui", FORT34.encode())})
    reference = sent.json()["reference"]
    assert re.fullmatch(r"upload:[0-9a-f]{64}/my_geometry\.gui", reference)
    parameters = {"title": "t", "system": "external", "geometry_file": reference, "basis_set": "STO-3G", "method": "HF"}
    made = await client.post("/api/v1/templates/scf/render", json={"parameters": parameters})
    assert made.status_code == 200, made.text
    assert "\nEXTERNAL\n" in made.json()["decks"]["scf.d12"]
    for wrong, words in (
        ("upload:" + "0" * 64 + "/x", "not here"),
        ("job:aaaaaaaa/fort.34", "does not have here"),
        ("/etc/passwd", "must name a file"),
        ("job:../../etc/passwd", "must name a file"),
    ):
        answer = await client.post(
            "/api/v1/templates/scf/render", json={"parameters": parameters | {"geometry_file": wrong}}
        )
        assert (answer.status_code, words in answer.text) == (422, True), answer.text
    empty = await client.post("/api/v1/files", files={"file": ("a", b"")})
    assert (empty.status_code, "is empty" in empty.text) == (422, True)
    evil = await client.post("/api/v1/files", files={"file": ("../../x.gui", b"1")})
    assert evil.json()["reference"].endswith("/x.gui")


async def test_the_form_comes_back_as_it_was_left(app: FastAPI) -> None:
    ada, bob = await log_in(app), await log_in(app, "bob", Role.MEMBER)
    await ada.post("/new/scf/preview", data={"p_title": "half a thought", "p_space_group": "225"})
    page = await ada.get("/new/scf")
    assert "half a thought" in page.text and "as you left it" in page.text
    assert "half a thought" not in (await bob.get("/new/scf")).text
    assert "your draft" in (await ada.get("/new")).text
    assert "half a thought" not in (await ada.get("/new/scf?fresh=1")).text
    # Looking at an empty form throws nothing away; writing into it does.
    assert "half a thought" in (await ada.get("/new/scf")).text
    await ada.post("/new/scf/preview", data={"p_title": "another one"})
    assert "half a thought" not in (await ada.get("/new/scf")).text


def form_of(**values: Any) -> dict[str, str]:
    return {
        f"p_{key}": "\n".join(" ".join(map(str, row)) for row in value) if isinstance(value, list) else str(value)
        for key, value in (mgo() | {"system": "crystal"} | values).items()
    }


async def test_a_deck_is_taken_over_by_hand(app: FastAPI) -> None:
    ada = await log_in(app)
    page = (await ada.post("/new/scf/detach", data=form_of(geometry_as="external"))).text
    assert "Edited by hand" in page and "EXTERNAL" in page
    origin = json.loads(re.search(r'name="origin"\s+value="([^"]*)"', page)[1].replace("&#34;", '"'))  # type: ignore[index]
    reference = re.search(r'name="p_geometry_file"\s+value="(upload:[^"]*)"', page)
    assert reference is not None
    edited = origin["raw.d12"].replace("TOLDEE\n", "TOLDEP\n8\nTOLDEE\n")
    data = {"p_deck": edited, "p_geometry_file": reference[1], "origin": json.dumps(origin), "origin_of": "scf"}
    shown = (await ada.post("/new/raw/preview", data=data)).text
    assert '<span class="added">+TOLDEP' in shown
    sent = await ada.post("/new/raw", data=data | {"cluster": "here", "key": "2"})
    assert sent.status_code == 303, sent.text


async def test_ten_megabytes_in_a_field_are_refused_in_words(app: FastAPI) -> None:
    ada = await log_in(app)
    for data in ({"p_title": "x" * 10_000_000}, {"p_atoms": "Mg 0 0 0\n" * 1_000_000}):
        answer = await ada.post("/new/scf", data=form_of() | data)
        assert answer.status_code in (400, 413, 422), answer.status_code
        assert len(answer.text) < 2_000_000
    api = await make_client(app, "bob")
    body = {"parameters": mgo() | {"title": "x" * 10_000_000}}
    answer = await api.post("/api/v1/templates/scf/render", json=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    body = {"parameters": mgo() | {"title": "x" * 900_000}}
    answer = await api.post("/api/v1/templates/scf/render", json=body)
    assert (answer.status_code, "at most 80 characters" in answer.text) == (422, True)
    assert len(answer.text) < 10_000
