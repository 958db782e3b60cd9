"""One service with the preview engine on this server, one Chromium, and a page of the first admin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.pages import quiet_page
from tests.support.service import Service

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

# Other tests share the machine: what is waited for may come late, and nothing here measures time.
expect.set_options(timeout=30_000)

GONE = (
    "ERR_CONNECTION_",
    "ERR_EMPTY_RESPONSE",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "htmx:sse:error: network error",
    "Failed to fetch",
)
"""What Chromium and htmx say while the service is away."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    preview = Path(sys.executable).parent / "crystaldeck-preview"
    config = (
        f'[clusters.this-server]\nrunner_type = "local"\ncrystal = "{preview} crystal"\nworkdir = "{folder}/jobs"\n'
        f'properties = "{preview} properties"\ncores = 2\n'
    )
    running = Service(folder, config).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """A page of the first admin, made by the set-up link. A killed service is no fault of the page, which connects again."""
    with quiet_page(browser, forgiven=GONE) as page:
        page.goto(service.setup_link())
        page.fill("#name", "ada")
        page.fill("#password", "correct horse battery")
        page.click("button:has-text('Create account')")
        expect(page).to_have_url(f"{service.url}/jobs")
        yield page
