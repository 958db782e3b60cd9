"""Pages without a browser: sessions, cross-site requests, headers, errors."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.services.context import Context
from app.services.people import accounts
from tests.support.app import PASSWORD, make_client
from tests.support.service import mgo


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which the first admin is logged in through the set-up link."""
    context: Context = app.state.context
    link = await accounts.make_first_link(context)
    assert link is not None
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        path = link.removeprefix(context.settings.public_url)
        assert "Create your account" in (await client.get(path)).text
        short = await client.post(path, data={"name": "ada", "password": "short"})
        assert (short.status_code, "must be 15" in short.text) == (422, True)
        answer = await client.post(path, data={"name": "ada", "password": PASSWORD})
        assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
        assert (await client.get(path)).status_code == 404
        yield client


async def test_the_setup_link_is_gone_once_there_is_an_account(app: FastAPI, browser: httpx.AsyncClient) -> None:
    assert await accounts.make_first_link(app.state.context) is None
    again = await accounts.make_link(app.state.context)
    assert "/setup/" in again


async def test_log_in_and_out(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/logout")).headers["location"] == "/login"
    assert (await browser.get("/jobs")).headers["location"] == "/login?next=%2Fjobs"
    wrong = await browser.post("/login", data={"name": "ada", "password": "wrong"})
    unknown = await browser.post("/login", data={"name": "nobody", "password": "wrong"})
    assert wrong.status_code == unknown.status_code == 401
    assert "Name or password is wrong" in wrong.text and "Name or password is wrong" in unknown.text
    right = await browser.post("/login", data={"name": "ada", "password": PASSWORD, "next": "//evil.example"})
    assert right.headers["location"] == "/jobs"
    assert (await browser.get("/jobs")).status_code == 200


async def test_many_wrong_passwords_are_slowed_down(browser: httpx.AsyncClient) -> None:
    answers = [await browser.post("/login", data={"name": "slow", "password": "x"}) for _ in range(12)]
    assert answers[-1].status_code == 429
    assert "Wait 1 s" in answers[-1].text


async def test_requests_from_other_sites_are_refused(browser: httpx.AsyncClient) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = await browser.post("/logout", headers=headers)
        assert answer.status_code == 403
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "http://testserver"}):
        assert (await browser.post("/new/scf/preview", headers=headers)).status_code == 200


