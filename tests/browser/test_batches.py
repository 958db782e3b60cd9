"""Fifty-five structures dropped into a real browser, a restart in the middle, a sweep that converges, actions on many jobs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_library import serious
from tests.support.app import place_replay
from tests.support.service import Service
from tests.support.structures import rock_salt

pytestmark = pytest.mark.browser
NUMBER = 55


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose cluster replays one stored output, whatever the deck."""
    folder = tmp_path_factory.mktemp("many")
    cluster = folder / "cluster"
    place_replay(cluster)
    program = f"{cluster}/bin/replay mgo-scf/main.out seconds=0.5"
    table = f'runner_type = "local"\ncrystal = "{program}"\nworkdir = "{cluster}/jobs"\nmax_jobs = 6\n'
    presets = "[clusters.this-server.presets]\nshort = { walltime = '00:10:00', ntasks = 2 }\n"
    running = Service(folder / "service", f"[clusters.this-server]\n{table}{presets}").start()
    yield running
    running.stop()


def test_fifty_five_structures_and_a_restart_in_the_middle(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?example=1")
    page.click("button:has-text('Create batch')")
    expect(page).to_have_url(re.compile(r"/batches/\w+$"))
    files = [
        {"name": f"MgO-{n:02}.cif", "mimeType": "chemical/x-cif", "buffer": rock_salt("Mg", "O", 4.0 + n / 100)}
        for n in range(NUMBER)
    ]
    page.set_input_files(
        "#structures", [*files, {"name": "notes.cif", "mimeType": "text/plain", "buffer": b"no structure"}]
    )
    expect(page.locator("#summary")).to_contain_text(f"{NUMBER} ready, 1 wrong", timeout=60000)
    expect(page.locator("#item-56")).to_contain_text("cannot be read")
    page.click("#item-2 >> text=Deck and changes")
    expect(page.locator("#deck-1")).to_contain_text("4.01")
    page.click("text=Back")
    assert serious(page) == []
    page.click(f"button:has-text('Submit {NUMBER} jobs')")
    ended = re.compile(r"(1[0-9]|[2-4][0-9]) of 56\s+ended")
    expect(page.locator("#summary")).to_contain_text(ended, timeout=60000)
    service.kill()
    service.start()
    page.reload()
    # By itself, with the progress shown.
    expect(page.locator("#summary")).to_contain_text("56 of 56 ended", timeout=120000)
    expect(page.locator("#summary")).to_contain_text(f"{NUMBER} completed")
    batch_id = page.url.rpartition("/")[2]
    assert serious(page) == []
    page.goto(f"{service.url}/jobs")
    expect(page.locator("tr", has_text=f"{NUMBER} jobs")).to_contain_text(f"{NUMBER} of {NUMBER}")
    service.client.headers["Authorization"] = f"Bearer {_token(service)}"
    jobs = service.client.get("/jobs", params={"batch": batch_id, "limit": 500}).json()["jobs"]
    assert Counter(job["state"] for job in jobs) == {"completed": NUMBER}
    assert len({job["name"] for job in jobs}) == NUMBER
    # Each ran once: its run was claimed once, and every directory holds one log of one start.
    started = list((service.folder.parent / "cluster" / "jobs").glob("ada/*/.crystaldeck/run"))
    assert len(started) == NUMBER


def _token(service: Service) -> str:
    made = service.command("token", "create", "--user", "ada", "--scope", "jobs:read,jobs:write")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_a_sweep_is_counted_while_it_is_typed_and_draws_its_result(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?example=1")
    page.click("details:has(#p_gilat) > summary")
    page.fill("#p_gilat", "")
    page.click("button:has-text('Create batch')")
    page.select_option("[name=axis1]", "shrink")
    page.fill("[name=values1]", "4..8 step 2")
    expect(page.locator("#points")).to_contain_text("3 points")
    page.fill("[name=values1]", "4..8 stop 2")
    expect(page.locator("#points")).to_contain_text("does not accept")
    page.fill("[name=values1]", "4, 6, 8")
    page.fill("#tolerance", "1e-4")
    page.click("text=Generate the rows")
    expect(page.locator("#summary")).to_contain_text("3 ready")
    expect(page.locator("#item-1")).to_contain_text("Check this corner")
    # What similar jobs took is known by now.
    expect(page.locator("#summary")).to_contain_text("core-hours")
    page.click("button:has-text('Submit 3 jobs')")
    expect(page.locator("#summary")).to_contain_text("Converged within 0.0001 Ha from shrink = 4 on.", timeout=60000)
    expect(page.locator("figure.chart circle")).to_have_count(3)
    assert serious(page) == []


def test_what_was_computed_before_is_told_and_linked(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?example=1")
    page.click("details:has(#p_gilat) > summary")
    page.fill("#p_gilat", "")
    expect(page.locator("text=similar finished jobs")).to_be_visible()
    page.click("button:has-text('short')")
    expect(page.locator("#r_walltime")).to_have_value("00:10:00")
    page.click("button:has-text('Create batch')")
    page.fill("#table", "name,shrink\nagain,6\nnew,10\n")
    page.click("button:has-text('Add rows')")
    expect(page.locator("#summary")).to_contain_text("1 ready, 1 computed before")
    expect(page.locator("#item-1")).to_contain_text("Already computed by ada on this-server")
    page.click("button:has-text('Submit 1 job')")
    expect(page.locator("#summary")).to_contain_text("2 of 2 ended", timeout=60000)
    expect(page.locator("#summary")).to_contain_text("1 are linked to earlier results")


def test_actions_on_ticked_jobs(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/jobs?state=completed")
    ticks = page.locator("table.jobs input[name=id]")
    ticks.nth(0).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("[data-ticked]")).to_have_text("2 selected:")
    page.click(".more-acts summary")
    page.click("button:has-text('Compare')")
    expect(page.locator("h1")).to_have_text("Comparison of 2 jobs")
    expect(page.locator("tbody")).to_contain_text("shrink")
    assert serious(page) == []
    page.go_back()
    page.goto(f"{service.url}/jobs?state=completed")
    ticks.nth(0).click()
    ticks.nth(3).click(modifiers=["Shift"])
    page.click(".more-acts summary")
    page.fill("input[name=tag]", "figure-2")
    page.click("button:has-text('Tag'):not(:has-text('Untag'))")
    expect(page.locator("h1")).to_have_text("Tag figure-2: 4 of 4 done")
    page.goto(f"{service.url}/jobs?tag=figure-2")
    expect(page.locator("table.jobs tbody tr")).to_have_count(4)
    with page.expect_download() as download:
        page.check("input[name=all]")
        page.click(".more-acts summary")
        page.click("button:has-text('Download')")
    assert download.value.path().stat().st_size > 1000
