"""A researcher in a real browser: opt → SCF → bands from the library with the preview engine, and the same built by hand."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_library import serious
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.preview, pytest.mark.timeout(600)]


def quick(page: Page) -> None:
    """LiH with a minimal basis set: seconds rather than minutes."""
    page.select_option("#crystal", label="LiH")
    expect(page.locator("#import-note")).to_contain_text("experimental structure")
    page.fill("#p_a", "4.033")
    page.select_option("#p_method", "HF")
    page.select_option("#p_basis_set", "STO-3G")
    page.fill("#p_shrink", "2")
    page.fill("#p_points", "12")


def test_from_the_library(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/jobs")
    page.click("nav >> text=Workflows")
    expect(page.locator("h1")).to_have_text("Workflows")
    assert serious(page) == []
    page.click("h3 >> text=Optimisation, SCF and bands")
    expect(page.locator("svg .node")).to_have_count(3)
    assert serious(page) == []
    page.click("a.button:has-text('Start')")
    # Before a structure is there the page says what is missing; the fields are not red yet.
    expect(page.locator("#preview")).to_contain_text("Fix these first")
    expect(page.locator(".field.invalid")).to_have_count(0)
    quick(page)
    expect(page.locator("#preview")).to_contain_text("All steps were rendered and checked")
    page.click("#deck-bands summary")
    expect(page.locator("#deck-bands pre")).to_contain_text("G-X-U|K-G-L-W-X")
    # A wrong value names the field and the steps; nothing starts.
    page.fill("#p_shrink", "0")
    expect(page.locator("#f_shrink .field-error")).to_contain_text("at least 1")
    page.fill("#p_shrink", "2")
    expect(page.locator(".field-error")).to_have_count(0)
    assert serious(page) == []
    page.fill("#name", "lih")
    page.click("button.primary:has-text('Start')")
    expect(page).to_have_url(re.compile(r"/runs/\w+$"))
    # Live: nothing is clicked from here on until the bands are drawn.
    expect(page.locator("svg .node.state-running")).to_have_count(1, timeout=30000)
    expect(page.locator("#step-geom_opt")).to_contain_text("running")
    expect(page.locator("#state .big")).to_contain_text("completed", timeout=300000)
    expect(page.locator("svg .node.state-completed")).to_have_count(3)
    expect(page.locator("#results")).to_contain_text("Energy of the optimised cell")
    expect(page.locator("#results")).to_contain_text("preview engine")
    expect(page.locator("svg.bands polyline")).not_to_have_count(0)
    expect(page.locator("svg.bands")).to_contain_text("Γ")
    assert serious(page) == []
    # By keyboard: from node to node, and into the job.
    page.locator("svg .node").nth(2).focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("lih-bands")
    page.click("a:has-text('Provenance')")
    expect(page.locator("svg .node")).to_have_count(3)
    expect(page.locator(".graph svg")).to_contain_text("fort.9")
    assert serious(page) == []
    page.click("details[open] dd a:has-text('bands')")
    expect(page.locator("h1")).to_contain_text("Band structure")


def test_by_hand(page: Page, service: Service) -> None:
    """What was computed above is taken; so this run ends in seconds."""
    page.goto(f"{service.url}/workflows")
    page.click("a.button:has-text('New workflow')")
    for kind in ("Geometry optimisation", "Single-point energy", "Band structure"):
        page.select_option("#add_kind", label=kind)
        page.click("button:has-text('Add step')")
    expect(page.locator("#sheet")).to_contain_text("The steps fit together")
    expect(page.locator("#sheet .graph svg")).to_contain_text("geometry, wavefunction")
    page.fill("#s1_parameters", "toldee = tight")
    expect(page.locator("#sheet")).to_contain_text("must be an integer")
    page.fill("#s1_parameters", "toldee = 9")
    expect(page.locator("#sheet")).to_contain_text("The steps fit together")
    page.fill("#outputs", "gap = {{ steps.scf.results.gap_ev }} | Band gap | eV")
    page.fill("#name", "by_hand")
    page.fill("#title", "By hand")
    assert serious(page) == []
    page.click("button:has-text('Save')")
    expect(page).to_have_url(re.compile(r"/workflows/by_hand$"))
    page.click("a.button:has-text('Start')")
    quick(page)
    expect(page.locator("#preview")).to_contain_text("All steps were rendered and checked")
    page.click("button.primary:has-text('Start')")
    expect(page.locator("#state .big")).to_contain_text("completed", timeout=120000)
    expect(page.locator("#step-optimization")).to_contain_text("reused")
    expect(page.locator("#results")).to_contain_text("Band gap")
    page.click("text=Rerun with other parameters")
    page.fill("#again", "points = 14")
    before = page.url
    page.click(".more button:has-text('Rerun')")
    expect(page).not_to_have_url(before)
    expect(page.locator("#state .big")).to_contain_text("completed", timeout=60000)
    expect(page.locator("#state")).to_contain_text("Rerun of")
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.locator("#step-bands")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 900})