async def test_headers(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/jobs")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    for asset in re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text):
        assert (await browser.get(asset)).status_code == 200, asset


async def test_pages_are_small(browser: httpx.AsyncClient) -> None:
    for path in ("/jobs", "/new", "/new/bands?example=1", "/clusters", "/clusters/here"):
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert len(answer.content) < 100_000


async def test_composing_submitting_and_looking(browser: httpx.AsyncClient) -> None:
    form = {f"p_{key}": str(value) for key, value in mgo("Plain").items() if key != "atoms"}
    form |= {"p_atoms": "Mg 0 0 0\nO 0.5 0.5 0.5", "cluster": "here", "r_walltime": "00:10:00", "r_ntasks": "1"}
    preview = await browser.post(
        "/new/scf/preview", data=form, headers={"hx-request": "true", "hx-request-type": "partial"}
    )
    assert preview.text.count("<hx-partial") == 2
    assert "BASISSET" in preview.text and "<html" not in preview.text
    wrong = await browser.post("/new/scf", data={**form, "p_a": "1e999"})
    assert wrong.status_code == 422
    assert "must be a finite number" in wrong.text and 'value="1e999"' in wrong.text
    made = await browser.post("/new/scf", data=form)
    assert made.status_code == 303
    page = await browser.get(made.headers["location"])
    assert "Plain-scf" in page.text and "Sent to the cluster" in page.text
    part = await browser.get(made.headers["location"] + "?part=change", headers={"hx-request": "true"})
    assert "<html" not in part.text and "Scheduler" in part.text
    assert "History" in part.text
    clone = await browser.get(f"/new/scf?clone={made.headers['location'].rpartition('/')[2]}")
    assert 'value="4.21"' in clone.text and "clone of" in clone.text
    table = await browser.get("/jobs", headers={"hx-request": "true", "hx-request-type": "partial"})
    assert "<html" not in table.text and "Plain-scf" in table.text


async def test_clusters_are_added_and_refused(browser: httpx.AsyncClient) -> None:
    bad = await browser.post("/clusters", data={"name": "Bad Name", "runner_type": "slurm", "hostname": "h"})
    assert bad.status_code == 422 and "a–z" in bad.text
    made = await browser.post(
        "/clusters", data={"name": "hpc", "runner_type": "slurm", "hostname": "127.0.0.1", "port": "1"}
    )
    assert made.headers["location"] == "/clusters/hpc"
    for own in (
        {"runner_type": "local"},
        {"runner_type": "slurm"},
        {"hostname": "h", "username": "u", "key_path": "/etc/key"},
    ):
        refused = await browser.post("/clusters", data={"name": "mine", "crystal": "sh", **own})
        assert (refused.status_code, "or read keys on this server" in refused.text) == (403, True)
    keyed = await browser.post("/clusters/hpc/key", data={"username": "ada"})
    assert keyed.status_code == 303
    page = (await browser.get("/clusters/hpc")).text
    assert "ssh-ed25519 AAAA" in page and "PRIVATE" not in page
    assert (await browser.post("/clusters/hpc/key", data={"username": "-oProxyCommand"})).status_code == 422
    assert (
        await browser.post("/clusters", data={"name": "hpc", "runner_type": "ssh", "hostname": "h"})
    ).status_code == 409
    assert (await browser.get("/clusters/nothing")).status_code == 404
    assert (await browser.post("/clusters/hpc/forget-key")).status_code == 303
    assert (await browser.post("/clusters/here/test")).status_code == 303


async def test_a_cluster_with_a_login_shell(browser: httpx.AsyncClient) -> None:
    """Chosen when it is added, kept, and changed under Settings."""
    wrong = {"name": "deep", "runner_type": "slurm", "hostname": "h!", "login_shell": "true"}
    assert '<option value="true" selected>' in (await browser.post("/clusters", data=wrong)).text
    made = await browser.post("/clusters", data={**wrong, "hostname": "127.0.0.1", "port": "1"})
    assert made.headers["location"] == "/clusters/deep"
    assert (await browser.get("/api/v1/clusters/deep")).json()["settings"]["login_shell"] is True
    changed = await browser.post("/clusters/deep/edit", data={"login_shell": "false"})
    assert changed.status_code == 303
    assert (await browser.get("/api/v1/clusters/deep")).json()["settings"]["login_shell"] is False


async def test_errors_are_pages_too(browser: httpx.AsyncClient, app: FastAPI) -> None:
    missing = await browser.get("/jobs/nothing")
    assert missing.status_code == 404
    assert "There is no job" in missing.text and "See the list of jobs" in missing.text
    assert "<html" in missing.text
    member = await make_client(app, "max")
    assert (await member.get("/jobs")).status_code == 200


async def test_a_structure_fills_the_form(browser: httpx.AsyncClient) -> None:
    form = {
        "p_title": "before",
        "p_basis_kind": "internal",
        "p_basis_set": "STO-3G",
        "p_toldee": "7",
        "cluster": "here",
    }
    fragment = {"hx-request": "true", "hx-request-type": "partial"}
    taken = await browser.post(
        "/new/scf/structure?source=crystal", data={**form, "crystal": "rutile"}, headers=fragment
    )
    assert taken.text.count("<hx-partial") == 3 and "TiO₂, rutile: experimental structure." in taken.text
    assert "4.5937 2.9587" in taken.text and 'value="7"' in taken.text
    file = {"structure_file": ("Halite.cif", NACL, "chemical/x-cif")}
    read = await browser.post("/new/scf/structure", data=form, files=file)
    assert read.status_code == 200 and "<html" in read.text
    assert (
        "Fm-3m (225) within 0.001 Å; 8 atoms in the file, 2 in the asymmetric unit, 2 in the primitive cell"
        in read.text
    )
    assert "5.6402" in read.text and "NaCl Fm-3m Halite" in read.text
    for data, name, tolerance, words in (
        (b"nonsense", "a.cif", "", "cannot be read as CIF"),
        (b"nonsense", "<script>.doc", "", "not in a known format"),
        (NACL, "a.cif", "wide", "is not a number"),
        (NACL, "a.cif", "7", "between 0.000001 and 0.5"),
        (b"x" * 5_000_000, "a.cif", "", "larger than 4 MB"),
    ):
        refused = await browser.post(
            "/new/scf/structure", data={**form, "tolerance": tolerance}, files={"structure_file": (name, data)}
        )
        assert refused.status_code == 422
        assert words in refused.text and "<script>." not in refused.text
        assert 'value="before"' in refused.text
    assert (await browser.post("/new/scf/structure?source=crystal", data={"crystal": "unobtainium"})).status_code == 404
    assert (await browser.post("/new/scf/structure", data=form)).status_code == 422


NACL = b"""data_NaCl
_cell_length_a 5.6402
_cell_length_b 5.6402
_cell_length_c 5.6402
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 Na 0 0 0
Cl1 Cl 0.5 0.5 0.5
"""


async def test_a_deck_with_a_fault_is_shown_and_not_submitted(browser: httpx.AsyncClient) -> None:
    form = {f"p_{key}": str(value) for key, value in mgo("Faulty").items() if key not in ("atoms", "basis_set")}
    form |= {
        "p_atoms": "Mg 0 0 0\nO 0.5 0.5 0.5",
        "cluster": "here",
        "r_walltime": "00:10:00",
        "p_basis_kind": "explicit",
    }
    form["p_basis_text"] = "12 1\n1 0 3 2. 0."
    shown = await browser.post("/new/scf/preview", data=form)
    assert 'class="line error"' in shown.text and "O (8) has no basis" in shown.text
    refused = await browser.post("/new/scf", data=form)
    assert refused.status_code == 422 and "O (8) has no basis" in refused.text


async def test_a_preset_says_what_it_changes(browser: httpx.AsyncClient) -> None:
    form = {"p_title": "kept", "p_shrink": "8", "p_toldee": "8", "preset": "tight"}
    fragment = {"hx-request": "true", "hx-request-type": "partial"}
    answer = await browser.post("/new/scf/preset", data=form, headers=fragment)
    assert answer.text.count("<hx-partial") == 3
    assert (
        "tight: " in answer.text
        and "Shrinking factor 8 → 12" in answer.text
        and "Energy convergence 10⁻ⁿ 8 → 10" in answer.text
    )
    plain = await browser.post("/new/scf/preset", data=form)
    assert 'value="kept"' in plain.text and 'value="8 8 8 8 24"' in plain.text
    assert (await browser.post("/new/scf/preset", data={"preset": "perfect"})).status_code == 404


async def test_many_jobs_are_acted_on_from_the_list(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/clusters/here/pause", data={"reason": "upgrade"})).status_code == 303
    assert "Paused by ada: upgrade." in (await browser.get("/clusters/here")).text
    for number in range(3):
        structure = {"p_system": "crystal", "p_space_group": "225", "p_a": "4.21", "p_atoms": "Mg 0 0 0\nO .5 .5 .5"}
        method = {"p_title": "t", "p_method": "HF", "p_basis_kind": "internal", "p_basis_set": "STO-3G"}
        form = structure | method | {"cluster": "here", "key": str(number)}
        assert (await browser.post("/new/scf", data=form)).status_code == 303
    listed = (await browser.get("/jobs")).text
    ids = re.findall(r'name="id"\s+value="([a-z2-7]+)"', listed)
    assert len(ids) == 3
    assert "Paused by ada: upgrade." in (await browser.get(f"/jobs/{ids[0]}")).text
    held = await browser.post("/jobs/actions", data={"id": ids[:2], "action": "hold"}, follow_redirects=True)
    assert "Hold: 2 of 2 done" in held.text
    mixed = await browser.post("/jobs/actions", data={"id": ids, "action": "release"}, follow_redirects=True)
    assert "Release: 2 of 3 done" in mixed.text and "It is queued, not held." in mixed.text
    # Cancelling asks first, with the number of jobs.
    asked = await browser.post("/jobs/actions?state=queued", data={"all": "1", "action": "cancel"})
    assert "Cancel 3 jobs?" in asked.text
    done = await browser.post(
        "/jobs/actions?state=queued",
        data={"all": "1", "action": "cancel", "confirmed": "1", "expect": "3"},
        follow_redirects=True,
    )
    assert "Cancel: 3 of 3 done" in done.text
    assert (await browser.post("/clusters/here/resume")).status_code == 303
