"""A newcomer's way in a real browser: set-up link, account, form, live deck, live cycles, energy. Nothing is reloaded."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.preview]
PASSWORD = "correct horse battery"


def _fill_lih(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?fresh=1")
    page.fill("#p_title", "LiH")
    page.fill("#p_space_group", "225")
    page.fill("#p_a", "4.084")
    page.fill("#p_atoms", "Li 0 0 0\nH 0.5 0.5 0.5")
    page.select_option("#p_basis_set", "STO-3G")
    page.select_option("#p_method", "HF")
    page.fill("#p_shrink", "2")


def test_from_the_form_to_the_energy_without_a_reload(page: Page, service: Service) -> None:
    _fill_lih(page, service)
    expect(page.locator("#deck-1")).to_contain_text("BASISSET\nSTO-3G")
    expect(page.locator("#p_shrink")).to_be_focused()
    page.click("button:has-text('Submit')")
    expect(page.locator("#status .big")).to_contain_text("running", timeout=20000)
    page.evaluate("window.notReloaded = true")
    expect(page.locator("[data-progress]")).to_contain_text("cycle", timeout=60000)
    expect(page.locator("#status .big")).to_contain_text("completed", timeout=60000)
    expect(page.locator("#energy")).to_contain_text("-7.9220")
    expect(page.locator("h2 .tag")).to_have_text("preview engine")
    assert page.evaluate("window.notReloaded") is True


def test_fields_follow_the_space_group(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?fresh=1")
    page.fill("#p_space_group", "194")
    expect(page.locator("#f_c")).to_be_visible()
    expect(page.locator("#f_b")).to_be_hidden()
    page.fill("#p_space_group", "225")
    expect(page.locator("#f_c")).to_be_hidden()


def test_a_wrong_value_is_named_beside_its_field_and_nothing_is_lost(page: Page, service: Service) -> None:
    _fill_lih(page, service)
    page.fill("#p_a", "nan")
    expect(page.locator("#f_a .field-error")).to_contain_text("must be a finite number")
    page.fill("#p_a", "4.084")
    expect(page.locator("#f_a .field-error")).to_have_count(0)
    assert page.input_value("#p_atoms") == "Li 0 0 0\nH 0.5 0.5 0.5"


def test_clone_and_cancel(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/jobs")
    page.click("table.jobs tbody tr:first-child a")
    page.click("text=Clone and edit")
    assert page.input_value("#p_a") == "4.084"
    page.fill("#p_shrink", "4")
    page.click("button:has-text('Submit')")
    page.click("button:has-text('Cancel job')")
    expect(page.locator("#status .big")).to_contain_text("cancelled", timeout=40000)


def test_the_list_updates_itself(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/jobs")
    rows = page.locator("table.jobs tbody tr")
    before = rows.count()
    service.add_user("bob")
    example = service.client.get("/templates/scf/schema").json()["examples"][0]
    [job_id] = service.submit({"template": "scf", "parameters": example, "cluster": "this-server"})
    expect(rows).to_have_count(before + 1)
    service.client.post(f"/jobs/{job_id}/cancel")
    expect(page.locator(f"#row-{job_id} .state")).to_contain_text("cancelled", timeout=40000)


def test_without_javascript(browser: Browser, page: Page, service: Service) -> None:
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{service.url}/login")
    plain.fill("#name", "ada")
    plain.fill("#password", PASSWORD)
    plain.click("button:has-text('Log in')")
    plain.goto(f"{service.url}/new/scf?example=1")
    plain.fill("#p_title", "By hand")
    plain.click("button:has-text('Update preview')")
    assert "By hand" in plain.inner_text("#deck-1")
    plain.click("button:has-text('Submit')")
    assert "/jobs/" in plain.url
    plain.click("button:has-text('Cancel job')")
    plain.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_pages_fit_every_screen(page: Page, service: Service, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    folder = os.environ.get("CRYSTALDECK_SCREENSHOTS")
    for name, path in (
        ("jobs", "/jobs"), ("compose", "/new/bands?example=1"), ("clusters", "/clusters/this-server"), ("new", "/new"),
        ("templates", "/templates"), ("template", "/templates/dos"), ("editor", "/templates/new"), ("basis", "/templates/basis"),
    ):  # fmt: skip
        page.goto(service.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        if folder:
            page.screenshot(path=f"{folder}/{name}-{scheme}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")


def test_a_dropped_cif_makes_a_checked_deck(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/new/scf?fresh=1")
    page.select_option("#crystal", "corundum")
    expect(page.locator("#import-note")).to_contain_text("corundum")
    expect(page.locator("#p_space_group")).to_have_value("167")
    halite = (
        "data_x\n_cell_length_a 5.6402\n_cell_length_b 5.6402\n_cell_length_c 5.6402\n_cell_angle_alpha 90\n"
        "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n_atom_site_label\n"
        "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nNa 0 0 0\nCl 0.5 0.5 0.5\n"
    )
    page.set_input_files(
        "#structure_file", {"name": "halite.cif", "mimeType": "chemical/x-cif", "buffer": halite.encode()}
    )
    expect(page.locator("#import-note")).to_contain_text("Fm-3m (225)")
    expect(page.locator("#p_space_group")).to_have_value("225")
    expect(page.locator("#crystal")).to_have_value("")
    expect(page.locator("#preview")).to_contain_text("no problems found")
    # What a line means is told where the mouse rests on it.
    assert "Monkhorst" in (page.locator("#deck-1 .line", has_text="SHRINK").get_attribute("title") or "")
    page.fill("#p_title", "Halite")
    expect(page.locator("#deck-1 .line").first).to_have_text("Halite")
    expect(page.locator("#import-note")).to_contain_text("Fm-3m (225)")
