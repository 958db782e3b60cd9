"""Results on the real SLURM, looked at in Chromium: live curves while jobs run, and failed jobs that are started again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import FLAGS
from tests.support.pages import admin_page
from tests.support.service import Service, quick, replayed

pytestmark = [pytest.mark.lab, pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def page(chromium: str, lab_service: Service) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with admin_page(browser, lab_service) as page:
            yield page
        browser.close()


def points(page: Page, name: str) -> int:
    place = page.locator(f"[data-plot='{name}']")
    return int(place.get_attribute("data-points") or 0)


def test_the_curve_of_an_scf_grows_while_it_runs(page: Page, lab_service: Service) -> None:
    [job_id] = lab_service.submit(replayed("quartz-freq/main.out", seconds=14))
    page.goto(f"{lab_service.url}/jobs/{job_id}")
    page.evaluate("window.notReloaded = true")
    expect(page.locator("[data-plot='scf'] canvas")).to_be_visible(timeout=60000)
    seen = {points(page, "scf")}
    page.wait_for_function(
        "() => Number(document.querySelector(\"[data-plot='scf']\").dataset.points) > 40", timeout=60000
    )
    seen.add(points(page, "scf"))
    expect(page.locator("[data-hint]").first).to_be_visible()
    page.wait_for_function(
        "() => Number(document.querySelector(\"[data-plot='scf']\").dataset.points) == 101", timeout=60000
    )
    assert len(seen) == 2
    expect(page.locator("#status .big")).to_contain_text("completed", timeout=60000)
    expect(page.locator("#course .hint-converged")).to_contain_text("Converged")
    expect(page.locator("#figure-vibrations")).to_contain_text("147.25")
    assert page.evaluate("window.notReloaded") is True


def test_the_curves_of_an_optimisation_grow_while_it_runs(page: Page, lab_service: Service) -> None:
    [job_id] = lab_service.submit(replayed("slab-opt/main.out", seconds=14))
    page.goto(f"{lab_service.url}/jobs/{job_id}")
    expect(page.locator("[data-plot='gradient'] canvas")).to_be_visible(timeout=60000)
    first = points(page, "energy")
    assert 0 < first < 70
    page.wait_for_function(
        "() => Number(document.querySelector(\"[data-plot='gradient']\").dataset.points) == 70", timeout=60000
    )
    assert points(page, "energy") == 70
    expect(page.locator("#status .big")).to_contain_text("completed", timeout=60000)
    expect(page.locator("#course")).to_contain_text("Optimisation: Converged.")


@pytest.mark.preview
def test_too_many_cycles_are_applied_and_finish(page: Page, lab_service: Service) -> None:
    """The remedy is looked at in the composer, submitted, and goes on from the wave function of the failed job."""
    [job_id] = lab_service.submit({"template": "scf", "parameters": quick(maxcycle=3), "cluster": "real"})
    [failed] = lab_service.wait([job_id], 280)
    assert failed["state"] == "failed"
    page.goto(f"{lab_service.url}/jobs/{job_id}")
    expect(page.locator("#diagnosis")).to_contain_text("did not converge within MAXCYCLE")
    # Twice three cycles might not do; a person looks at the change and corrects it.
    page.click("#diagnosis .remedy >> text=Review this change")
    expect(page.locator("#remedy")).to_contain_text("Twice as many SCF cycles")
    expect(page.locator("#preview .diff, #preview pre").filter(has_text="+GUESSP").first).to_be_visible()
    page.fill("#p_maxcycle", "60")
    page.click("button:has-text('Submit')")
    expect(page.locator("#status .big")).to_contain_text("completed", timeout=280000)
    again = lab_service.job(page.url.rpartition("/")[2])
    assert again["results"]["scf_converged"] is True
    sent = lab_service.client.get(f"/jobs/{again['id']}/provenance").json()
    assert {(one["source"], one["name"]) for one in sent["passed"]} == {(job_id, "fort.20")}


def test_a_time_limit_is_applied_and_finishes(page: Page, lab_service: Service, time_limited: list[str]) -> None:
    job_id = time_limited[1]
    failed = lab_service.job(job_id)
    assert (failed["state"], "time limit" in failed["reason"]) == ("failed", True)
    offered = lab_service.client.get(f"/jobs/{job_id}/remedies").json()
    assert (offered["code"], offered["remedies"][0]["resources"]) == ("timeout", {"walltime": "00:02:00"}), failed[
        "reason"
    ]
    page.goto(f"{lab_service.url}/jobs/{job_id}")
    page.click("#diagnosis .remedy >> text=Review this change")
    expect(page.locator("#remedy")).to_contain_text("00:02:00")
    expect(page.locator("#r_walltime")).to_have_value("00:02:00")
    # Nobody waits for two minutes here: what is replayed is made short, and the longer limit is looked up in SLURM's own words.
    page.fill("#p_title", "replay mgo-scf/main.out seconds=1")
    page.click("button:has-text('Submit')")
    expect(page.locator("#status .big")).to_contain_text("completed", timeout=280000)
    again = lab_service.job(page.url.rpartition("/")[2])
    assert "#SBATCH --time=00:02:00" in again["script"]
