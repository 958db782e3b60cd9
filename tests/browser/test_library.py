"""A researcher's own template in a real browser; the composer's right-hand side; accessibility of every page by axe-core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.preview]
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"


def serious(page: Page) -> list[Any]:
    """What axe-core calls a serious or critical violation: rule and the elements at fault."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (violation["id"], [node["target"] for node in violation["nodes"]][:4])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def test_an_own_template_from_the_editor_to_the_energy(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/templates")
    page.click("a:has-text('New template')")
    metadata = page.locator("#text-1")
    expect(page.locator("#trial")).to_contain_text("No problems found", timeout=30000)
    metadata.fill(metadata.input_value().replace('title = "My single point"', 'title = "Our lithium hydride"').replace(
        'title = "MgO"', 'title = "LiH"').replace("a = 4.21", "a = 4.084").replace(
        'atoms = [["Mg", 0, 0, 0], ["O"', 'atoms = [["Li", 0, 0, 0], ["H"').replace("shrink = 4", "shrink = 2"))  # fmt: skip
    deck = page.locator("#text-2")
    right = deck.input_value()
    # A slip of the pen is told while one types, with its line; nothing is saved.
    deck.fill(right.replace("TOLDEE", "TOLDEEE"))
    expect(page.locator("#trial .findings")).to_contain_text("did you mean TOLDEE")
    deck.fill("{% if %}\n" + right)
    expect(page.locator("#trial")).to_contain_text("line 1")
    deck.fill(
        right.replace("{{ shrink }} {{ 2 * shrink }}", "{{ shrink }} {{ shrink }}").replace("TOLDEE\n8", "TOLDEE\n6")
    )
    expect(page.locator("#trial")).to_contain_text("Our lithium hydride")
    expect(page.locator("#trial .deck")).to_contain_text("SHRINK")
    page.fill("#comment", "for the seminar")
    page.click("button:has-text('Save')")
    expect(page).to_have_url(f"{service.url}/templates/my_scf")
    expect(page.locator("main")).to_contain_text("for the seminar")
    page.click("text=Use template")
    page.click("text=Load the example")
    expect(page.locator("#preview")).to_contain_text("no problems found")
    page.click("button:has-text('Submit')")
    expect(page.locator("#status .big")).to_contain_text("completed", timeout=90000)
    expect(page.locator("#energy")).to_contain_text("-7.922")


def test_the_sheet_beside_the_form(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?fresh=1")
    page.select_option("#crystal", "MgO")
    expect(page.locator("#deck-1")).to_contain_text("POB-TZVP-REV2")
    page.focus("#p_shrink")
    expect(page.locator("#deck-1 .line.lit")).to_have_text(["SHRINK", "8 16"])
    page.hover("#deck-1 .line >> nth=1")
    expect(page.locator("[data-explain]")).to_have_text("A bulk crystal.")
    page.click("label[for=tab-structure]")
    expect(page.locator("#viewer canvas")).to_be_visible()
    expect(page.locator(".pane-structure")).to_contain_text("Fm-3m (225), 2 atoms")
    page.click("label[for=tab-files]")
    expect(page.locator(".pane-files")).to_contain_text("scf.d12")
    page.click("label[for=tab-deck]")
    page.fill("#p_toldee", "9")
    expect(page.locator("#deck-1")).to_contain_text("TOLDEE\n9")
    # Whoever comes back finds the form as it was.
    page.goto(f"{service.url}/new/scf")
    expect(page.locator("#restored")).to_be_visible()
    expect(page.locator("#p_toldee")).to_have_value("9")
    page.click("button:has-text('Edit deck by hand')")
    hand = page.locator("#p_deck")
    hand.fill(hand.input_value().replace("TOLDEE\n9", "TOLDEE\n10"))
    page.click("label[for=tab-changes]")
    expect(page.locator(".diff .added", has_text="+10")).to_be_visible()
    page.goto(f"{service.url}/new/scf?fresh=1")


def test_a_file_is_uploaded_into_its_field(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?fresh=1")
    page.select_option("#p_system", "external")
    expect(page.locator("#f_geometry_file")).to_be_visible()
    geometry = "3 1 1\n4 0 0\n0 4 0\n0 0 4\n1\n1 0 0\n0 1 0\n0 0 1\n0 0 0\n2\n3 0 0 0\n1 2 2 2\n"
    page.set_input_files(
        "#upload_geometry_file", {"name": "lih.gui", "mimeType": "text/plain", "buffer": geometry.encode()}
    )
    expect(page.locator("#deck-1")).to_contain_text("EXTERNAL")
    assert page.input_value("#p_geometry_file").endswith("/lih.gui")
    page.goto(f"{service.url}/new/scf?fresh=1")


def test_pages_are_accessible(page: Page, service: Service) -> None:
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in (
            "/jobs", "/new", "/new/scf?example=1", "/new/density?example=1", "/new/raw?example=1", "/templates",
            "/templates/bands", "/templates/new", "/templates/basis", "/clusters", "/clusters/this-server",
        ):  # fmt: skip
            page.goto(service.url + path)
            if violations := serious(page):
                found[scheme, path] = violations
        page.goto(f"{service.url}/jobs")
        job = page.locator("table.jobs tbody tr:first-child a").first
        if job.count():
            job.click()
            if violations := serious(page):
                found[scheme, "job"] = violations
    page.emulate_media(color_scheme="light")
    assert found == {}
